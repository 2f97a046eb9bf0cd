//! Bounded reading and plain writing of msgpack.
//!
//! `check` walks over a whole message once, without recursion, and refuses what is truncated, too
//! deep, too much, or followed by more. Views (`Value`, `Items`) then decode on demand, and still
//! check every length. Extension types are refused. The engine is little-endian only; msgpack's
//! own numbers are big-endian.

const std = @import("std");
const limits = @import("limits.zig");

pub const Error = error{ Truncated, Malformed, TooDeep, TooMany };

pub const Head = union(enum) {
    nil,
    boolean: bool,
    unsigned: u64,
    signed: i64,
    float: f64,
    text: u32,
    blob: u32,
    array: u32,
    map: u32,
};

/// A position in a message.
pub const Cursor = struct {
    bytes: []const u8,
    at: usize = 0,

    pub fn take(self: *Cursor, count: usize) Error![]const u8 {
        if (count > self.bytes.len - self.at) return error.Truncated;
        defer self.at += count;
        return self.bytes[self.at..][0..count];
    }

    fn big(self: *Cursor, comptime T: type) Error!T {
        const bytes = try self.take(@sizeOf(T));
        return std.mem.readInt(T, bytes[0..@sizeOf(T)], .big);
    }

    /// The head of the next value: all of it, for what has no content.
    pub fn head(self: *Cursor) Error!Head {
        const byte = (try self.take(1))[0];
        return switch (byte) {
            0x00...0x7f => .{ .unsigned = byte },
            0x80...0x8f => .{ .map = byte & 0x0f },
            0x90...0x9f => .{ .array = byte & 0x0f },
            0xa0...0xbf => .{ .text = byte & 0x1f },
            0xc0 => .nil,
            0xc2, 0xc3 => .{ .boolean = byte == 0xc3 },
            0xc4 => .{ .blob = try self.big(u8) },
            0xc5 => .{ .blob = try self.big(u16) },
            0xc6 => .{ .blob = try self.big(u32) },
            0xca => .{ .float = @as(f32, @bitCast(try self.big(u32))) },
            0xcb => .{ .float = @bitCast(try self.big(u64)) },
            0xcc => .{ .unsigned = try self.big(u8) },
            0xcd => .{ .unsigned = try self.big(u16) },
            0xce => .{ .unsigned = try self.big(u32) },
            0xcf => .{ .unsigned = try self.big(u64) },
            0xd0 => .{ .signed = try self.big(i8) },
            0xd1 => .{ .signed = try self.big(i16) },
            0xd2 => .{ .signed = try self.big(i32) },
            0xd3 => .{ .signed = try self.big(i64) },
            0xd9 => .{ .text = try self.big(u8) },
            0xda => .{ .text = try self.big(u16) },
            0xdb => .{ .text = try self.big(u32) },
            0xdc => .{ .array = try self.big(u16) },
            0xdd => .{ .array = try self.big(u32) },
            0xde => .{ .map = try self.big(u16) },
            0xdf => .{ .map = try self.big(u32) },
            0xe0...0xff => .{ .signed = @as(i8, @bitCast(byte)) },
            0xc1, 0xc7...0xc9, 0xd4...0xd8 => error.Malformed,
        };
    }

    /// Step over one value, however nested; its bytes.
    pub fn next(self: *Cursor) Error!Value {
        const start = self.at;
        var pending: [limits.depth]u64 = undefined;
        var level: u32 = 0;
        var seen: u64 = 0;
        while (true) {
            seen += 1;
            if (seen > limits.elements) return error.TooMany;
            const children: u64 = switch (try self.head()) {
                .text => |n| try self.characters(n),
                .blob => |n| blk: {
                    _ = try self.take(n);
                    break :blk 0;
                },
                .array => |n| n,
                .map => |n| 2 * @as(u64, n),
                else => 0,
            };
            if (children > 0) {
                if (level == limits.depth) return error.TooDeep;
                pending[level] = children;
                level += 1;
                continue;
            }
            while (level > 0) {
                pending[level - 1] -= 1;
                if (pending[level - 1] > 0) break;
                level -= 1;
            }
            if (level == 0) return .{ .bytes = self.bytes[start..self.at] };
        }
    }

    fn characters(self: *Cursor, count: u32) Error!u64 {
        if (!std.unicode.utf8ValidateSlice(try self.take(count))) return error.Malformed;
        return 0;
    }
};

/// One well-formed value and nothing after it.
pub fn check(bytes: []const u8) Error!Value {
    var cursor: Cursor = .{ .bytes = bytes };
    const value = try cursor.next();
    return if (cursor.at == bytes.len) value else error.Malformed;
}

/// The bytes of one value; each accessor is null where the value is of another type.
pub const Value = struct {
    bytes: []const u8,

    fn open(self: Value) ?struct { Head, Cursor } {
        var cursor: Cursor = .{ .bytes = self.bytes };
        const head = cursor.head() catch return null;
        return .{ head, cursor };
    }

    pub fn nil(self: Value) bool {
        const head, _ = self.open() orelse return false;
        return head == .nil;
    }

    pub fn boolean(self: Value) ?bool {
        const head, _ = self.open() orelse return null;
        return if (head == .boolean) head.boolean else null;
    }

    pub fn unsigned(self: Value) ?u64 {
        const head, _ = self.open() orelse return null;
        return switch (head) {
            .unsigned => |n| n,
            .signed => |n| if (n >= 0) @intCast(n) else null,
            else => null,
        };
    }

    pub fn signed(self: Value) ?i64 {
        const head, _ = self.open() orelse return null;
        return switch (head) {
            .unsigned => |n| std.math.cast(i64, n),
            .signed => |n| n,
            else => null,
        };
    }

    /// A float, or an integer as one.
    pub fn number(self: Value) ?f64 {
        const head, _ = self.open() orelse return null;
        return switch (head) {
            .unsigned => |n| @floatFromInt(n),
            .signed => |n| @floatFromInt(n),
            .float => |x| x,
            else => null,
        };
    }

    pub fn text(self: Value) ?[]const u8 {
        const head, var cursor = self.open() orelse return null;
        return if (head == .text) cursor.take(head.text) catch null else null;
    }

    pub fn blob(self: Value) ?[]const u8 {
        const head, var cursor = self.open() orelse return null;
        return if (head == .blob) cursor.take(head.blob) catch null else null;
    }

    pub fn array(self: Value) ?Items {
        const head, const cursor = self.open() orelse return null;
        return if (head == .array) .{ .count = head.array, .cursor = cursor } else null;
    }

    /// Keys and values in turn, `count` counting both.
    pub fn map(self: Value) ?Items {
        const head, const cursor = self.open() orelse return null;
        if (head != .map) return null;
        return .{ .count = 2 * @as(u64, head.map), .cursor = cursor };
    }
};

pub const Items = struct {
    count: u64,
    cursor: Cursor,

    /// Null at the end; and where it is broken, which in a checked message it is not.
    pub fn next(self: *Items) ?Value {
        if (self.count == 0) return null;
        self.count -= 1;
        return self.cursor.next() catch null;
    }
};

/// Writes into memory that is large enough: whoever reserves it asserts the sizes.
pub const Writer = struct {
    bytes: []u8,
    at: usize = 0,

    fn put(self: *Writer, comptime T: type, tag: u8, value: T) void {
        self.bytes[self.at] = tag;
        std.mem.writeInt(T, self.bytes[self.at + 1 ..][0..@sizeOf(T)], value, .big);
        self.at += 1 + @sizeOf(T);
    }

    pub fn map(self: *Writer, count: usize) void {
        self.put(u16, 0xde, @intCast(count));
    }

    pub fn array(self: *Writer, count: usize) void {
        self.put(u16, 0xdc, @intCast(count));
    }

    pub fn unsigned(self: *Writer, value: u64) void {
        self.put(u64, 0xcf, value);
    }

    pub fn signed(self: *Writer, value: i64) void {
        self.put(i64, 0xd3, value);
    }

    pub fn nil(self: *Writer) void {
        self.bytes[self.at] = 0xc0;
        self.at += 1;
    }

    pub fn boolean(self: *Writer, value: bool) void {
        self.bytes[self.at] = if (value) 0xc3 else 0xc2;
        self.at += 1;
    }

    pub fn text(self: *Writer, value: []const u8) void {
        self.put(u16, 0xda, @intCast(value.len));
        @memcpy(self.bytes[self.at..][0..value.len], value);
        self.at += value.len;
    }

    pub fn bytesOf(self: *Writer, value: []const u8) void {
        self.put(u32, 0xc6, @intCast(value.len));
        @memcpy(self.bytes[self.at..][0..value.len], value);
        self.at += value.len;
    }

    /// Room for `length` bytes, all zero, which are filled in later.
    pub fn blob(self: *Writer, length: usize) []u8 {
        self.put(u32, 0xc6, @intCast(length));
        defer self.at += length;
        const room = self.bytes[self.at..][0..length];
        @memset(room, 0);
        return room;
    }
};

test "values come back as they were written" {
    var buffer: [256]u8 = undefined;
    var writer: Writer = .{ .bytes = &buffer };
    writer.map(3);
    writer.text("a");
    writer.unsigned(300);
    writer.text("b");
    @memcpy(writer.blob(3), "xyz");
    writer.text("c");
    writer.boolean(true);
    const message = try check(buffer[0..writer.at]);
    var items = message.map().?;
    try std.testing.expectEqualStrings("a", items.next().?.text().?);
    try std.testing.expectEqual(300, items.next().?.unsigned().?);
    _ = items.next();
    try std.testing.expectEqualStrings("xyz", items.next().?.blob().?);
    _ = items.next();
    try std.testing.expect(items.next().?.boolean().?);
    try std.testing.expectEqual(null, items.next());
}

test "every truncation of a message is refused" {
    var buffer: [64]u8 = undefined;
    var writer: Writer = .{ .bytes = &buffer };
    writer.map(1);
    writer.text("key");
    writer.array(2);
    writer.unsigned(1);
    _ = writer.blob(4);
    for (0..writer.at) |length| {
        try std.testing.expectError(error.Truncated, check(buffer[0..length]));
    }
    try std.testing.expectError(error.Malformed, check(buffer[0 .. writer.at + 1]));
}

test "depth, number and reserved types are bounded" {
    const deep: [limits.depth + 1]u8 = @splat(0x91);
    try std.testing.expectError(error.TooDeep, check(&deep));
    try std.testing.expectError(error.Truncated, check(deep[0..limits.depth]));
    try std.testing.expectError(error.Truncated, check("\xdf\xff\xff\xff\xff\x01"));
    try std.testing.expectError(error.Malformed, check("\xc1"));
    try std.testing.expectError(error.Malformed, check("\xa1\xff"));
    try std.testing.expectError(error.Malformed, check("\xd4\x00\x00"));
}

test "random bytes neither crash nor loop" {
    var random = std.Random.DefaultPrng.init(1);
    var buffer: [96]u8 = undefined;
    for (0..20_000) |_| {
        random.random().bytes(&buffer);
        const value = check(&buffer) catch continue;
        _ = value.map() orelse continue;
    }
}
