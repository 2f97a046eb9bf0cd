//! Shapes of what layers put out at one timestep.
//!
//! Documents are channels first; in memory channels are last: element (c, y, x) of a tensor stands
//! at (y·width + x)·channels + c, so that loops over output channels run through memory.

const std = @import("std");
const limits = @import("limits.zig");
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;

/// What the tensors of a network hold.
pub const Number = enum {
    float32,
    int32,
    int64,

    pub fn Type(comptime self: Number) type {
        return switch (self) {
            .float32 => f32,
            .int32 => i32,
            .int64 => i64,
        };
    }

    pub fn size(self: Number) u64 {
        return if (self == .int64) 8 else 4;
    }
};

/// Rows of a map, from the first to the one before `end`.
pub const Rows = struct {
    first: u32,
    end: u32,

    pub fn count(self: Rows) u32 {
        return self.end - self.first;
    }
};

pub const Shape = struct {
    channels: u32,
    height: u32 = 1,
    width: u32 = 1,
    /// Axes in the document: 1 [C], 2 [C, L] (height 1), 3 [C, H, W].
    rank: u8 = 1,

    pub fn positions(self: Shape) u32 {
        return self.height * self.width;
    }

    /// Elements of one row.
    pub fn line(self: Shape) u32 {
        return self.width * self.channels;
    }

    /// At most limits.activations, see `bounded`.
    pub fn elements(self: Shape) u32 {
        return self.channels * self.positions();
    }

    /// Whether the elements can be counted: every shape in a network has passed this.
    pub fn bounded(self: Shape) bool {
        const map = @as(u64, self.height) * self.width;
        if (map == 0 or map > limits.activations or self.channels == 0) return false;
        return map * self.channels <= limits.activations;
    }

    pub fn eql(self: Shape, other: Shape) bool {
        return self.rank == other.rank and self.channels == other.channels and
            self.height == other.height and self.width == other.width;
    }

    /// Where the element at `index` in memory stands in the document's order.
    pub fn first(self: Shape, index: u32) u32 {
        return (index % self.channels) * self.positions() + index / self.channels;
    }

    pub fn read(record: *Record, key: []const u8) Refused!Shape {
        const value = try record.take(key);
        const items = value.array() orelse return record.refuse(.invalid, key, "is not a list");
        if (items.count < 1 or items.count > 3)
            return record.refuse(.unsupported, key, "has not one to three axes");
        var sizes: [3]u32 = @splat(1);
        const rank: u8 = @intCast(items.count);
        try record.extents(key, 1, limits.activations, sizes[0..rank]);
        const shape: Shape = if (rank == 3)
            .{ .channels = sizes[0], .height = sizes[1], .width = sizes[2], .rank = rank }
        else
            .{ .channels = sizes[0], .width = sizes[1], .rank = rank };
        if (!shape.bounded()) return record.refuse(.limit, key, "has too many elements");
        return shape;
    }

    pub fn format(self: Shape, writer: *std.Io.Writer) std.Io.Writer.Error!void {
        try writer.print("[{d}", .{self.channels});
        if (self.rank > 2) try writer.print(", {d}", .{self.height});
        if (self.rank > 1) try writer.print(", {d}", .{self.width});
        try writer.writeByte(']');
    }
};

test "memory order and document order" {
    const shape: Shape = .{ .channels = 2, .height = 2, .width = 3, .rank = 3 };
    try std.testing.expectEqual(12, shape.elements());
    try std.testing.expectEqual(6, shape.first(1));
    try std.testing.expectEqual(1, shape.first(2));
    try std.testing.expectEqual(11, shape.first(11));
}

test "a shape whose product does not fit is not bounded" {
    const side = 1 << 26;
    const wide: Shape = .{ .channels = side, .height = side, .width = side, .rank = 3 };
    try std.testing.expect(!wide.bounded());
    try std.testing.expect((Shape{ .channels = side }).bounded());
}
