//! Vectors as wide as the processor that the file is compiled for, and the loops over them.

const std = @import("std");

pub fn lanes(comptime T: type) comptime_int {
    return std.simd.suggestVectorLength(T) orelse 4;
}

/// sum[i] += value·row[i]: two roundings, one of the product and one of the sum.
pub fn accumulate(comptime A: type, sum: []A, row: [*]const A, value: A) void {
    const width = comptime lanes(A);
    const V = @Vector(width, A);
    const factor: V = @splat(value);
    var i: usize = 0;
    while (i + width <= sum.len) : (i += width) {
        sum[i..][0..width].* = @as(V, sum[i..][0..width].*) + factor * @as(V, row[i..][0..width].*);
    }
    while (i < sum.len) : (i += 1) sum[i] += value * row[i];
}

/// As `accumulate`, of four rows at once, which spares three in four loads and stores of the sum.
pub fn accumulateFour(comptime A: type, sum: []A, rows: [4][*]const A, values: [4]A) void {
    const width = comptime lanes(A);
    const V = @Vector(width, A);
    var i: usize = 0;
    while (i + width <= sum.len) : (i += width) {
        var total: V = sum[i..][0..width].*;
        inline for (rows, values) |row, value| {
            total += @as(V, @splat(value)) * @as(V, row[i..][0..width].*);
        }
        sum[i..][0..width].* = total;
    }
    while (i < sum.len) : (i += 1) {
        inline for (rows, values) |row, value| sum[i] += value * row[i];
    }
}

/// Write the indices of what is not zero into `list`, ascending; their number.
pub fn nonzeros(values: []const f32, list: []u32) u32 {
    const width = comptime lanes(f32);
    std.debug.assert(list.len >= values.len);
    const zero: @Vector(width, f32) = @splat(0);
    var count: u32 = 0;
    var i: u32 = 0;
    while (i + width <= values.len) : (i += width) {
        const here: @Vector(width, f32) = values[i..][0..width].*;
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
    try std.testing.expectEqual(3, nonzeros(&values, &list));
    try std.testing.expectEqualSlices(u32, &.{ 0, 20, 36 }, list[0..3]);
}
