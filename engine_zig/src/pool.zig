//! Pooling. Padding counts as zero in sums and averages, and is never the maximum.

const std = @import("std");
const simd = @import("simd.zig");
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;
const Shape = @import("tensor.zig").Shape;
const Window = @import("window.zig").Window;

const How = enum { max, avg, sum };

pub const Pool = struct {
    how: How,
    window: Window,
    in: Shape,
    out: Shape,

    pub fn read(record: *Record, in: Shape) Refused!Pool {
        const how = try record.choice(How, "how");
        const window = try Window.read(record, in, null);
        return .{
            .how = how,
            .window = window,
            .in = in,
            .out = try window.out(record, in, in.channels),
        };
    }

    pub fn work(self: Pool) u64 {
        const taps = @as(u64, self.window.size[0]) * self.window.size[1];
        return taps *| self.out.elements();
    }

    pub fn run(self: *const Pool, x: []const f32, y: []f32) void {
        switch (self.how) {
            inline else => |how| pool(how, self, x, y),
        }
    }
};

fn pool(comptime how: How, self: *const Pool, x: []const f32, y: []f32) void {
    const channels = self.in.channels;
    for (0..self.out.height) |row| {
        const rows = self.window.taps(0, @intCast(row), self.in.height);
        for (0..self.out.width) |column| {
            const columns = self.window.taps(1, @intCast(column), self.in.width);
            const to = (row * self.out.width + column) * channels;
            // May lie before the input; taps that do are not in `rows` and `columns`.
            const top = self.window.start(0, @intCast(row));
            const left = self.window.start(1, @intCast(column));
            const corner = (top * self.in.width + left) * channels;
            var c: u32 = 0;
            inline for (.{ simd.lanes(f32), 1 }) |width| {
                while (c + width <= channels) : (c += width) {
                    const found = reduce(how, width, self, x, corner + c, rows, columns);
                    y[to + c ..][0..width].* = found;
                }
            }
        }
    }
}

fn reduce(
    comptime how: How,
    comptime width: u32,
    self: *const Pool,
    x: []const f32,
    corner: i64,
    rows: struct { u32, u32 },
    columns: struct { u32, u32 },
) @Vector(width, f32) {
    const V = @Vector(width, f32);
    const line = @as(i64, self.in.width) * self.in.channels;
    var found: V = @splat(if (how == .max) -std.math.inf(f32) else 0);
    for (rows[0]..rows[1]) |ky| {
        for (columns[0]..columns[1]) |kx| {
            const down = @as(i64, @intCast(ky)) * line;
            const along = @as(i64, @intCast(kx)) * self.in.channels;
            const here: V = x[@intCast(corner + down + along)..][0..width].*;
            if (how == .max) {
                // A NaN is a maximum, and stays it, as in torch.
                found = @select(f32, here > found, here, found);
                found = @select(f32, here != here, here, found);
            } else found += here;
        }
    }
    if (how != .avg) return found;
    const count: f32 = @floatFromInt(@as(u64, self.window.size[0]) * self.window.size[1]);
    return found / @as(V, @splat(count));
}
