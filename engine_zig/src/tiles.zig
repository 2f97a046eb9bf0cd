//! Weights in the order of the kernels that keep sums in registers:
//! [group][tile][tap][input channel of the group][output of the tile]. A tile is as many outputs as
//! fit into a few registers; the last one of a group is as narrow as one can be, and filled up with
//! zeros.

const std = @import("std");
const Array = @import("array.zig").Array;
const Field = @import("field.zig").Field;

pub const Tile = struct {
    group: u32,
    /// Its first output channel, and how many there are.
    first: u32,
    count: u32,
    width: u32,
    /// Its first weight.
    at: usize,
};

/// Widths of tiles of sums A, falling from what two of the widest registers hold, or four of them,
/// if they hold but few.
pub fn widths(comptime A: type) [3]comptime_int {
    const widest = @max(32, 128 / @sizeOf(A));
    return .{ widest, widest / 2, widest / 4 };
}

fn widthOf(comptime A: type, left: u32) u32 {
    const all = comptime widths(A);
    inline for (1..all.len) |i| {
        if (left > all[i]) return all[i - 1];
    }
    return all[all.len - 1];
}

/// The tiles of a group of `outputs`, and what they are wide in all.
pub fn padded(comptime A: type, outputs: u32) struct { count: u32, width: u32 } {
    const widest = comptime widths(A)[0];
    const full = outputs / widest;
    const left = outputs % widest;
    if (left == 0) return .{ .count = full, .width = outputs };
    return .{ .count = full + 1, .width = full * widest + widthOf(A, left) };
}

pub fn Walk(comptime A: type) type {
    return struct {
        field: *const Field,
        group: u32 = 0,
        done: u32 = 0,
        at: usize = 0,

        pub fn next(self: *@This()) ?Tile {
            const share = self.field.shareOut();
            if (self.done == share) {
                self.done = 0;
                self.group += 1;
            }
            if (self.group == self.field.groups) return null;
            const width = widthOf(A, share - self.done);
            const tile: Tile = .{
                .group = self.group,
                .first = self.group * share + self.done,
                .count = @min(width, share - self.done),
                .width = width,
                .at = self.at,
            };
            self.done += tile.count;
            self.at += @as(usize, self.field.taps()) * self.field.shareIn() * width;
            return tile;
        }
    };
}

/// How many weights there are, zeros included.
pub fn size(comptime A: type, field: *const Field) u64 {
    const each = @as(u64, field.taps()) * field.shareIn() * field.groups;
    return each * padded(A, field.shareOut()).width;
}

/// From [output][input channel of the group][tap].
pub fn arrange(
    comptime A: type,
    comptime W: type,
    field: *const Field,
    into: []W,
    weight: Array,
) void {
    const taps, const share: usize = .{ field.taps(), field.shareIn() };
    @memset(into, 0);
    var walk: Walk(A) = .{ .field = field };
    while (walk.next()) |tile| {
        for (0..tile.count) |o| {
            const from = (tile.first + o) * taps * share;
            for (0..taps) |tap| {
                for (0..share) |channel| {
                    const to = tile.at + (tap * share + channel) * tile.width + o;
                    const index = channel * taps + tap;
                    into[to] = weight.at(W, from + index);
                }
            }
        }
    }
}
