//! Convolution (cross-correlation) in one and two dimensions, with stride, padding and groups.
//!
//! Two kernels give one answer (see Accumulator): `scatter` adds, for each non-zero input, its
//! weights to all outputs that see it; `dense` forms tiles of outputs in registers. Weights stand
//! as [input channel][tap y][tap x, flipped][output channel of the group]: with stride 1 and one
//! group, what one input adds to one row of outputs is one contiguous run.

const std = @import("std");
const limits = @import("limits.zig");
const simd = @import("simd.zig");
const synapses = @import("synapses.zig");
const Array = @import("array.zig").Array;
const Error = @import("failure.zig").Error;
const Record = @import("record.zig").Record;
const Scratch = @import("scratch.zig").Scratch;
const Shape = @import("tensor.zig").Shape;
const Tensor = @import("scratch.zig").Tensor;
const Window = @import("window.zig").Window;

/// From this share of non-zero inputs on, in percent, the dense kernel is the faster one: measured
/// on 3×3 kernels of 16 to 128 channels, where it lay between 20 and 36 for float32.
const dense_percent = .{ .float32 = 25, .float64 = 35 };

pub const Conv = struct {
    window: Window,
    in: Shape,
    out: Shape,
    groups: u32,
    synapses: synapses.Either,

    pub fn read(record: *Record, in: Shape, arena: std.mem.Allocator) Error!Conv {
        const weight = try Array.read(record, "weight", in.rank + 1);
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
        const bias = try Array.vector(record, "bias", outputs);
        var self: Conv = .{
            .window = window,
            .in = in,
            .out = try window.out(record, in, outputs),
            .groups = groups,
            .synapses = undefined,
        };
        switch (try synapses.accumulator(record)) {
            inline else => |kind| {
                const A = if (kind == .float32) f32 else f64;
                const made: synapses.Synapses(A) =
                    try .create(arena, weight.count(), bias, outputs);
                self.arrange(A, made.weights, weight);
                self.synapses = @unionInit(synapses.Either, @tagName(kind), made);
            },
        }
        return self;
    }

    /// Operations per timestep if every input were non-zero.
    pub fn work(self: Conv) u64 {
        const taps = @as(u64, self.window.size[0]) * self.window.size[1];
        return taps * (self.in.channels / self.groups) *| self.out.elements();
    }

    fn arrange(self: Conv, comptime A: type, into: []A, weight: Array) void {
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
                        into[tap * share_out + o % share_out] = weight.at(from);
                        from += 1;
                    }
                }
            }
        }
        std.debug.assert(from == into.len);
    }

    pub fn run(self: *const Conv, scratch: *Scratch, x: *const Tensor, y: *Tensor) void {
        const inputs: u64 = self.in.elements();
        switch (self.synapses) {
            .float32 => |*s| if (@as(u64, x.count) * 100 >= inputs * dense_percent.float32) {
                const unpadded = self.window.padding[0] == 0 and self.window.padding[1] == 0;
                const frame = if (unpadded) x.values else self.pad(f32, scratch.padded, x.values);
                Kernel(f32).dense(self, s, frame, y.values);
            } else Kernel(f32).scatter(self, s, x, y.values),
            .float64 => |*s| if (@as(u64, x.count) * 100 >= inputs * dense_percent.float64) {
                Kernel(f64).dense(self, s, self.pad(f64, scratch.widened, x.values), y.values);
            } else {
                const sums = scratch.sums[0..y.values.len];
                Kernel(f64).scatter(self, s, x, sums);
                for (y.values, sums) |*value, sum| value.* = @floatCast(sum);
            },
        }
    }

    /// The input as the accumulator's numbers, with its padding around it, so that the dense
    /// kernel has neither borders nor conversions.
    fn pad(self: *const Conv, comptime A: type, room: []A, values: []const f32) []const A {
        const shape = self.window.padded(self.in);
        const line = @as(usize, self.in.width) * self.in.channels;
        const padded_line = @as(usize, shape.width) * self.in.channels;
        const into = room[0..shape.elements()];
        @memset(into, 0);
        const left = self.window.padding[1] * self.in.channels;
        for (0..self.in.height) |y| {
            const start = (y + self.window.padding[0]) * padded_line + left;
            for (into[start..][0..line], values[y * line ..][0..line]) |*to, value| to.* = value;
        }
        return into;
    }
};

fn Kernel(comptime A: type) type {
    return struct {
        const Synapses = synapses.Synapses(A);

        fn scatter(conv: *const Conv, s: *const Synapses, x: *const Tensor, sums: []A) void {
            const outputs = conv.out.channels;
            for (0..conv.out.positions()) |p| @memcpy(sums[p * outputs ..][0..outputs], s.bias);
            const runs = conv.groups == 1 and conv.window.stride[0] == 1 and
                conv.window.stride[1] == 1;
            for (x.list[0..x.count]) |index| {
                if (runs) {
                    spreadRuns(conv, s, index, x.values[index], sums);
                } else spreadTaps(conv, s, index, x.values[index], sums);
            }
        }

        /// Stride 1, one group: one run per row of taps.
        fn spreadRuns(conv: *const Conv, s: *const Synapses, index: u32, value: A, sums: []A) void {
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
                simd.accumulate(A, sums[to..][0..length], s.weights[tap * outputs ..].ptr, value);
            }
        }

        fn spreadTaps(conv: *const Conv, s: *const Synapses, index: u32, value: A, sums: []A) void {
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
                    simd.accumulate(A, sums[to..][0..share], s.weights[tap * share ..].ptr, value);
                }
            }
        }

        /// The output position whose tap `tap` lies on the padded input position `at`.
        fn seen(at: u32, tap: u32, stride: u32, count: u32) ?u32 {
            if (tap > at or (at - tap) % stride != 0) return null;
            const o = (at - tap) / stride;
            return if (o < count) o else null;
        }

        fn dense(conv: *const Conv, s: *const Synapses, x: []const A, y: []f32) void {
            for (0..conv.out.height) |row| {
                var column: u32 = 0;
                while (column + 4 <= conv.out.width) : (column += 4) {
                    strip(4, conv, s, x, y, @intCast(row), column);
                }
                while (column < conv.out.width) : (column += 1) {
                    strip(1, conv, s, x, y, @intCast(row), column);
                }
            }
        }

        /// All channels of `count` neighbouring outputs, in tiles of falling width.
        fn strip(
            comptime count: u32,
            conv: *const Conv,
            s: *const Synapses,
            x: []const A,
            y: []f32,
            row: u32,
            column: u32,
        ) void {
            const share = conv.out.channels / conv.groups;
            const width = comptime simd.lanes(A);
            for (0..conv.groups) |g| {
                const group: u32 = @intCast(g);
                var o: u32 = 0;
                inline for (.{ 2 * width, width, 4, 1 }) |tile_width| {
                    while (o + tile_width <= share) : (o += tile_width) {
                        tile(count, tile_width, conv, s, x, y, row, column, group, o);
                    }
                }
            }
        }

        fn tile(
            comptime count: u32,
            comptime width: u32,
            conv: *const Conv,
            s: *const Synapses,
            x: []const A,
            y: []f32,
            row: u32,
            column: u32,
            group: u32,
            o: u32,
        ) void {
            const V = @Vector(width, A);
            const rows, const columns = conv.window.size;
            const channels: usize = conv.in.channels;
            const share_in = channels / conv.groups;
            const share: usize = conv.out.channels / conv.groups;
            const line = conv.window.padded(conv.in).width * channels;
            const step = conv.window.stride[1] * channels;
            const corner = @as(usize, row) * conv.window.stride[0] * line + column * step;
            const out = group * share + o;
            const bias: V = s.bias[out..][0..width].*;
            var sums: [count]V = @splat(bias);
            var at = group * share_in * rows * columns * share + o;
            for (group * share_in..(group + 1) * share_in) |channel| {
                for (0..rows) |ky| {
                    var from = corner + ky * line + (columns - 1) * channels + channel;
                    for (0..columns) |_| {
                        const weights: V = s.weights[at..][0..width].*;
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
                const rounded: @Vector(width, f32) = @floatCast(sum);
                y[to + j * conv.out.channels ..][0..width].* = rounded;
            }
        }
    };
}
