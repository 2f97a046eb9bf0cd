//! Each non-zero input adds its weights to all outputs that see it. Weights stand as
//! [input channel][tap y][tap x, flipped][output channel of the group]: with stride 1 and one
//! group, what one input adds to one row of outputs is one contiguous run.

const std = @import("std");
const simd = @import("simd.zig");
const Array = @import("array.zig").Array;
const Field = @import("field.zig").Field;
const Frame = @import("scratch.zig").Frame;
const Child = std.meta.Child;

pub fn arrange(comptime W: type, field: *const Field, into: []W, weight: Array) void {
    const rows, const columns = field.window.size;
    const share_out, const share_in = .{ field.shareOut(), field.shareIn() };
    var from: usize = 0;
    for (0..field.out.channels) |o| {
        const group = o / share_out;
        for (0..share_in) |i| {
            const channel = group * share_in + i;
            for (0..rows) |ky| {
                for (0..columns) |kx| {
                    const tap = (channel * rows + ky) * columns + (columns - 1 - kx);
                    into[tap * share_out + o % share_out] = weight.at(W, from);
                    from += 1;
                }
            }
        }
    }
    std.debug.assert(from == into.len);
}

/// With `ones`, every non-zero input counts as 1.
pub fn run(
    comptime E: type,
    comptime ones: bool,
    field: *const Field,
    s: anytype,
    x: *const Frame,
    sums: []Child(@TypeOf(s)).Sum,
) void {
    const S = Child(@TypeOf(s));
    const spread: Spread(S, ones) = .{ .field = field, .synapses = s, .sums = sums };
    const start = s.start[0..field.out.channels];
    simd.repeat(S.Sum, sums, start);
    const values = x.values(E);
    for (x.listed()) |index| {
        const value: S.Sum = if (ones) 1 else simd.number(S.Sum, values[index]);
        if (field.adjoining()) spread.runs(index, value) else spread.taps(index, value);
    }
}

fn Spread(comptime S: type, comptime ones: bool) type {
    return struct {
        field: *const Field,
        synapses: *const S,
        sums: []S.Sum,

        const Self = @This();

        /// Stride 1, one group: one run per row of taps.
        fn runs(self: *const Self, index: u32, value: S.Sum) void {
            const field = self.field;
            const outputs: usize = field.out.channels;
            const rows, const columns = field.window.size;
            const channel = index % field.in.channels;
            const position = index / field.in.channels;
            const bottom = position / field.in.width + field.window.padding[0];
            const right = position % field.in.width + field.window.padding[1];
            const near = right -| (field.out.width - 1);
            if (near >= columns) return;
            const far = @min(columns - 1, right);
            if (far < near) return;
            const length = (far - near + 1) * outputs;
            var ky = bottom -| (field.out.height - 1);
            while (ky < rows and ky <= bottom) : (ky += 1) {
                const to = (@as(usize, bottom - ky) * field.out.width + (right - far)) * outputs;
                const tap = (@as(usize, channel) * rows + ky) * columns + (columns - 1 - far);
                self.add(to, length, tap * outputs, value);
            }
        }

        fn taps(self: *const Self, index: u32, value: S.Sum) void {
            const field = self.field;
            const share = field.shareOut();
            const rows, const columns = field.window.size;
            const channel = index % field.in.channels;
            const position = index / field.in.channels;
            const bottom = position / field.in.width + field.window.padding[0];
            const right = position % field.in.width + field.window.padding[1];
            const first = channel / field.shareIn() * share;
            for (0..rows) |ky| {
                const seen_y = seen(bottom, @intCast(ky), field.window.stride[0], field.out.height);
                const y = seen_y orelse continue;
                for (0..columns) |kx| {
                    const seen_x =
                        seen(right, @intCast(kx), field.window.stride[1], field.out.width);
                    const x = seen_x orelse continue;
                    const to = (@as(usize, y) * field.out.width + x) * field.out.channels + first;
                    const tap = (@as(usize, channel) * rows + ky) * columns + (columns - 1 - kx);
                    self.add(to, share, tap * share, value);
                }
            }
        }

        inline fn add(self: *const Self, to: usize, length: usize, from: usize, value: S.Sum) void {
            const row = self.synapses.runs[from..].ptr;
            simd.accumulate(S.Sum, S.Weight, ones, self.sums[to..][0..length], row, value);
        }

        /// The output position whose tap `tap` lies on the padded input position `at`.
        fn seen(at: u32, tap: u32, stride: u32, count: u32) ?u32 {
            if (tap > at or (at - tap) % stride != 0) return null;
            const o = (at - tap) / stride;
            return if (o < count) o else null;
        }
    };
}
