//! Messages damaged so that they stay near what the engine reads: bytes, whole values, sizes.

const std = @import("std");
const limits = @import("limits.zig");
const msgpack = @import("msgpack.zig");

/// Values that stand where another one is due: each type, and the edges of numbers and lengths.
const odd = [_][]const u8{
    // nil, false, true
    "\xc0",
    "\xc2",
    "\xc3",
    // small integers
    "\x00",
    "\x01",
    "\x02",
    "\x7f",
    "\xff",
    "\xcc\xff",
    "\xcd\xff\xff",
    // 2^16, 2^16 + 1, 2^26, 2^32 - 1, 2^32, 2^64 - 1, -2^63
    "\xce\x00\x01\x00\x00",
    "\xce\x00\x01\x00\x01",
    "\xce\x04\x00\x00\x00",
    "\xce\xff\xff\xff\xff",
    "\xcf\x00\x00\x00\x01\x00\x00\x00\x00",
    "\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    "\xd3\x80\x00\x00\x00\x00\x00\x00\x00",
    // 0.5, NaN, infinite, the smallest double and float32, beyond a float32
    "\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00",
    "\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
    "\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00",
    "\xcb\x00\x00\x00\x00\x00\x00\x00\x01",
    "\xca\x00\x00\x00\x01",
    "\xcb\xc7\xef\xff\xff\xe0\x00\x00\x00",
    // texts
    "\xa0",
    "\xa1n",
    "\xa5input",
    "\xa4conv",
    "\xd9\x02\xc2\xb5",
    // binaries, of 1.0, of a NaN
    "\xc4\x00",
    "\xc4\x04\x00\x00\x80\x3f",
    "\xc4\x08\x00\x00\x00\x00\x00\x00\xc0\x7f",
    // lists and maps
    "\x90",
    "\x91\x00",
    "\x92\x01\x01",
    "\x92\xce\x80\x00\x00\x00\xce\x80\x00\x00\x00",
    "\x80",
    "\x81\xa1n\x01",
    // more announced than there is, nested too deeply, reserved types
    "\xdf\xff\xff\xff\xff",
    "\xdd\xff\xff\xff\xff",
    "\xc6\xff\xff\xff\xff",
    "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91",
    "\xc1",
    "\xd4\x00\x00",
};

/// Where a value stands in a message.
const Span = struct { from: u32, to: u32, head: msgpack.Head, parent: u32 };

/// Spans that are kept of one message; of what is longer, the rest is not changed as values.
const spans_max = 4096;

pub const Mutator = struct {
    draw: std.Random,
    /// What is made; a message that would not fit is cut.
    bytes: []u8,
    length: usize = 0,
    spans: [spans_max]Span = undefined,
    count: u32 = 0,

    /// `message` changed in a few places; `other` lends values.
    pub fn mutate(self: *Mutator, message: []const u8, other: []const u8) []const u8 {
        self.length = @min(message.len, self.bytes.len);
        @memcpy(self.bytes[0..self.length], message[0..self.length]);
        for (0..1 + self.draw.uintLessThan(u32, 3)) |_| self.change(other);
        return self.bytes[0..self.length];
    }

    fn change(self: *Mutator, other: []const u8) void {
        if (self.length == 0) return;
        self.index();
        switch (self.draw.uintLessThan(u32, 20)) {
            0 => self.scribble(),
            1 => self.length = self.draw.uintAtMost(usize, self.length),
            2...6 => if (self.pick()) |span|
                self.splice(span.from, span.to, odd[self.draw.uintLessThan(usize, odd.len)]),
            7, 8 => if (self.pick()) |span| self.lend(span, other),
            9...14 => if (self.pick()) |span| self.nudge(span),
            15 => if (self.pick()) |span| self.twice(span),
            16 => if (self.pick()) |span| self.drop(span),
            17...19 => if (self.pick()) |span| self.content(span),
            else => unreachable,
        }
    }

    /// Find the values, as far as the message is well-formed.
    fn index(self: *Mutator) void {
        var cursor: msgpack.Cursor = .{ .bytes = self.bytes[0..self.length] };
        var pending: [2 * limits.depth]struct { left: u64, parent: u32 } = undefined;
        var level: usize = 0;
        var parent: u32 = 0;
        self.count = 0;
        while (self.count < spans_max) {
            const at = self.count;
            const from: u32 = @intCast(cursor.at);
            const head = cursor.head() catch break;
            const inside: u64 = switch (head) {
                .text, .blob => |n| if (cursor.take(n)) |_| 0 else |_| break,
                .array => |n| n,
                .map => |n| 2 * @as(u64, n),
                else => 0,
            };
            self.spans[at] = .{
                .from = from,
                .to = @intCast(cursor.at),
                .head = head,
                .parent = parent,
            };
            self.count += 1;
            if (inside > 0) {
                if (level == pending.len) break;
                pending[level] = .{ .left = inside, .parent = parent };
                parent = at;
                level += 1;
                continue;
            }
            while (level > 0) {
                pending[level - 1].left -= 1;
                if (pending[level - 1].left > 0) break;
                self.spans[parent].to = @intCast(cursor.at);
                parent = pending[level - 1].parent;
                level -= 1;
            }
            if (level == 0) break;
        }
    }

    fn pick(self: *Mutator) ?Span {
        if (self.count == 0) return null;
        return self.spans[self.draw.uintLessThan(u32, self.count)];
    }

    fn scribble(self: *Mutator) void {
        for (0..1 + self.draw.uintLessThan(u32, 4)) |_| {
            self.bytes[self.draw.uintLessThan(usize, self.length)] = self.draw.int(u8);
        }
    }

    /// Replace bytes from … to; nothing happens where they are gone, or there is no room.
    fn splice(self: *Mutator, from: usize, to: usize, by: []const u8) void {
        if (to > self.length) return;
        const tail = self.length - to;
        if (from + by.len + tail > self.bytes.len) return;
        @memmove(self.bytes[from + by.len ..][0..tail], self.bytes[to..self.length]);
        @memmove(self.bytes[from..][0..by.len], by);
        self.length = from + by.len + tail;
    }

    /// A value of another message, the text of a key among them.
    fn lend(self: *Mutator, span: Span, other: []const u8) void {
        if (other.len == 0) return;
        const at = self.draw.uintLessThan(usize, other.len);
        var cursor: msgpack.Cursor = .{ .bytes = other, .at = at };
        const value = cursor.next() catch return;
        self.splice(span.from, span.to, value.bytes);
    }

    /// A number near the one that stands there, or one of the same size in bits.
    fn nudge(self: *Mutator, span: Span) void {
        var buffer: [9]u8 = undefined;
        const n: i128 = switch (span.head) {
            .unsigned => |n| n,
            .signed => |n| n,
            .float => |x| return self.float(span, x),
            else => return,
        };
        const changed: i128 = switch (self.draw.uintLessThan(u32, 6)) {
            0 => n + 1,
            1 => n - 1,
            2 => -n,
            3 => n *| 2,
            4 => self.draw.uintLessThan(u32, 20),
            else => @as(i128, 1) << self.draw.uintLessThan(u7, 65),
        };
        if (changed < 0) {
            buffer[0] = 0xd3;
            std.mem.writeInt(i64, buffer[1..9], std.math.lossyCast(i64, changed), .big);
        } else {
            buffer[0] = 0xcf;
            std.mem.writeInt(u64, buffer[1..9], std.math.lossyCast(u64, changed), .big);
        }
        self.splice(span.from, span.to, &buffer);
    }

    fn float(self: *Mutator, span: Span, x: f64) void {
        const changed: f64 = switch (self.draw.uintLessThan(u32, 6)) {
            0 => -x,
            1 => x * 0.5,
            2 => x * 1e30,
            3 => x * 1e-40,
            4 => x + 1,
            else => @bitCast(self.draw.int(u64)),
        };
        var buffer: [9]u8 = undefined;
        buffer[0] = 0xcb;
        std.mem.writeInt(u64, buffer[1..9], @bitCast(changed), .big);
        self.splice(span.from, span.to, &buffer);
    }

    /// Write a container's head anew, `more` entries larger.
    fn recount(self: *Mutator, container: Span, more: i2) void {
        const count, const tag: u8, const size: usize = switch (container.head) {
            .array => |n| .{ n, 0xdc, headBytes(self.bytes[container.from]) },
            .map => |n| .{ n, 0xde, headBytes(self.bytes[container.from]) },
            else => return,
        };
        var buffer: [3]u8 = undefined;
        buffer[0] = tag;
        const changed = std.math.lossyCast(u16, @as(i64, count) + more);
        std.mem.writeInt(u16, buffer[1..3], changed, .big);
        self.splice(container.from, container.from + size, &buffer);
    }

    /// The value once more behind itself; mostly its container knows of it.
    fn twice(self: *Mutator, span: Span) void {
        if (span.to - span.from > self.bytes.len - self.length) return;
        const copy = self.bytes[span.from..span.to];
        const tail = self.length - span.to;
        @memmove(self.bytes[span.to + copy.len ..][0..tail], self.bytes[span.to..self.length]);
        @memcpy(self.bytes[span.to..][0..copy.len], copy);
        self.length += copy.len;
        if (self.draw.uintLessThan(u32, 4) > 0) self.recount(self.spans[span.parent], 1);
    }

    fn drop(self: *Mutator, span: Span) void {
        self.splice(span.from, span.to, "");
        if (self.draw.uintLessThan(u32, 4) > 0) self.recount(self.spans[span.parent], -1);
    }

    /// Numbers within a binary, or its length.
    fn content(self: *Mutator, span: Span) void {
        if (span.head != .blob or span.head.blob < 4) return;
        const from = span.to - span.head.blob;
        const words = span.head.blob / 4;
        for (0..1 + self.draw.uintLessThan(u32, 4)) |_| {
            const at = from + 4 * self.draw.uintLessThan(u32, words);
            const word: u32 = switch (self.draw.uintLessThan(u32, 8)) {
                0 => 0x7fc0_0000, // NaN
                1 => 0x7f80_0000, // infinite
                2 => 0x7f7f_ffff, // the largest float32
                3 => 0x0000_0001, // the smallest
                4 => 0,
                5 => 0xffff_ffff,
                6 => self.draw.uintLessThan(u32, 40),
                else => self.draw.int(u32),
            };
            std.mem.writeInt(u32, self.bytes[at..][0..4], word, .little);
        }
        if (self.draw.uintLessThan(u32, 4) == 0)
            self.splice(span.to - 4, span.to, ""); // and its length stays
    }
};

/// Bytes of the head of an array or a map.
fn headBytes(tag: u8) usize {
    return switch (tag) {
        0xdc, 0xde => 3,
        0xdd, 0xdf => 5,
        else => 1,
    };
}

test "whatever is changed stays within its memory" {
    var prng = std.Random.DefaultPrng.init(7);
    var buffer: [64]u8 = undefined;
    var mutator: Mutator = .{ .draw = prng.random(), .bytes = &buffer };
    const list = "\x93\x01\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00\xc4\x04abcd";
    const message = "\x83\xa2op\xa4load\xa1x" ++ list ++ "\xa1y\x80";
    var well: u32 = 0;
    for (0..20_000) |_| {
        const made = mutator.mutate(message, message);
        try std.testing.expect(made.len <= buffer.len);
        well += @intFromBool(if (msgpack.check(made)) |_| true else |_| false);
    }
    try std.testing.expect(well > 5_000);
}
