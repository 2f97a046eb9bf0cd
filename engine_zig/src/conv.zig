//! Convolution (cross-correlation) in one and two dimensions, with stride, padding and groups.
//!
//! Two kernels give one answer (see Accumulator): `scatter` adds, for each non-zero input, its
//! weights to all outputs that see it; `dense` forms tiles of outputs in registers. Weights stand
//! as [input channel][tap y][tap x, flipped][output channel of the group]: with stride 1 and one
//! group, what one input adds to one row of outputs is one contiguous run.

const std = @import("std");
const fixed = @import("fixed.zig");
const limits = @import("limits.zig");
const simd = @import("simd.zig");
const synapses = @import("synapses.zig");
const Array = @import("array.zig").Array;
const Error = @import("failure.zig").Error;
const Record = @import("record.zig").Record;
const Scratch = @import("scratch.zig").Scratch;
const Shape = @import("tensor.zig").Shape;
const Sums = @import("finish.zig").Sums;
const Tensor = @import("scratch.zig").Tensor;
const Window = @import("window.zig").Window;
const Child = std.meta.Child;

/// From this share of non-zero inputs on, in percent, the dense kernel is the faster one: measured
/// on 3×3 kernels of 16 to 128 channels, where it lay between 20 and 36 for float32, and near 25
/// for integers.
fn densePercent(comptime A: type) u64 {
    return if (A == f64) 35 else 25;
}

pub const Conv = struct {
    window: Window,
    in: Shape,
    out: Shape,
    groups: u32,
    synapses: synapses.Either = undefined,
    /// If quantised, what is formed of the kernels' sums.
    sums: ?Sums = null,

    /// `x` is known of a quantised input.
    pub fn read(record: *Record, in: Shape, x: ?fixed.Range, arena: std.mem.Allocator) Error!Conv {
        const kind: Array.Kind = if (x == null) .float else .whole;
        const weight = try Array.read(record, "weight", in.rank + 1, kind);
        const kernel: [2]u32 = if (in.rank == 3) weight.dims[2..4].* else .{ 1, weight.dims[2] };
        const window = try Window.read(record, in, kernel);
        const groups: u32 = @intCast(try record.integer("groups", 1, limits.activations));
        const outputs = weight.dims[0];
        if (@as(u64, weight.dims[1]) * groups != in.channels or outputs % groups != 0)
            return record.failure.refuse(
                .invalid,
                "{s}: a weight of {d} from {d} channels in {d} groups does not fit input {f}",
                .{ record.place, outputs, weight.dims[1], groups, in },
            );
        var self: Conv = .{
            .window = window,
            .in = in,
            .out = try window.out(record, in, outputs),
            .groups = groups,
        };
        self.synapses, self.sums = try synapses.Either.read(record, self, weight, x, arena);
        return self;
    }

    /// Operations per timestep if every input were non-zero.
    pub fn work(self: Conv) u64 {
        const taps = @as(u64, self.window.size[0]) * self.window.size[1];
        return taps * (self.in.channels / self.groups) *| self.out.elements();
    }

    pub fn arrange(self: Conv, comptime W: type, into: []W, weight: Array) void {
        const rows, const columns = self.window.size;
        const share_out = self.out.channels / self.groups;
        const share_in = self.in.channels / self.groups;
        var from: usize = 0;
        for (0..self.out.channels) |o| {
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

    /// Into `sums`, one for each output, from `x` of numbers E; `s` are the synapses of `self`.
    pub fn run(
        self: *const Conv,
        comptime E: type,
        s: anytype,
        scratch: *Scratch,
        x: *const Tensor,
        sums: []Child(@TypeOf(s)).Sum,
    ) void {
        const S = Child(@TypeOf(s));
        const values = x.values(E)[0..self.in.elements()];
        const list = x.list[0..x.count];
        const kernel: Kernel(S) = .{ .conv = self, .synapses = s };
        if (@as(u64, list.len) * 100 < values.len * densePercent(S.Sum)) {
            if (s.spiking) return kernel.scatter(E, true, values, list, sums);
            return kernel.scatter(E, false, values, list, sums);
        }
        const unpadded = self.window.padding[0] == 0 and self.window.padding[1] == 0;
        const ready = E == S.Sum and unpadded and !s.spiking;
        const room = scratch.padded(S.Sum);
        const frame = if (E == S.Sum and ready) values else kernel.pad(E, room, values);
        kernel.dense(frame, sums);
    }
};

fn Kernel(comptime S: type) type {
    return struct {
        conv: *const Conv,
        synapses: *const S,

        const A = S.Sum;
        const Self = @This();

        /// The input as the accumulator's numbers, with its padding around it, so that the dense
        /// kernel has neither borders nor conversions.
        fn pad(self: Self, comptime E: type, room: []A, values: []const E) []const A {
            const conv = self.conv;
            const shape = conv.window.padded(conv.in);
            const line = @as(usize, conv.in.width) * conv.in.channels;
            const padded_line = @as(usize, shape.width) * conv.in.channels;
            const into = room[0..shape.elements()];
            @memset(into, 0);
            const left = conv.window.padding[1] * conv.in.channels;
            for (0..conv.in.height) |y| {
                const start = (y + conv.window.padding[0]) * padded_line + left;
                const to = into[start..][0..line];
                const from = values[y * line ..][0..line];
                if (self.synapses.spiking) {
                    for (to, from) |*one, value| one.* = @intFromBool(value != 0);
                } else simd.convert(A, E, to, from);
            }
            return into;
        }

        fn scatter(
            self: Self,
            comptime E: type,
            comptime spiking: bool,
            values: []const E,
            list: []const u32,
            sums: []A,
        ) void {
            const conv = self.conv;
            const outputs = conv.out.channels;
            const start = self.synapses.start;
            for (0..conv.out.positions()) |p| @memcpy(sums[p * outputs ..][0..outputs], start);
            const runs = conv.groups == 1 and conv.window.stride[0] == 1 and
                conv.window.stride[1] == 1;
            for (list) |index| {
                const value: A = if (spiking) 1 else simd.number(A, values[index]);
                if (runs) {
                    self.spreadRuns(spiking, index, value, sums);
                } else self.spreadTaps(spiking, index, value, sums);
            }
        }

        /// Stride 1, one group: one run per row of taps.
        fn spreadRuns(
            self: Self,
            comptime spiking: bool,
            index: u32,
            value: A,
            sums: []A,
        ) void {
            const conv = self.conv;
            const outputs: usize = conv.out.channels;
            const rows, const columns = conv.window.size;
            const channel = index % conv.in.channels;
            const position = index / conv.in.channels;
            const bottom = position / conv.in.width + conv.window.padding[0];
            const right = position % conv.in.width + conv.window.padding[1];
            const near = right -| (conv.out.width - 1);
            if (near >= columns) return;
            const far = @min(columns - 1, right);
            if (far < near) return;
            const length = (far - near + 1) * outputs;
            var ky = bottom -| (conv.out.height - 1);
            while (ky < rows and ky <= bottom) : (ky += 1) {
                const to = (@as(usize, bottom - ky) * conv.out.width + (right - far)) * outputs;
                const tap = (@as(usize, channel) * rows + ky) * columns + (columns - 1 - far);
                const row = self.synapses.weights[tap * outputs ..].ptr;
                simd.accumulate(A, S.Weight, spiking, sums[to..][0..length], row, value);
            }
        }

        fn spreadTaps(
            self: Self,
            comptime spiking: bool,
            index: u32,
            value: A,
            sums: []A,
        ) void {
            const conv = self.conv;
            const share = conv.out.channels / conv.groups;
            const rows, const columns = conv.window.size;
            const channel = index % conv.in.channels;
            const position = index / conv.in.channels;
            const bottom = position / conv.in.width + conv.window.padding[0];
            const right = position % conv.in.width + conv.window.padding[1];
            const first = channel / (conv.in.channels / conv.groups) * share;
            for (0..rows) |ky| {
                const seen_y = seen(bottom, @intCast(ky), conv.window.stride[0], conv.out.height);
                const y = seen_y orelse continue;
                for (0..columns) |kx| {
                    const seen_x = seen(right, @intCast(kx), conv.window.stride[1], conv.out.width);
                    const x = seen_x orelse continue;
                    const to = (@as(usize, y) * conv.out.width + x) * conv.out.channels + first;
                    const tap = (@as(usize, channel) * rows + ky) * columns + (columns - 1 - kx);
                    const row = self.synapses.weights[tap * share ..].ptr;
                    simd.accumulate(A, S.Weight, spiking, sums[to..][0..share], row, value);
                }
            }
        }

        /// The output position whose tap `tap` lies on the padded input position `at`.
        fn seen(at: u32, tap: u32, stride: u32, count: u32) ?u32 {
            if (tap > at or (at - tap) % stride != 0) return null;
            const o = (at - tap) / stride;
            return if (o < count) o else null;
        }

        fn dense(self: Self, x: []const A, sums: []A) void {
            for (0..self.conv.out.height) |row| {
                var column: u32 = 0;
                while (column + 4 <= self.conv.out.width) : (column += 4) {
                    self.strip(4, x, sums, @intCast(row), column);
                }
                while (column < self.conv.out.width) : (column += 1) {
                    self.strip(1, x, sums, @intCast(row), column);
                }
            }
        }

        /// All channels of `count` neighbouring outputs, in tiles of falling width.
        fn strip(
            self: Self,
            comptime count: u32,
            x: []const A,
            sums: []A,
            row: u32,
            column: u32,
        ) void {
            const share = self.conv.out.channels / self.conv.groups;
            const width = comptime simd.lanes(A);
            for (0..self.conv.groups) |g| {
                const group: u32 = @intCast(g);
                var o: u32 = 0;
                inline for (.{ 2 * width, width, 4, 1 }) |tile_width| {
                    while (o + tile_width <= share) : (o += tile_width) {
                        self.tile(count, tile_width, x, sums, row, column, group, o);
                    }
                }
            }
        }

        fn tile(
            self: Self,
            comptime count: u32,
            comptime width: u32,
            x: []const A,
            made: []A,
            row: u32,
            column: u32,
            group: u32,
            o: u32,
        ) void {
            const V = @Vector(width, A);
            const conv, const s = .{ self.conv, self.synapses };
            const rows, const columns = conv.window.size;
            const channels: usize = conv.in.channels;
            const share_in = channels / conv.groups;
            const share: usize = conv.out.channels / conv.groups;
            const line = conv.window.padded(conv.in).width * channels;
            const step = conv.window.stride[1] * channels;
            const corner = @as(usize, row) * conv.window.stride[0] * line + column * step;
            const out = group * share + o;
            const start: V = s.start[out..][0..width].*;
            var sums: [count]V = @splat(start);
            var at = group * share_in * rows * columns * share + o;
            for (group * share_in..(group + 1) * share_in) |channel| {
                for (0..rows) |ky| {
                    var from = corner + ky * line + (columns - 1) * channels + channel;
                    for (0..columns) |_| {
                        const stored: @Vector(width, S.Weight) = s.weights[at..][0..width].*;
                        const weights: V = stored;
                        inline for (&sums, 0..) |*sum, j| {
                            sum.* += weights * @as(V, @splat(x[from + j * step]));
                        }
                        at += share;
                        from -%= channels;
                    }
                }
            }
            const to = (@as(usize, row) * conv.out.width + column) * conv.out.channels + out;
            inline for (sums, 0..) |sum, j| {
                made[to + j * conv.out.channels ..][0..width].* = sum;
            }
        }
    };
}
