//! A msgpack map of known keys: fields are taken one by one, with a text that says where and what
//! if one is missing, of another type or out of range; what is left over at the end is unknown.

const std = @import("std");
const limits = @import("limits.zig");
const msgpack = @import("msgpack.zig");
const Failure = @import("failure.zig").Failure;
const Refused = @import("failure.zig").Refused;
const Code = @import("failure.zig").Code;

pub const Record = struct {
    /// Where it stands, for error texts, such as "layer 'conv1'".
    place: []const u8,
    failure: *Failure,
    keys: [limits.fields][]const u8 = undefined,
    values: [limits.fields]msgpack.Value = undefined,
    taken: [limits.fields]bool = @splat(false),
    count: u32 = 0,

    pub fn read(value: msgpack.Value, place: []const u8, failure: *Failure) Refused!Record {
        var self: Record = .{ .place = place, .failure = failure };
        var items = value.map() orelse
            return failure.refuse(.malformed, "{s}: expected a map", .{place});
        if (items.count > 2 * limits.fields)
            return failure.refuse(.malformed, "{s}: more than {d} keys", .{ place, limits.fields });
        while (items.count > 0) : (self.count += 1) {
            const key = items.next() orelse return self.broken();
            self.keys[self.count] = key.text() orelse
                return failure.refuse(.malformed, "{s}: a key is not a text", .{place});
            if (self.find(self.keys[self.count]) != null)
                return self.refuse(.malformed, self.keys[self.count], "stands there twice");
            self.values[self.count] = items.next() orelse return self.broken();
        }
        return self;
    }

    fn broken(self: *Record) Refused {
        return self.failure.refuse(.malformed, "{s}: a broken map", .{self.place});
    }

    fn find(self: *const Record, key: []const u8) ?usize {
        for (self.keys[0..self.count], 0..) |known, i| {
            if (std.mem.eql(u8, known, key)) return i;
        }
        return null;
    }

    /// The value of `key`, null if it is not there.
    pub fn optional(self: *Record, key: []const u8) ?msgpack.Value {
        const i = self.find(key) orelse return null;
        self.taken[i] = true;
        return self.values[i];
    }

    /// Whether `key` is there and says something; it stays to be taken.
    pub fn states(self: *const Record, key: []const u8) bool {
        return if (self.find(key)) |i| !self.values[i].nil() else false;
    }

    /// Whether `key` is there and has been taken.
    pub fn has(self: *const Record, key: []const u8) bool {
        return if (self.find(key)) |i| self.taken[i] else false;
    }

    pub fn take(self: *Record, key: []const u8) Refused!msgpack.Value {
        return self.optional(key) orelse self.refuse(.invalid, key, "is missing");
    }

    pub fn refuse(self: *Record, code: Code, key: []const u8, what: []const u8) Refused {
        const short = key[0..@min(key.len, limits.name_bytes)];
        return self.failure.refuse(code, "{s}: '{s}' {s}", .{ self.place, short, what });
    }

    pub fn text(self: *Record, key: []const u8) Refused![]const u8 {
        const value = try self.take(key);
        return value.text() orelse self.refuse(.invalid, key, "is not a text");
    }

    /// What a missing one stands for is `absent`; null: it must be there.
    pub fn boolean(self: *Record, key: []const u8, absent: ?bool) Refused!bool {
        const value = self.optional(key) orelse
            return absent orelse self.refuse(.invalid, key, "is missing");
        return value.boolean() orelse self.refuse(.invalid, key, "is not a boolean");
    }

    /// One of the names of an enum.
    pub fn choice(self: *Record, comptime T: type, key: []const u8) Refused!T {
        const name = try self.text(key);
        return std.meta.stringToEnum(T, name) orelse self.failure.refuse(
            .unsupported,
            "{s}: '{s}' is '{s}'; known: {s}",
            .{ self.place, key, name[0..@min(name.len, limits.name_bytes)], comptime names(T) },
        );
    }

    pub fn integer(self: *Record, key: []const u8, low: u64, high: u64) Refused!u64 {
        const value = try self.take(key);
        const n = value.unsigned() orelse
            return self.refuse(.invalid, key, "is not a whole number of 0 or more");
        if (n < low or n > high) return self.failure.refuse(
            if (n < low) .invalid else .limit,
            "{s}: '{s}' is {d}, not within {d} … {d}",
            .{ self.place, key, n, low, high },
        );
        return n;
    }

    pub fn signed(self: *Record, key: []const u8, low: i64, high: i64) Refused!i64 {
        const value = try self.take(key);
        const n = value.signed() orelse return self.refuse(.invalid, key, "is not a whole number");
        if (n < low or n > high) return self.failure.refuse(
            .unsupported,
            "{s}: '{s}' is {d}, not within {d} … {d}",
            .{ self.place, key, n, low, high },
        );
        return n;
    }

    /// A finite number, rounded to float32.
    pub fn float(self: *Record, key: []const u8) Refused!f32 {
        const value = try self.take(key);
        const wide = value.number() orelse return self.refuse(.invalid, key, "is not a number");
        const narrow: f32 = @floatCast(wide);
        if (!std.math.isFinite(narrow))
            return self.refuse(.invalid, key, "is not a finite float32");
        return narrow;
    }

    /// A finite number, as it is.
    pub fn exact(self: *Record, key: []const u8) Refused!f64 {
        const value = try self.take(key);
        const found = value.number() orelse return self.refuse(.invalid, key, "is not a number");
        if (!std.math.isFinite(found)) return self.refuse(.invalid, key, "is not a finite number");
        return found;
    }

    /// `into.len` whole numbers within low … high.
    pub fn extents(
        self: *Record,
        key: []const u8,
        low: u32,
        high: u32,
        into: []u32,
    ) Refused!void {
        const value = try self.take(key);
        var items = value.array() orelse return self.refuse(.invalid, key, "is not a list");
        if (items.count != into.len) return self.failure.refuse(
            .invalid,
            "{s}: '{s}' has {d} entries where {d} are due",
            .{ self.place, key, items.count, into.len },
        );
        for (into) |*slot| {
            const entry = items.next() orelse return self.broken();
            const n = entry.unsigned() orelse
                return self.refuse(.invalid, key, "is not a list of whole numbers of 0 or more");
            if (n < low or n > high) return self.failure.refuse(
                if (n < low) .invalid else .limit,
                "{s}: '{s}' holds {d}, not within {d} … {d}",
                .{ self.place, key, n, low, high },
            );
            slot.* = @intCast(n);
        }
    }

    /// Nothing may be left over.
    pub fn finish(self: *Record) Refused!void {
        for (self.taken[0..self.count], 0..) |done, i| {
            if (!done) return self.refuse(.invalid, self.keys[i], "is not a known key");
        }
    }
};

fn names(comptime T: type) []const u8 {
    comptime var list: []const u8 = "";
    inline for (@typeInfo(T).@"enum".fields, 0..) |field, i| {
        list = list ++ (if (i == 0) "" else ", ") ++ field.name;
    }
    return list;
}
