//! Fully connected layers: the rows of weights of all non-zero inputs are added up, four at a time,
//! which at any density reads each weight that counts once.

const std = @import("std");
const simd = @import("simd.zig");
const synapses = @import("synapses.zig");
const Array = @import("array.zig").Array;
const Error = @import("failure.zig").Error;
const Record = @import("record.zig").Record;
const Scratch = @import("scratch.zig").Scratch;
const Shape = @import("tensor.zig").Shape;
const Tensor = @import("scratch.zig").Tensor;

pub const Linear = struct {
    in: Shape,
    out: Shape,
    /// [input][output]
    synapses: synapses.Either,

    pub fn read(record: *Record, in: Shape, arena: std.mem.Allocator) Error!Linear {
        const weight = try Array.read(record, "weight", 2);
        const outputs, const inputs = weight.dims[0..2].*;
        const out: Shape = .{ .channels = outputs };
        if (in.rank != 1 or inputs != in.channels) return record.failure.refuse(
            .invalid,
            "{s}: a weight of {d} × {d} does not fit input {f}",
            .{ record.place, outputs, inputs, in },
        );
        if (!out.bounded())
            return record.failure.refuse(.limit, "{s}: too many outputs", .{record.place});
        const bias = try Array.vector(record, "bias", outputs);
        var self: Linear = .{ .in = in, .out = out, .synapses = undefined };
        switch (try synapses.accumulator(record)) {
            inline else => |kind| {
                const A = if (kind == .float32) f32 else f64;
                const made: synapses.Synapses(A) =
                    try .create(arena, weight.count(), bias, outputs);
                for (0..outputs) |o| {
                    for (0..inputs) |i| made.weights[i * outputs + o] = weight.at(o * inputs + i);
                }
                self.synapses = @unionInit(synapses.Either, @tagName(kind), made);
            },
        }
        return self;
    }

    /// Operations per timestep if every input were non-zero.
    pub fn work(self: Linear) u64 {
        return @as(u64, self.in.channels) * self.out.channels;
    }

    pub fn run(self: *const Linear, scratch: *Scratch, x: *const Tensor, y: *Tensor) void {
        switch (self.synapses) {
            .float32 => |*s| add(f32, s, x, y.values),
            .float64 => |*s| {
                const sums = scratch.sums[0..y.values.len];
                add(f64, s, x, sums);
                for (y.values, sums) |*value, sum| value.* = @floatCast(sum);
            },
        }
    }
};

fn add(comptime A: type, s: *const synapses.Synapses(A), x: *const Tensor, sums: []A) void {
    const outputs = sums.len;
    @memcpy(sums, s.bias);
    const list = x.list[0..x.count];
    var i: usize = 0;
    while (i + 4 <= list.len) : (i += 4) {
        var rows: [4][*]const A = undefined;
        var values: [4]A = undefined;
        inline for (0..4) |j| {
            rows[j] = s.weights[list[i + j] * outputs ..].ptr;
            values[j] = x.values[list[i + j]];
        }
        simd.accumulateFour(A, sums, rows, values);
    }
    for (list[i..]) |index| {
        simd.accumulate(A, sums, s.weights[index * outputs ..].ptr, x.values[index]);
    }
}
