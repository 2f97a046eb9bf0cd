//! What samples are shown: the numbers of a request, in document order and at any alignment, as
//! tensors of the network's input, channels last.

const std = @import("std");
const fixed = @import("fixed.zig");
const simd = @import("simd.zig");
const Grid = @import("grid.zig").Grid;
const Network = @import("network.zig").Network;
const Rounding = @import("grid.zig").Rounding;
const Shape = @import("tensor.zig").Shape;

/// The frames of all samples of one request, read by several threads.
pub const Frames = struct {
    /// One after the other, each number little-endian.
    bytes: []const u8,
    /// Whether they are float32, which the input's grid is yet to be applied to.
    raw: bool,
    /// Set where a number is none that the network may be shown.
    unfit: std.atomic.Value(bool) = .init(false),

    /// The frame of a sample's timestep `t`; zeros, if it is unfit.
    pub fn show(
        self: *Frames,
        comptime E: type,
        network: *const Network,
        sample: u64,
        t: u64,
        values: []E,
    ) void {
        const size = 4 * values.len;
        const start: usize = @intCast(sample * network.frameBytes() + t * size);
        if (place(E, network, self.raw, self.bytes[start..][0..size], values)) return;
        simd.fill(E, values, 0);
        self.unfit.store(true, .monotonic);
    }
};

/// Whether the network may be shown the frame, which then is in `values`.
fn place(
    comptime E: type,
    network: *const Network,
    raw: bool,
    bytes: []const u8,
    values: []E,
) bool {
    const shape = network.input;
    if (!raw and E != f32) {
        const whole: []align(1) const i32 = std.mem.bytesAsSlice(i32, bytes);
        if (!within(network.format.?, whole)) return false;
        arrange(E, i32, shape, whole, values, Same(E){});
        return true;
    }
    const numbers: []align(1) const f32 = std.mem.bytesAsSlice(f32, bytes);
    const grid = if (raw) network.grid else null;
    if (grid) |found| {
        if (found.holds(1) and binary(numbers)) {
            const worth: E = if (E == f32) 1 else @intFromFloat(found.scale);
            arrange(E, f32, shape, numbers, values, Spikes(E){ .worth = worth });
            return true;
        }
        if (E != f32 and !defined(numbers)) return false;
        switch (found.rounding) {
            inline else => |rounding| {
                const put: Put(E, rounding) = .{ .grid = found };
                arrange(E, f32, shape, numbers, values, put);
            },
        }
    } else if (E == f32) arrange(f32, f32, shape, numbers, values, Same(f32){}) else unreachable;
    return true;
}

fn Same(comptime E: type) type {
    return struct {
        inline fn of(_: @This(), comptime width: u32, x: anytype) @Vector(width, E) {
            return simd.numbers(E, width, x);
        }
    };
}

/// What is not 0 is worth the same.
fn Spikes(comptime E: type) type {
    return struct {
        worth: E,

        inline fn of(
            self: @This(),
            comptime width: u32,
            x: @Vector(width, f32),
        ) @Vector(width, E) {
            const none: @Vector(width, f32) = @splat(0);
            const zero: @Vector(width, E) = @splat(0);
            return @select(E, x == none, zero, @as(@Vector(width, E), @splat(self.worth)));
        }
    };
}

fn Put(comptime E: type, comptime rounding: Rounding) type {
    return struct {
        grid: Grid,

        inline fn of(
            self: @This(),
            comptime width: u32,
            x: @Vector(width, f32),
        ) @Vector(width, E) {
            if (E == f32) return self.grid.put(rounding, width, x);
            return @intFromFloat(self.grid.units(rounding, width, x));
        }
    };
}

/// What `each` makes of the numbers of a tensor, channels last instead of first.
fn arrange(
    comptime E: type,
    comptime Word: type,
    shape: Shape,
    x: []align(1) const Word,
    y: []E,
    each: anytype,
) void {
    std.debug.assert(x.len == y.len);
    // Of one channel, or at one position, both orders are the same.
    const alike = shape.channels == 1 or shape.positions() == 1;
    const channels: usize = if (alike) 1 else shape.channels;
    const positions = y.len / channels;
    var p: usize = 0;
    inline for (.{ simd.lanes(E), 1 }) |width| {
        while (p + width <= positions) : (p += width) switch (channels) {
            1 => simd.put(E, width, y[p..].ptr, each.of(width, load(width, x[p..]))),
            // Polarities, or two ears.
            2 => simd.put(E, 2 * width, y[2 * p ..].ptr, std.simd.interlace(.{
                each.of(width, load(width, x[p..])),
                each.of(width, load(width, x[positions + p ..])),
            })),
            else => for (0..channels) |c| {
                const row: [width]E = each.of(width, load(width, x[c * positions + p ..]));
                for (row, p..) |value, at| y[at * channels + c] = value;
            },
        };
    }
}

inline fn load(
    comptime width: u32,
    from: anytype,
) @Vector(width, std.meta.Child(@TypeOf(from))) {
    return from[0..width].*;
}

/// Whether all are 0 or 1.
fn binary(x: []align(1) const f32) bool {
    var i: usize = 0;
    inline for (.{ simd.lanes(f32), 1 }) |width| {
        const V = @Vector(width, f32);
        const Bits = @Int(.unsigned, width);
        while (i + width <= x.len) : (i += width) {
            const here = load(width, x[i..]);
            const zero: Bits = @bitCast(here == @as(V, @splat(0)));
            const one: Bits = @bitCast(here == @as(V, @splat(1)));
            if (~(zero | one) != 0) return false;
        }
    }
    return true;
}

/// Whether none is a NaN, for which no integer stands.
fn defined(x: []align(1) const f32) bool {
    var i: usize = 0;
    inline for (.{ simd.lanes(f32), 1 }) |width| {
        while (i + width <= x.len) : (i += width) {
            const here = load(width, x[i..]);
            const nan: @Int(.unsigned, width) = @bitCast(here != here);
            if (nan != 0) return false;
        }
    }
    return true;
}

/// Whether all are integers of `format`: all that is proved of sums rests on it.
fn within(format: fixed.Format, x: []align(1) const i32) bool {
    const high: i32 = @intCast(format.high() - 1);
    var i: usize = 0;
    inline for (.{ simd.lanes(i32), 1 }) |width| {
        const V = @Vector(width, i32);
        const Bits = @Int(.unsigned, width);
        while (i + width <= x.len) : (i += width) {
            const here = load(width, x[i..]);
            const over: Bits = @bitCast(here > @as(V, @splat(high)));
            const under: Bits = @bitCast(here < @as(V, @splat(-high - 1)));
            if (over | under != 0) return false;
        }
    }
    return true;
}

test "every order of channels" {
    for (1..6) |channels| {
        const shape: Shape = .{ .channels = @intCast(channels), .height = 3, .width = 7 };
        var x: [5 * 21]i32 = undefined;
        for (&x, 0..) |*value, i| value.* = @intCast(i);
        var y: [5 * 21]i64 = undefined;
        const count = shape.elements();
        arrange(i64, i32, shape, x[0..count], y[0..count], Same(i64){});
        for (y[0..count], 0..) |value, i| {
            try std.testing.expectEqual(shape.first(@intCast(i)), @as(u64, @intCast(value)));
        }
    }
}

test "one number among many is seen, wherever it stands" {
    for ([_]usize{ 0, 15, 16, 36 }) |at| {
        var x: [37]f32 = @splat(1);
        try std.testing.expect(binary(&x) and defined(&x));
        x[at] = -0.0;
        try std.testing.expect(binary(&x) and defined(&x));
        x[at] = -1;
        try std.testing.expect(!binary(&x) and defined(&x));
        x[at] = std.math.nan(f32);
        try std.testing.expect(!binary(&x) and !defined(&x));
        const format: fixed.Format = .{ .bits = 4, .fraction = 0, .rounding = .floor };
        for ([_]i32{ -9, -8, 7, 8 }, [_]bool{ false, true, true, false }) |n, right| {
            var whole: [37]i32 = @splat(-8);
            whole[at] = n;
            try std.testing.expectEqual(right, within(format, &whole));
        }
    }
}
