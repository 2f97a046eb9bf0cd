//! One engine at one end of a stream. Requests come, and replies go, each after its length in
//! bytes, a u32, little-endian.

const std = @import("std");
const limits = @import("limits.zig");
const Failure = @import("failure.zig").Failure;

pub const Error = error{
    /// The stream ended within a message.
    Truncated,
    /// What came as a length is none that is read; nothing after it can be told apart.
    TooLong,
    ReadFailed,
    WriteFailed,
};

/// Answer requests until the stream ends between two of them. `engine` has a method `call`, which
/// makes of a request the reply, as engine.zig's has.
pub fn serve(
    engine: anytype,
    gpa: std.mem.Allocator,
    in: *std.Io.Reader,
    out: *std.Io.Writer,
) Error!void {
    var failure: Failure = .{};
    var request: std.ArrayList(u8) = .empty;
    defer request.deinit(gpa);
    while (try announced(in)) |length| {
        if (length > limits.message_bytes) {
            failure.note(
                .limit,
                "stream: a request of {d} bytes exceeds {d}",
                .{ length, limits.message_bytes },
            );
            try send(out, failure.reply());
            return error.TooLong;
        }
        request.clearRetainingCapacity();
        if (request.capacity > limits.kept_bytes) request.clearAndFree(gpa);
        const held = try receive(&request, gpa, in, length);
        if (!held) failure.note(.memory, "out of memory", .{});
        try send(out, if (held) engine.call(request.items) else failure.reply());
    }
}

/// The length of the next request, null at the end of the stream.
fn announced(in: *std.Io.Reader) Error!?u32 {
    return in.takeInt(u32, .little) catch |err| switch (err) {
        error.EndOfStream => if (in.bufferedLen() == 0) null else error.Truncated,
        error.ReadFailed => error.ReadFailed,
    };
}

/// Whether there was memory for `length` bytes of the stream; they are read in either case. Memory
/// grows with what has come: what is announced and never sent takes none.
fn receive(
    request: *std.ArrayList(u8),
    gpa: std.mem.Allocator,
    in: *std.Io.Reader,
    length: u32,
) Error!bool {
    while (request.items.len < length) {
        const left = length - request.items.len;
        const part = @min(left, @max(limits.part_bytes, request.items.len));
        const room = request.addManyAsSlice(gpa, part) catch {
            in.discardAll(left) catch |err| return broken(err);
            return false;
        };
        in.readSliceAll(room) catch |err| return broken(err);
    }
    return true;
}

fn broken(err: std.Io.Reader.Error) Error {
    return if (err == error.EndOfStream) error.Truncated else error.ReadFailed;
}

fn send(out: *std.Io.Writer, reply: []const u8) Error!void {
    comptime std.debug.assert(limits.reply_bytes <= std.math.maxInt(u32));
    try out.writeInt(u32, @intCast(reply.len), .little);
    try out.writeAll(reply);
    try out.flush();
}

const Engine = @import("engine.zig").Engine;
const testing = std.testing;

/// What comes back for `bytes`, and how it ended.
fn exchange(gpa: std.mem.Allocator, bytes: []const u8, into: []u8) struct { []const u8, ?Error } {
    var engine: Engine = .{ .gpa = gpa };
    defer engine.deinit();
    var in: std.Io.Reader = .fixed(bytes);
    var out: std.Io.Writer = .fixed(into);
    var ended: ?Error = null;
    serve(&engine, gpa, &in, &out) catch |err| {
        ended = err;
    };
    return .{ out.buffered(), ended };
}

/// Two bytes after their length; what they say is no request.
const nonsense = "\x02\x00\x00\x00\x83\x00";

test "every request has its reply, and a clean end is none" {
    var buffer: [1024]u8 = undefined;
    const replies, const ended = exchange(testing.allocator, "", &buffer);
    try testing.expectEqual(0, replies.len);
    try testing.expectEqual(null, ended);
    const one, const fine = exchange(testing.allocator, nonsense, &buffer);
    try testing.expectEqual(null, fine);
    const length = std.mem.readInt(u32, one[0..4], .little);
    try testing.expectEqual(one.len, 4 + length);
    try testing.expect(std.mem.indexOf(u8, one, "malformed") != null);
}

test "a stream that ends within a message is truncated" {
    var buffer: [1024]u8 = undefined;
    for (1..nonsense.len) |length| {
        const replies, const ended = exchange(testing.allocator, nonsense[0..length], &buffer);
        try testing.expectEqual(0, replies.len);
        try testing.expectEqual(error.Truncated, ended.?);
    }
}

test "a length beyond the limit is refused before anything is allocated" {
    var buffer: [1024]u8 = undefined;
    const replies, const ended = exchange(testing.failing_allocator, "\xff\xff\xff\xff", &buffer);
    try testing.expectEqual(error.TooLong, ended.?);
    try testing.expect(std.mem.indexOf(u8, replies, "exceeds 1073807360") != null);
}

test "a request that memory does not hold is read, told, and followed by others" {
    var buffer: [1024]u8 = undefined;
    const replies, const ended = exchange(testing.failing_allocator, nonsense ++ nonsense, &buffer);
    try testing.expectEqual(null, ended);
    try testing.expectEqual(2, std.mem.count(u8, replies, "out of memory"));
}
