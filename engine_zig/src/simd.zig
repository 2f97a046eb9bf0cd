//! Vectors as wide as the processor that the file is compiled for, and the loops over them.

const std = @import("std");
const builtin = @import("builtin");
const cpu = builtin.cpu;

pub fn lanes(comptime T: type) comptime_int {
    // The suggestion would be half of it, out of fear for the clock of the first such processors.
    if (wide) return 64 / @sizeOf(T);
    return std.simd.suggestVectorLength(T) orelse 4;
}

const wide = cpu.arch == .x86_64 and cpu.has(.x86, .avx512f);

/// Vector registers, beyond which sums are spilled.
pub const registers = if (cpu.arch.isAARCH64() or wide) 32 else 16;

/// Whether one instruction multiplies floats and adds.
const fused = cpu.arch.isAARCH64() or (cpu.arch == .x86_64 and cpu.has(.x86, .fma));

/// sum + value·weights. Of floats only where that rounds nothing away: then it is all the same
/// whether a processor has one instruction for it or two. What weights of 8 bits are multiplied by
/// fits into 9 (see synapses.zig), and the product into 16, for which any processor has one.
pub inline fn weigh(
    comptime A: type,
    comptime W: type,
    comptime width: u32,
    sum: @Vector(width, A),
    value: A,
    weights: @Vector(width, W),
) @Vector(width, A) {
    const V = @Vector(width, A);
    if (W == i8 and A == i32) {
        const short: @Vector(width, i16) = weights;
        return sum + @as(V, short * @as(@Vector(width, i16), @splat(@intCast(value))));
    }
    const factor: V = @splat(value);
    if (fused and @typeInfo(A) == .float) return @mulAdd(V, factor, weights, sum);
    return sum + factor * weights;
}

/// A number of another type; an integer must fit into it.
pub inline fn number(comptime A: type, value: anytype) A {
    return if (@typeInfo(A) == .float) @floatCast(value) else @intCast(value);
}

/// As `number`, lane by lane.
pub inline fn numbers(comptime A: type, comptime width: u32, from: anytype) @Vector(width, A) {
    return if (@typeInfo(A) == .float) @floatCast(from) else @intCast(from);
}

/// to[0..width] = from, in one store: of an array, LLVM would make several. (Zig's own backend,
/// which compiles what is to be debugged, stores something else through such a pointer.)
pub inline fn put(comptime T: type, comptime width: u32, to: [*]T, from: @Vector(width, T)) void {
    if (builtin.zig_backend != .stage2_llvm) {
        to[0..width].* = from;
        return;
    }
    @as(*align(@alignOf(T)) @Vector(width, T), @ptrCast(to)).* = from;
}

/// to[i] = value
pub fn fill(comptime T: type, to: []T, value: T) void {
    var i: usize = 0;
    inline for (.{ lanes(T), 1 }) |width| {
        while (i + width <= to.len) : (i += width) {
            put(T, width, to[i..].ptr, @splat(value));
            stay();
        }
    }
}

/// to[i] = from[i % from.len]
pub fn repeat(comptime T: type, to: []T, from: []const T) void {
    std.debug.assert(to.len % from.len == 0);
    // Of few, so many that they are whole vectors are put into a row first.
    const width = lanes(T);
    const whole = from.len * (width / std.math.gcd(from.len, width));
    var row: [16 * width]T align(64) = undefined;
    if (from.len % width == 0 or whole > row.len or to.len < 2 * whole)
        return copies(T, to, from);
    copies(T, row[0..whole], from);
    const most = to.len - to.len % whole;
    copies(T, to[0..most], row[0..whole]);
    copies(T, to[most..], from);
}

fn copies(comptime T: type, to: []T, from: []const T) void {
    var start: usize = 0;
    while (start < to.len) : (start += from.len) {
        var i: usize = 0;
        inline for (comptime halves(lanes(T))) |width| {
            while (i + width <= from.len) : (i += width) {
                put(T, width, to[start + i ..].ptr, from[i..][0..width].*);
                stay();
            }
        }
    }
}

/// Keeps a loop from being made a call of memset or memcpy, which are compiled for the baseline.
inline fn stay() void {
    asm volatile ("" ::: .{ .memory = true });
}

/// to[i] = from[i] as another type, in which it must fit.
pub fn convert(comptime T: type, comptime F: type, to: []T, from: []const F) void {
    std.debug.assert(to.len == from.len);
    var i: usize = 0;
    inline for (.{ lanes(F), 1 }) |width| {
        while (i + width <= to.len) : (i += width) {
            const here: @Vector(width, F) = from[i..][0..width].*;
            put(T, width, to[i..].ptr, numbers(T, width, here));
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
            put(A, width, sum[i..].ptr, @as(V, sum[i..][0..width].*) + here);
        }
    }
}

/// sum[i] += value·row[i]. With `ones`, value is 1, and nothing is multiplied. How many whole
/// `vectors` these are may be known.
pub inline fn accumulate(
    comptime A: type,
    comptime W: type,
    comptime ones: bool,
    comptime vectors: ?u32,
    sum: []A,
    row: [*]const W,
    value: A,
) void {
    var i: usize = 0;
    if (vectors) |count| {
        inline for (0..count) |n|
            grow(A, W, ones, lanes(A), sum[n * lanes(A) ..].ptr, row + n * lanes(A), value);
        i = count * lanes(A);
    }
    inline for (comptime halves(lanes(A))) |width| {
        if (vectors == null or width < lanes(A)) {
            while (i + width <= sum.len) : (i += width)
                grow(A, W, ones, width, sum[i..].ptr, row + i, value);
        }
    }
}

/// As `accumulate`, of one vector.
inline fn grow(
    comptime A: type,
    comptime W: type,
    comptime ones: bool,
    comptime width: u32,
    sum: [*]A,
    row: [*]const W,
    value: A,
) void {
    const weights: @Vector(width, W) = row[0..width].*;
    const here: @Vector(width, A) = sum[0..width].*;
    put(A, width, sum, if (ones) here + weights else weigh(A, W, width, here, value, weights));
}

/// width, width/2, … 1
pub fn halves(comptime width: comptime_int) [std.math.log2_int(u32, width) + 1]comptime_int {
    comptime var all: [std.math.log2_int(u32, width) + 1]comptime_int = undefined;
    inline for (&all, 0..) |*one, i| one.* = width >> i;
    return all;
}

/// The first `count` lanes in memory, the others 0.
pub inline fn load(
    comptime T: type,
    comptime width: u32,
    from: [*]const T,
    count: u32,
) @Vector(width, T) {
    if (count == width) return from[0..width].*;
    var all: [width]T = @splat(0);
    for (0..count) |i| all[i] = from[i];
    return all;
}

/// Store the first `count` lanes.
pub inline fn store(
    comptime T: type,
    comptime width: u32,
    to: [*]T,
    from: @Vector(width, T),
    count: u32,
) void {
    if (count == width) return put(T, width, to, from);
    const all: [width]T = from;
    for (0..count) |i| to[i] = all[i];
}

/// What `list` must have room for beyond the indices that are written: whole vectors are.
pub const slack = 8;

/// What is known of a list of non-zeros: how many there are, and whether all of them are 1.
pub const Found = struct { count: u32, ones: bool };

/// Write the indices of what is not zero into `list`, ascending; about how many to expect may be
/// known.
pub fn nonzeros(comptime E: type, values: []const E, list: []u32, expected: u32) Found {
    std.debug.assert(list.len >= values.len + slack);
    const often = expected >= values.len / scarce;
    return if (often) find(E, true, values, list) else find(E, false, values, list);
}

/// One of so many is so few that vectors without any are skipped.
pub const scarce = 96;

fn find(comptime E: type, comptime often: bool, values: []const E, list: []u32) Found {
    var count: u32 = 0;
    var i: u32 = 0;
    inline for (.{ lanes(E), 1 }) |width| {
        const zero: @Vector(width, E) = @splat(0);
        while (i + width <= values.len) : (i += width) {
            const here: @Vector(width, E) = values[i..][0..width].*;
            count = append(width, often, here != zero, i, list, count);
        }
    }
    for (list[0..count]) |index| {
        if (values[index] != 1) return .{ .count = count, .ones = false };
    }
    return .{ .count = count, .ones = true };
}

/// Where in an ascending list the first number stands that is not below `least`.
pub fn lower(list: []const u32, least: u32) usize {
    var from: usize = 0;
    var left = list.len;
    while (left > 0) {
        const half = left / 2;
        const below = list[from + half] < least;
        from = if (below) from + half + 1 else from;
        left = if (below) left - half - 1 else half;
    }
    return from;
}

/// Append `base` + lane for every true lane; the new number. `list` has `slack` beyond all lanes.
/// `often` says that a mask without any is nothing usual: asking for it is then a branch that
/// cannot be foretold either.
pub inline fn append(
    comptime width: comptime_int,
    comptime often: bool,
    mask: @Vector(width, bool),
    base: u32,
    list: []u32,
    count: u32,
) u32 {
    const Bits = @Int(.unsigned, width);
    const bits: Bits = @bitCast(mask);
    if (!often and bits == 0) return count;
    if (width == 1) {
        list[count] = base;
        return count + bits;
    }
    var next = count;
    // Eight lanes at a time without a branch: how many are true cannot be foretold.
    const share = comptime @min(width, 8);
    inline for (0..width / share) |part| {
        const byte: u8 = @as(@Int(.unsigned, share), @truncate(bits >> part * share));
        const start = base + comptime @as(u32, part * share);
        const found: @Vector(8, u32) = @as(@Vector(8, u8), places[byte]);
        list[next..][0..8].* = found + @as(@Vector(8, u32), @splat(start));
        next += @popCount(byte);
    }
    return next;
}

/// For every byte, the places of its bits that are set, ascending, then zeros.
const places: [256][8]u8 align(64) = table: {
    @setEvalBranchQuota(8192);
    var all: [256][8]u8 = @splat(@splat(0));
    for (&all, 0..) |*row, byte| {
        var count: usize = 0;
        for (0..8) |place| {
            if (byte >> place & 1 == 0) continue;
            row[count] = place;
            count += 1;
        }
    }
    break :table all;
};

test "non-zeros, a NaN among them" {
    var values: [37]f32 = @splat(0);
    values[0] = 1;
    values[17] = -0.0;
    values[20] = std.math.nan(f32);
    values[36] = -2;
    var list: [37 + slack]u32 = undefined;
    const three: Found = .{ .count = 3, .ones = false };
    try std.testing.expectEqual(three, nonzeros(f32, &values, &list, 0));
    try std.testing.expectEqual(three, nonzeros(f32, &values, &list, 37));
    try std.testing.expectEqualSlices(u32, &.{ 0, 20, 36 }, list[0..3]);
}
