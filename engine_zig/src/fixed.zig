//! The fixed-point law, docs/fixed_point.md: an integer X with f fraction bits stands for X·2^-f.
//!
//! All is exact but the shift and the saturation with which a number is put into a format. What is
//! known of the integers before any is seen (`Range`) proves that none overflows, and which type
//! is wide enough for them; it is worked out when a network is loaded.

const std = @import("std");
const limits = @import("limits.zig");
const msgpack = @import("msgpack.zig");
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;
const Rounding = @import("grid.zig").Rounding;

/// Stands for every magnitude that is far too large.
const endless: u128 = 1 << 126;

/// peak·2^by, or too much.
pub fn raised(peak: u128, by: i64) u128 {
    std.debug.assert(by >= 0);
    if (peak == 0) return 0;
    return if (by >= @clz(peak)) endless else @min(endless, peak << @intCast(by));
}

/// 2^by. (std.math.ldexp makes more than 0 of a 0.)
pub fn power(by: i32) f64 {
    std.debug.assert(@abs(by) <= 1000);
    return @bitCast(@as(u64, @intCast(1023 + by)) << 52);
}

/// value = units·2^-fraction, with as few fraction bits as there can be.
pub const Dyadic = struct {
    units: i64,
    fraction: i32,

    /// A multiple of 2^-most below 2^53, null of any other number.
    pub fn of(value: f64, most: i32) ?Dyadic {
        if (!(@abs(value) < 1 << limits.sum_bits)) return null;
        if (!whole(value * power(most))) return null;
        var fraction: i32 = 0;
        while (!whole(value * power(fraction))) fraction += 1;
        return .{ .units = @trunc(value * power(fraction)), .fraction = fraction };
    }

    fn whole(value: f64) bool {
        return value == @floor(value);
    }
};

pub const Format = struct {
    bits: u6,
    fraction: i32,
    rounding: Rounding,

    /// The format `key` of a layer, null where the document says nil.
    pub fn read(record: *Record, key: []const u8) Refused!?Format {
        return of(try record.take(key), record, key);
    }

    fn of(value: msgpack.Value, record: *Record, key: []const u8) Refused!?Format {
        if (value.nil()) return null;
        var buffer: [2 * limits.name_bytes + 16]u8 = undefined;
        const place = std.fmt.bufPrint(&buffer, "{s}: '{s}'", .{ record.place, key }) catch key;
        var inner = try Record.read(value, place, record.failure);
        const self: Format = .{
            .bits = @intCast(try inner.signed("bits", 2, limits.format_bits)),
            .fraction = @intCast(try inner.signed("fraction", -limits.shift, limits.shift)),
            .rounding = try inner.choice(Rounding, "rounding"),
        };
        try inner.finish();
        return self;
    }

    /// The formats of a layer's inputs: null throughout where there are none.
    pub fn list(record: *Record, into: []?Format) Refused!void {
        const key = "input_formats";
        var items = (try record.take(key)).array() orelse
            return record.refuse(.invalid, key, "is not a list");
        @memset(into, null);
        if (items.count == 0) return;
        if (items.count != into.len) return record.failure.refuse(
            .invalid,
            "{s}: {d} inputs, {d} input formats",
            .{ record.place, into.len, items.count },
        );
        for (into) |*format| {
            const value = items.next() orelse return record.refuse(.malformed, key, "is broken");
            format.* = try of(value, record, key);
        }
    }

    /// The first magnitude that is out of reach.
    pub fn high(self: Format) i64 {
        return @as(i64, 1) << (self.bits - 1);
    }
};

pub const Way = enum { none, left, right };

/// How S_b(R(a, s)) is formed. All three roundings are one: a constant is added, then shifted.
pub const Put = struct {
    left: u6 = 0,
    right: u6 = 0,
    offset: i64 = 0,
    low: i64,
    high: i64,

    /// From `by` more fraction bits than `format` has.
    pub fn into(format: Format, by: i64) Put {
        std.debug.assert(@abs(by) <= limits.shift);
        var self: Put = .{ .low = -format.high(), .high = format.high() - 1 };
        // Beyond 31 bits to the left all but 0 saturates: that is what 31 do to what is clamped.
        if (by < 0) self.left = @intCast(@min(-by, 31));
        if (by <= 0) return self;
        self.right = @intCast(by);
        self.offset = switch (format.rounding) {
            .floor => 0,
            .nearest => @as(i64, 1) << (self.right - 1),
            .ceil => (@as(i64, 1) << self.right) - 1,
        };
        return self;
    }

    /// The largest magnitude on the way, of numbers up to `peak`.
    pub fn reach(self: Put, peak: u64) u64 {
        if (self.left > 0) return @min(peak, @abs(self.low)) << self.left;
        return @max(peak, @abs(self.low)) + @abs(self.offset);
    }

    /// Whether every number on the way is a T, of numbers up to `peak`.
    pub fn fits(self: Put, comptime T: type, peak: u64) bool {
        return self.right < @bitSizeOf(T) and @max(peak, self.reach(peak)) <= std.math.maxInt(T);
    }

    pub fn one(self: Put, a: i64) i64 {
        const all = if (self.left > 0)
            self.apply(.left, i64, 1, .{a})
        else
            self.apply(.right, i64, 1, .{a});
        return all[0];
    }

    pub inline fn apply(
        self: Put,
        comptime way: Way,
        comptime T: type,
        comptime width: u32,
        a: @Vector(width, T),
    ) @Vector(width, T) {
        const V = @Vector(width, T);
        const Shift = @Vector(width, std.math.Log2Int(T));
        const low: V = @splat(@intCast(self.low));
        const high: V = @splat(@intCast(self.high));
        const moved = switch (way) {
            .none => comptime unreachable,
            .left => @min(@max(a, low), high) << @as(Shift, @splat(@intCast(self.left))),
            .right => (a + @as(V, @splat(@intCast(self.offset)))) >>
                @as(Shift, @splat(@intCast(self.right))),
        };
        return @min(@max(moved, low), high);
    }
};

/// What is known of all integers of a tensor.
pub const Range = struct {
    /// No magnitude is larger,
    peak: u64,
    fraction: i32,
    /// and none is beyond as many bits, the sign included.
    bits: u6 = 63,
    /// Unless this is 0, every one is either 0 or this.
    spike: i64 = 0,

    /// Whether an i32 holds them.
    pub fn narrow(self: Range) bool {
        return self.bits <= 32 or self.peak < 1 << 31;
    }

    /// What max(X, 0) makes of them.
    pub fn positive(self: Range) Range {
        var made = self;
        if (self.spike < 0) made.spike = 0;
        return made;
    }

    /// How they are put into `format`; null where that changes none of them.
    pub fn put(self: Range, format: ?Format, record: *Record) Refused!?Put {
        const to = format orelse return null;
        const by = @as(i64, self.fraction) - to.fraction;
        if (@abs(by) > limits.shift) return record.failure.refuse(
            .limit,
            "{s}: from {d} to {d} fraction bits is further than {d} bits",
            .{ record.place, self.fraction, to.fraction, limits.shift },
        );
        if (by == 0 and (self.bits <= to.bits or self.peak < to.high())) return null;
        return .into(to, by);
    }

    /// What they are afterwards.
    pub fn after(self: Range, format: ?Format, how: ?Put) Range {
        const put_ = how orelse return self;
        const to = format.?;
        const rounded = raised(self.peak, put_.left) + ((@as(u64, 1) << put_.right) - 1);
        return .{
            .peak = @intCast(@min(rounded >> put_.right, @as(u128, @intCast(to.high())))),
            .fraction = to.fraction,
            .bits = to.bits,
            .spike = if (self.spike == 0) 0 else put_.one(self.spike),
        };
    }
};

/// Sums up to `peak` are exact everywhere only below 53 bits.
pub fn bounded(record: *Record, peak: u128, fraction: i32) Refused!void {
    if (peak >= 1 << limits.sum_bits) return record.failure.refuse(
        .limit,
        "{s}: sums reach {d} units of 2^-{d}, more than the {d} bits in which they are exact",
        .{ record.place, peak, fraction, limits.sum_bits },
    );
}

test "every rounding, of both signs, and saturation" {
    const rounded = [_]struct { Rounding, [6]i64 }{
        .{ .nearest, .{ -8, -1, 0, 0, 1, 7 } },
        .{ .floor, .{ -8, -2, -1, 0, 0, 7 } },
        .{ .ceil, .{ -8, -1, 0, 1, 1, 7 } },
    };
    for (rounded) |row| {
        const put: Put = .into(.{ .bits = 4, .fraction = 0, .rounding = row[0] }, 2);
        for ([_]i64{ -99, -6, -2, 1, 2, 99 }, row[1]) |a, right| {
            try std.testing.expectEqual(right, put.one(a));
        }
        const left: Put = .into(.{ .bits = 32, .fraction = 60, .rounding = row[0] }, -60);
        try std.testing.expectEqual(std.math.minInt(i32), left.one(-1));
        try std.testing.expectEqual(0, left.one(0));
        try std.testing.expectEqual(std.math.maxInt(i32), left.one(1 << 52));
    }
}

test "numbers that are dyadic, and such as are not" {
    try std.testing.expectEqual(Dyadic{ .units = -3, .fraction = 3 }, Dyadic.of(-0.375, 3).?);
    try std.testing.expectEqual(Dyadic{ .units = 0, .fraction = 0 }, Dyadic.of(-0.0, 60).?);
    try std.testing.expectEqual(Dyadic{ .units = 96, .fraction = 0 }, Dyadic.of(96, -5).?);
    for ([_]f64{ 0.375, 1 << 53, std.math.inf(f64), std.math.nan(f64) }) |value| {
        try std.testing.expectEqual(null, Dyadic.of(value, 2));
    }
}

test "magnitudes that do not fit are far too large, not small" {
    try std.testing.expectEqual(0, raised(0, 1 << 40));
    try std.testing.expectEqual(24, raised(3, 3));
    try std.testing.expect(raised(1, 128) >= 1 << 100);
    try std.testing.expect(raised(1 << 100, 27) >= 1 << 100);
}
