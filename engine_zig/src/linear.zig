//! Fully connected layers: the rows of weights of all non-zero inputs are added up, four at a time,
//! which at any density reads each weight that counts once.

const std = @import("std");
const fixed = @import("fixed.zig");
const simd = @import("simd.zig");
const synapses = @import("synapses.zig");
const Array = @import("array.zig").Array;
const Error = @import("failure.zig").Error;
const Record = @import("record.zig").Record;
const Scratch = @import("scratch.zig").Scratch;
const Shape = @import("tensor.zig").Shape;
const Sums = @import("finish.zig").Sums;
const Tensor = @import("scratch.zig").Tensor;
const Child = std.meta.Child;

pub const Linear = struct {
    in: Shape,
    out: Shape,
    /// [input][output]
    synapses: synapses.Either = undefined,
    /// If quantised, what is formed of the kernels' sums.
    sums: ?Sums = null,

    /// `x` is known of a quantised input.
    pub fn read(
        record: *Record,
        in: Shape,
        x: ?fixed.Range,
        arena: std.mem.Allocator,
    ) Error!Linear {
        const kind: Array.Kind = if (x == null) .float else .whole;
        const weight = try Array.read(record, "weight", 2, kind);
        const outputs, const inputs = weight.dims[0..2].*;
        const out: Shape = .{ .channels = outputs };
        if (in.rank != 1 or inputs != in.channels) return record.failure.refuse(
            .invalid,
            "{s}: a weight of {d} × {d} does not fit input {f}",
            .{ record.place, outputs, inputs, in },
        );
        if (!out.bounded())
            return record.failure.refuse(.limit, "{s}: too many outputs", .{record.place});
        var self: Linear = .{ .in = in, .out = out };
        self.synapses, self.sums = try synapses.Either.read(record, self, weight, x, arena);
        return self;
    }

    pub fn arrange(self: Linear, comptime W: type, into: []W, weight: Array) void {
        const outputs: usize, const inputs: usize = .{ self.out.channels, self.in.channels };
        std.debug.assert(into.len == outputs * inputs);
        for (0..outputs) |o| {
            for (0..inputs) |i| into[i * outputs + o] = weight.at(W, o * inputs + i);
        }
    }

    /// Operations per timestep if every input were non-zero.
    pub fn work(self: Linear) u64 {
        return @as(u64, self.in.channels) * self.out.channels;
    }

    /// Into `sums`, one for each output, from `x` of numbers E; `s` are the synapses of `self`.
    pub fn run(
        self: *const Linear,
        comptime E: type,
        s: anytype,
        _: *Scratch,
        x: *const Tensor,
        sums: []Child(@TypeOf(s)).Sum,
    ) void {
        const values = x.values(E)[0..self.in.channels];
        const list = x.list[0..x.count];
        if (s.spiking) return add(true, E, s, values, list, sums);
        add(false, E, s, values, list, sums);
    }
};

fn add(
    comptime spiking: bool,
    comptime E: type,
    s: anytype,
    x: []const E,
    list: []const u32,
    sums: []Child(@TypeOf(s)).Sum,
) void {
    const S = Child(@TypeOf(s));
    const A = S.Sum;
    const outputs = sums.len;
    @memcpy(sums, s.start);
    var i: usize = 0;
    while (i + 4 <= list.len) : (i += 4) {
        var rows: [4][*]const S.Weight = undefined;
        var values: [4]A = undefined;
        inline for (0..4) |j| {
            rows[j] = s.weights[list[i + j] * outputs ..].ptr;
            values[j] = if (spiking) 1 else simd.number(A, x[list[i + j]]);
        }
        simd.accumulateFour(A, S.Weight, spiking, sums, rows, values);
    }
    for (list[i..]) |index| {
        const value: A = if (spiking) 1 else simd.number(A, x[index]);
        simd.accumulate(A, S.Weight, spiking, sums, s.weights[index * outputs ..].ptr, value);
    }
}
