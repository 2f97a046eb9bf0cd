//! Vectors as wide as the processor that the file is compiled for, and the loops over them.

const std = @import("std");

pub fn lanes(comptime T: type) comptime_int {
    return std.simd.suggestVectorLength(T) orelse 4;
}

/// A number of another type; an integer must fit into it.
pub inline fn number(comptime A: type, value: anytype) A {
    return if (@typeInfo(A) == .float) @floatCast(value) else @intCast(value);
}

/// As `number`, lane by lane.
pub inline fn numbers(comptime A: type, comptime width: u32, from: anytype) @Vector(width, A) {
    return if (@typeInfo(A) == .float) @floatCast(from) else @intCast(from);
}

/// to[i] = value
pub fn fill(comptime T: type, to: []T, value: T) void {
    const width = comptime lanes(T);
    var i: usize = 0;
    inline for (.{ width, 1 }) |step| {
        while (i + step <= to.len) : (i += step) to[i..][0..step].* = @splat(value);
    }
}

/// to[i] = from[i] as another type, in which it must fit.
pub fn convert(comptime T: type, comptime F: type, to: []T, from: []const F) void {
    std.debug.assert(to.len == from.len);
    var i: usize = 0;
    inline for (.{ lanes(F), 1 }) |width| {
        while (i + width <= to.len) : (i += width) {
            to[i..][0..width].* = numbers(T, width, @as(@Vector(width, F), from[i..][0..width].*));
        }
    }
}

/// sum[i] += from[i], of integers shifted to the left before.
pub fn add(comptime A: type, comptime F: type, sum: []A, from: []const F, by: u6) void {
    std.debug.assert(sum.len == from.len);
    var i: usize = 0;
    inline for (.{ lanes(A), 1 }) |width| {
        const V = @Vector(width, A);
        while (i + width <= sum.len) : (i += width) {
            var here: V = numbers(A, width, @as(@Vector(width, F), from[i..][0..width].*));
            if (@typeInfo(A) == .int) {
                here <<= @as(@Vector(width, std.math.Log2Int(A)), @splat(@intCast(by)));
            }
            sum[i..][0..width].* = @as(V, sum[i..][0..width].*) + here;
        }
    }
}

/// sum[i] += value·row[i]: of floats two roundings, one of the product and one of the sum. With
/// `ones`, value is 1, and nothing is multiplied.
pub fn accumulate(
    comptime A: type,
    comptime W: type,
    comptime ones: bool,
    sum: []A,
    row: [*]const W,
    value: A,
) void {
    const width = comptime lanes(A);
    const V = @Vector(width, A);
    const factor: V = @splat(value);
    var i: usize = 0;
    while (i + width <= sum.len) : (i += width) {
        const weights: V = @as(@Vector(width, W), row[i..][0..width].*);
        const added = if (ones) weights else factor * weights;
        sum[i..][0..width].* = @as(V, sum[i..][0..width].*) + added;
    }
    while (i < sum.len) : (i += 1) sum[i] += if (ones) row[i] else value * row[i];
}

/// As `accumulate`, of four rows at once, which spares three in four loads and stores of the sum.
pub fn accumulateFour(
    comptime A: type,
    comptime W: type,
    comptime ones: bool,
    sum: []A,
    rows: [4][*]const W,
    values: [4]A,
) void {
    const width = comptime lanes(A);
    const V = @Vector(width, A);
    var i: usize = 0;
    while (i + width <= sum.len) : (i += width) {
        var total: V = sum[i..][0..width].*;
        inline for (rows, values) |row, value| {
            const weights: V = @as(@Vector(width, W), row[i..][0..width].*);
            total += if (ones) weights else @as(V, @splat(value)) * weights;
        }
        sum[i..][0..width].* = total;
    }
    while (i < sum.len) : (i += 1) {
        inline for (rows, values) |row, value| sum[i] += if (ones) row[i] else value * row[i];
    }
}

/// Write the indices of what is not zero into `list`, ascending; their number.
pub fn nonzeros(comptime E: type, values: []const E, list: []u32) u32 {
    const width = comptime lanes(E);
    std.debug.assert(list.len >= values.len);
    const zero: @Vector(width, E) = @splat(0);
    var count: u32 = 0;
    var i: u32 = 0;
    while (i + width <= values.len) : (i += width) {
        const here: @Vector(width, E) = values[i..][0..width].*;
        count = append(width, here != zero, i, list, count);
    }
    while (i < values.len) : (i += 1) {
        list[count] = i;
        count += @intFromBool(values[i] != 0);
    }
    return count;
}

/// Append `base` + lane for every true lane; the new number. `list` has room for all lanes.
pub inline fn append(
    comptime width: comptime_int,
    mask: @Vector(width, bool),
    base: u32,
    list: []u32,
    count: u32,
) u32 {
    const Bits = @Int(.unsigned, width);
    var bits: Bits = @bitCast(mask);
    var next = count;
    while (bits != 0) : (bits &= bits - 1) {
        list[next] = base + @ctz(bits);
        next += 1;
    }
    return next;
}

test "non-zeros, a NaN among them" {
    var values: [37]f32 = @splat(0);
    values[0] = 1;
    values[17] = -0.0;
    values[20] = std.math.nan(f32);
    values[36] = -2;
    var list: [37]u32 = undefined;
    try std.testing.expectEqual(3, nonzeros(f32, &values, &list));
    try std.testing.expectEqualSlices(u32, &.{ 0, 20, 36 }, list[0..3]);
}
