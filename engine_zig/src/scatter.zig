//! Each non-zero input adds its weights to all outputs that see it. Weights stand as
//! [input channel][tap y][tap x, flipped][output channel of the group]: with stride 1 and one
//! group, what one input adds to one row of outputs is one contiguous run.

const std = @import("std");
const simd = @import("simd.zig");
const Array = @import("array.zig").Array;
const Field = @import("field.zig").Field;
const Frame = @import("scratch.zig").Frame;
const Rows = @import("tensor.zig").Rows;
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

/// Into `sums`, in which `rows` of the outputs stand first. With `ones`, every non-zero input
/// counts as 1.
pub fn run(
    comptime E: type,
    comptime ones: bool,
    field: *const Field,
    s: anytype,
    x: *const Frame,
    rows: Rows,
    sums: [*]Child(@TypeOf(s)).Sum,
) void {
    const S = Child(@TypeOf(s));
    const spread: Spread(S, ones) = .{
        .field = field,
        .synapses = s,
        .rows = rows,
        .sums = sums[0 .. rows.count() * field.out.line()],
    };
    const start = s.start[0..field.out.channels];
    simd.repeat(S.Sum, spread.sums, start);
    const values = x.values(E);
    const seen = field.seen(rows);
    const end = seen.end * field.in.line();
    const list = x.listed();
    var at = simd.lower(list, seen.first * field.in.line());
    while (at < list.len and list[at] < end) : (at += 1) {
        const index = list[at];
        const value: S.Sum = if (ones) 1 else simd.number(S.Sum, values[index]);
        if (field.adjoining()) spread.runs(index, value) else spread.taps(index, value);
    }
}

fn Spread(comptime S: type, comptime ones: bool) type {
    return struct {
        field: *const Field,
        synapses: *const S,
        rows: Rows,
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
            const first, const last = .{ self.rows.first, self.rows.end - 1 };
            const top = bottom -| last;
            const end = @min(rows, bottom + 1 - first);
            std.debug.assert(top < end);
            const row: usize = bottom - top - first;
            const tap = (@as(usize, channel) * rows + top) * columns + (columns - 1 - far);
            const all: Runs = .{
                .to = (row * field.out.width + (right - far)) * outputs,
                .from = tap * outputs,
                .length = (far - near + 1) * outputs,
                .count = end - top,
            };
            // How long runs are changes from input to input, but not from row to row: one branch
            // that cannot be foretold is enough for all rows.
            switch (all.length / simd.lanes(S.Sum)) {
                inline 0...unrolled => |vectors| self.up(vectors, all, value),
                else => self.up(null, all, value),
            }
        }

        /// Vectors of the longest run that is written out.
        const unrolled = 10;

        /// What one input adds to a row of outputs and to those above it, `count` in all.
        const Runs = struct { to: usize, from: usize, length: usize, count: usize };

        fn up(self: *const Self, comptime vectors: ?u32, all: Runs, value: S.Sum) void {
            const line = self.field.out.line();
            const step = self.field.window.size[1] * self.field.out.channels;
            var to, var from = .{ all.to, all.from };
            for (0..all.count) |_| {
                self.add(vectors, to, all.length, from, value);
                to -%= line;
                from += step;
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
                const seen_y = seen(bottom, @intCast(ky), field.window.stride[0], self.rows.end);
                const y = (seen_y orelse continue) -% self.rows.first;
                if (y >= self.rows.count()) continue;
                for (0..columns) |kx| {
                    const seen_x =
                        seen(right, @intCast(kx), field.window.stride[1], field.out.width);
                    const x = seen_x orelse continue;
                    const to = (@as(usize, y) * field.out.width + x) * field.out.channels + first;
                    const tap = (@as(usize, channel) * rows + ky) * columns + (columns - 1 - kx);
                    self.add(null, to, share, tap * share, value);
                }
            }
        }

        inline fn add(
            self: *const Self,
            comptime vectors: ?u32,
            to: usize,
            length: usize,
            from: usize,
            value: S.Sum,
        ) void {
            const row = self.synapses.runs[from..].ptr;
            const sums = self.sums[to..][0..length];
            simd.accumulate(S.Sum, S.Weight, ones, vectors, sums, row, value);
        }

        /// The output position whose tap `tap` lies on the padded input position `at`.
        fn seen(at: u32, tap: u32, stride: u32, count: u32) ?u32 {
            if (tap > at or (at - tap) % stride != 0) return null;
            const o = (at - tap) / stride;
            return if (o < count) o else null;
        }
    };
}
