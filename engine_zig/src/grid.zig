//! The grid that a tensor is put on: whole multiples of 2^-fraction, `bits` bits with the sign.

const std = @import("std");
const limits = @import("limits.zig");
const simd = @import("simd.zig");
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;

pub const Rounding = enum { nearest, floor, ceil };

/// Integer X stands for X·unit, with X = rounded(x·scale) and -high ≤ X < high. All is formed in
/// float64, where both products are exact, and an X·unit of up to 25 bits is then a float32.
pub const Grid = struct {
    scale: f64,
    unit: f64,
    high: f64,
    rounding: Rounding,

    /// The grid `key` of a layer, null where the document says nil.
    pub fn read(record: *Record, key: []const u8) Refused!?Grid {
        const value = try record.take(key);
        if (value.nil()) return null;
        var buffer: [2 * limits.name_bytes + 16]u8 = undefined;
        const place = std.fmt.bufPrint(&buffer, "{s}: '{s}'", .{ record.place, key }) catch key;
        var inner = try Record.read(value, place, record.failure);
        const bits = try inner.signed("bits", 2, limits.grid_bits);
        const fraction =
            try inner.signed("fraction", limits.grid_fraction_min, limits.grid_fraction_max);
        const rounding = try inner.choice(Rounding, "rounding");
        try inner.finish();
        return .of(bits, fraction, rounding);
    }

    pub fn of(bits: i64, fraction: i64, rounding: Rounding) Grid {
        return .{
            .scale = std.math.ldexp(@as(f64, 1), @intCast(fraction)),
            .unit = std.math.ldexp(@as(f64, 1), @intCast(-fraction)),
            .high = std.math.ldexp(@as(f64, 1), @intCast(bits - 1)),
            .rounding = rounding,
        };
    }

    /// Whether the whole number `value`, 0 or more, is on it.
    pub fn holds(self: *const Grid, value: f64) bool {
        return self.scale >= 1 and value * self.scale < self.high;
    }

    pub fn apply(self: *const Grid, values: []f32) void {
        switch (self.rounding) {
            inline else => |rounding| {
                var i: usize = 0;
                inline for (.{ simd.lanes(f64), 1 }) |width| {
                    while (i + width <= values.len) : (i += width) {
                        const here: @Vector(width, f32) = values[i..][0..width].*;
                        values[i..][0..width].* = self.put(rounding, width, here);
                    }
                }
            },
        }
    }

    /// X·unit; a zero is +0.
    pub inline fn put(
        self: *const Grid,
        comptime rounding: Rounding,
        comptime width: u32,
        x: @Vector(width, f32),
    ) @Vector(width, f32) {
        std.debug.assert(self.scale * self.unit == 1);
        const unit: @Vector(width, f64) = @splat(self.unit);
        const zero: @Vector(width, f64) = @splat(0);
        return @floatCast(self.units(rounding, width, x) * unit + zero);
    }

    /// X
    pub inline fn units(
        self: *const Grid,
        comptime rounding: Rounding,
        comptime width: u32,
        x: @Vector(width, f32),
    ) @Vector(width, f64) {
        const V = @Vector(width, f64);
        const low: V = @splat(-self.high);
        const high: V = @splat(self.high - 1);
        const scaled = @as(V, @floatCast(x)) * @as(V, @splat(self.scale));
        const whole = switch (rounding) {
            .nearest => @floor(scaled + @as(V, @splat(0.5))),
            .floor => @floor(scaled),
            .ceil => @ceil(scaled),
        };
        // Written such that a NaN stays one, as in torch.
        const clipped = @select(f64, whole > high, high, whole);
        return @select(f64, clipped < low, low, clipped);
    }
};

test "values are put on the grid, half up, within its reach" {
    const grid: Grid = .{ .scale = 4, .unit = 0.25, .high = 8, .rounding = .nearest };
    var values = [_]f32{ 0.125, 0.1249, -0.125, 9, -9, 1.5, 0, -0.3, std.math.nan(f32) };
    grid.apply(&values);
    const right = [_]f32{ 0.25, 0, 0, 1.75, -2, 1.5, 0, -0.25 };
    try std.testing.expectEqualSlices(f32, &right, values[0..8]);
    try std.testing.expect(std.math.isNan(values[8]));
}
