//! Layers that look at one element, one channel or one position at a time.

const std = @import("std");
const fixed = @import("fixed.zig");
const simd = @import("simd.zig");
const synapses = @import("synapses.zig");
const Accumulator = synapses.Accumulator;
const Array = @import("array.zig").Array;
const Error = @import("failure.zig").Error;
const Range = fixed.Range;
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;
const Scratch = @import("scratch.zig").Scratch;
const Shape = @import("tensor.zig").Shape;
const Sums = @import("finish.zig").Sums;

/// y = scale·x + shift per channel: of floats a product and a sum, each rounded. Of integers the
/// product alone, the shift being what comes after it.
pub const BatchNorm = union(enum) {
    float: struct { scale: []f32, shift: []f32 },
    whole: struct { scale: []i64, sums: Sums },

    /// `x` is known of a quantised input.
    pub fn read(
        record: *Record,
        in: Shape,
        x: ?Range,
        arena: std.mem.Allocator,
    ) Error!BatchNorm {
        const kind: Array.Kind = if (x == null) .float else .whole;
        const scale = try present(record, "scale", in.channels, kind);
        const shift = try present(record, "shift", in.channels, kind);
        const given = x orelse return .{ .float = .{
            .scale = try copy(f32, scale, arena),
            .shift = try copy(f32, shift, arena),
        } };
        // That it may be of spikes is of no use here.
        const all: Range = .{ .peak = given.peak, .fraction = given.fraction };
        const sums, _ = try synapses.weigh(record, scale, "scale", shift, "shift", all, arena);
        _ = try Accumulator.of(record, sums.range.peak);
        return .{ .whole = .{ .scale = try copy(i64, scale, arena), .sums = sums } };
    }

    fn present(record: *Record, key: []const u8, count: u32, kind: Array.Kind) Refused!Array {
        return try Array.vector(record, key, count, kind) orelse
            record.refuse(.invalid, key, "is missing");
    }

    fn copy(comptime T: type, array: Array, arena: std.mem.Allocator) ![]T {
        const into = try arena.alloc(T, array.count());
        for (into, 0..) |*to, i| to.* = array.at(T, i);
        return into;
    }

    pub fn run(self: *const BatchNorm, comptime E: type, x: []const E, y: anytype) void {
        if (E == f32) {
            const scale, const shift = .{ self.float.scale, self.float.shift };
            var start: usize = 0;
            while (start < x.len) : (start += scale.len) {
                const from = x[start..][0..scale.len];
                for (y[start..][0..scale.len], from, scale, shift) |*to, v, factor, added| {
                    const product = factor * v;
                    to.* = product + added;
                }
            }
        } else {
            const scale = self.whole.scale;
            var start: usize = 0;
            while (start < x.len) : (start += scale.len) {
                const from = x[start..][0..scale.len];
                for (y[start..][0..scale.len], from, scale) |*to, v, factor| to.* = factor * v;
            }
        }
    }
};

/// The sum over all positions of each channel, in their order.
pub const GlobalSum = struct {
    accumulator: Accumulator,
    sums: ?Sums = null,

    pub fn read(record: *Record, in: Shape, x: ?Range) Refused!GlobalSum {
        const given = x orelse return .{ .accumulator = try .read(record, .float) };
        const peak = @as(u128, given.peak) * in.positions();
        try fixed.bounded(record, peak, given.fraction);
        return .{
            .accumulator = try .of(record, peak),
            .sums = .{ .range = .{ .peak = @intCast(peak), .fraction = given.fraction } },
        };
    }

    pub fn run(comptime E: type, x: []const E, sums: anytype) void {
        std.debug.assert(x.len % sums.len == 0);
        @memset(sums, 0);
        const A = std.meta.Child(@TypeOf(sums));
        var start: usize = 0;
        while (start < x.len) : (start += sums.len) {
            simd.add(A, E, sums, x[start..][0..sums.len], 0);
        }
    }
};

/// The sum of its inputs, in the order of the edges; integers are brought to one fraction first.
pub const Add = struct {
    accumulator: Accumulator = .float32,
    /// Per input, how far it is shifted to the left.
    shifts: []u6 = &.{},
    sums: ?Sums = null,

    /// `ranges`, of quantised inputs: none of floats.
    pub fn read(record: *Record, ranges: []const Range, arena: std.mem.Allocator) Error!Add {
        if (ranges.len == 0) return .{};
        var fraction = ranges[0].fraction;
        for (ranges) |range| fraction = @max(fraction, range.fraction);
        var peak: u128 = 0;
        for (ranges) |range| peak +|= fixed.raised(range.peak, fraction - range.fraction);
        try fixed.bounded(record, peak, fraction);
        const shifts = try arena.alloc(u6, ranges.len);
        for (shifts, ranges) |*by, range|
            by.* = if (range.peak == 0) 0 else @intCast(fraction - range.fraction);
        return .{
            .accumulator = if (peak < 1 << 31) .int32 else .int64,
            .shifts = shifts,
            .sums = .{ .range = .{ .peak = @intCast(peak), .fraction = fraction } },
        };
    }

    pub fn run(
        self: *const Add,
        comptime E: type,
        scratch: *const Scratch,
        sources: []const u32,
        t: usize,
        y: anytype,
    ) void {
        const A = std.meta.Child(@TypeOf(y));
        for (sources, 0..) |source, i| {
            const x = scratch.tensors[source].at(t).values(E)[0..y.len];
            const by = if (self.shifts.len > 0) self.shifts[i] else 0;
            if (i == 0 and by == 0) {
                simd.convert(A, E, y, x);
                continue;
            }
            if (i == 0) simd.fill(A, y, 0);
            simd.add(A, E, y, x, by);
        }
    }
};

/// y = max(x, 0); a NaN stays one.
pub fn relu(comptime E: type, x: []const E, y: []E) void {
    var i: usize = 0;
    inline for (.{ simd.lanes(E), 1 }) |width| {
        const zero: @Vector(width, E) = @splat(0);
        while (i + width <= x.len) : (i += width) {
            const here: @Vector(width, E) = x[i..][0..width].*;
            y[i..][0..width].* = @select(E, here < zero, zero, here);
        }
    }
}

/// From memory order to document order, which is what Flatten means.
pub fn flatten(comptime E: type, shape: Shape, x: []const E, y: []E) void {
    const channels = shape.channels;
    const positions = shape.positions();
    for (0..positions) |p| {
        for (x[p * channels ..][0..channels], 0..) |value, c| y[c * positions + p] = value;
    }
}
