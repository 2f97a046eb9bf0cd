//! Why a request is refused: a code for programs, a text for people.

const std = @import("std");
const limits = @import("limits.zig");
const msgpack = @import("msgpack.zig");

pub const Refused = error{Refused};
pub const Error = error{ Refused, OutOfMemory };

pub const Code = enum {
    /// Not one well-formed msgpack map.
    malformed,
    /// A field is missing, unknown, of another type, or contradicts the rest of the document.
    invalid,
    /// A correct document that asks for what this engine does not do.
    unsupported,
    /// Larger than limits.zig allows.
    limit,
    /// Not now: no network is loaded, or one is already.
    state,
    /// The frames do not fit the network.
    frames,
    /// The events do not fit the network, or are not sorted.
    events,
    /// No memory.
    memory,
};

pub const Failure = struct {
    code: Code = .malformed,
    buffer: [limits.text_bytes]u8 = undefined,
    length: usize = 0,
    /// Errors are told without allocating: also the one that memory has run out.
    message: [limits.text_bytes + 64]u8 = undefined,

    /// Keep code and text, and be the error to return.
    pub fn refuse(self: *Failure, code: Code, comptime format: []const u8, args: anytype) Refused {
        self.note(code, format, args);
        return error.Refused;
    }

    /// Keep code and text. Text that does not fit is cut between two characters.
    pub fn note(self: *Failure, code: Code, comptime format: []const u8, args: anytype) void {
        self.code = code;
        var writer: std.Io.Writer = .fixed(&self.buffer);
        writer.print(format, args) catch {}; // the one error is that the buffer is full
        self.length = writer.end;
        while (self.length > 0 and !std.unicode.utf8ValidateSlice(self.text())) self.length -= 1;
    }

    pub fn text(self: *const Failure) []const u8 {
        return self.buffer[0..self.length];
    }

    /// The reply that tells it, valid until the next one.
    pub fn reply(self: *Failure) []const u8 {
        var writer: msgpack.Writer = .{ .bytes = &self.message };
        writer.map(3);
        writer.text("ok");
        writer.boolean(false);
        writer.text("code");
        writer.text(@tagName(self.code));
        writer.text("error");
        writer.text(self.text());
        return self.message[0..writer.at];
    }
};

test "a text that is too long is cut between two characters" {
    var failure: Failure = .{};
    var long: [2 * limits.text_bytes]u8 = undefined;
    for (0..limits.text_bytes) |i| long[2 * i ..][0..2].* = "µ".*;
    try std.testing.expectEqual(error.Refused, failure.refuse(.limit, "x{s}", .{&long}));
    try std.testing.expectEqual(limits.text_bytes - 1, failure.length);
    try std.testing.expect(std.unicode.utf8ValidateSlice(failure.text()));
}
