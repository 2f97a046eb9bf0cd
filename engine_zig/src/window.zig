//! Sliding windows of convolutions and pools: n' = ⌊(n + 2·padding - size)/stride⌋ + 1 per axis.

const std = @import("std");
const limits = @import("limits.zig");
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;
const Shape = @import("tensor.zig").Shape;

/// Height and width of everything; a map with one axis has height 1.
pub const Window = struct {
    size: [2]u32,
    stride: [2]u32,
    padding: [2]u32,

    /// `stride`, `padding` and, for pools, `size` from the record; shapes of rank 2 or 3 only.
    pub fn read(record: *Record, in: Shape, kernel: ?[2]u32) Refused!Window {
        if (in.rank < 2) return record.failure.refuse(
            .invalid,
            "{s}: input {f} has no spatial axis",
            .{ record.place, in },
        );
        const axes = in.rank - 1;
        var self: Window = .{ .size = @splat(1), .stride = @splat(1), .padding = @splat(0) };
        if (kernel) |size| self.size = size else {
            try record.extents("size", 1, limits.extent, self.size[2 - axes ..]);
        }
        try record.extents("stride", 1, limits.extent, self.stride[2 - axes ..]);
        try record.extents("padding", 0, limits.extent, self.padding[2 - axes ..]);
        return self;
    }

    /// The map of `channels` channels that comes out.
    pub fn out(self: Window, record: *Record, in: Shape, channels: u32) Refused!Shape {
        var sides: [2]u32 = undefined;
        for (&sides, [2]u32{ in.height, in.width }, 0..) |*side, n, axis| {
            const side_padded = n + 2 * self.padding[axis];
            if (side_padded < self.size[axis]) return record.failure.refuse(
                .invalid,
                "{s}: a kernel of {d} does not fit into {d} with padding {d}",
                .{ record.place, self.size[axis], n, self.padding[axis] },
            );
            side.* = (side_padded - self.size[axis]) / self.stride[axis] + 1;
        }
        const shape: Shape =
            .{ .channels = channels, .height = sides[0], .width = sides[1], .rank = in.rank };
        if (!shape.bounded() or !self.padded(in).bounded())
            return record.failure.refuse(.limit, "{s}: too many elements", .{record.place});
        return shape;
    }

    /// The input with its padding.
    pub fn padded(self: Window, in: Shape) Shape {
        var shape = in;
        shape.height += 2 * self.padding[0];
        shape.width += 2 * self.padding[1];
        return shape;
    }

    /// The input position of tap 0 of output position `o`, which may lie before the input.
    pub fn start(self: Window, axis: u1, o: u32) i64 {
        return @as(i64, o) * self.stride[axis] - self.padding[axis];
    }

    /// The taps of output position `o` that lie inside of an input of `n`: from, to (exclusive).
    pub fn taps(self: Window, axis: u1, o: u32, n: u32) struct { u32, u32 } {
        const first = o * self.stride[axis];
        const border = self.padding[axis];
        const from = if (first < border) border - first else 0;
        const end = n + border;
        const to = if (first >= end) 0 else @min(self.size[axis], end - first);
        return .{ @min(from, to), to };
    }
};

test "taps stay inside" {
    const window: Window = .{ .size = .{ 3, 3 }, .stride = .{ 1, 2 }, .padding = .{ 1, 1 } };
    try std.testing.expectEqual(.{ 1, 3 }, window.taps(0, 0, 4));
    try std.testing.expectEqual(.{ 0, 2 }, window.taps(0, 3, 4));
    try std.testing.expectEqual(.{ 0, 3 }, window.taps(1, 1, 5));
    try std.testing.expectEqual(.{ 0, 2 }, window.taps(1, 2, 5));
}
