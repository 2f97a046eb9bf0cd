//! Pooling. Padding counts as zero in sums and averages, and is never the maximum.

const std = @import("std");
const simd = @import("simd.zig");
const synapses = @import("synapses.zig");
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
    accumulator: synapses.Accumulator,

    pub fn read(record: *Record, in: Shape) Refused!Pool {
        const how = try record.choice(How, "how");
        const window = try Window.read(record, in, null);
        return .{
            .how = how,
            .window = window,
            .in = in,
            .out = try window.out(record, in, in.channels),
            .accumulator = try synapses.accumulator(record),
        };
    }

    pub fn work(self: Pool) u64 {
        const taps = @as(u64, self.window.size[0]) * self.window.size[1];
        return taps *| self.out.elements();
    }

    pub fn run(self: *const Pool, x: []const f32, y: []f32) void {
        switch (self.how) {
            .max => pool(.max, f32, self, x, y),
            inline else => |how| switch (self.accumulator) {
                .float32 => pool(how, f32, self, x, y),
                .float64 => pool(how, f64, self, x, y),
            },
        }
    }
};

fn pool(
    comptime how: How,
    comptime A: type,
    self: *const Pool,
    x: []const f32,
    y: []f32,
) void {
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
            inline for (.{ simd.lanes(A), 1 }) |width| {
                while (c + width <= channels) : (c += width) {
                    const found = reduce(how, A, width, self, x, corner + c, rows, columns);
                    y[to + c ..][0..width].* = @as(@Vector(width, f32), @floatCast(found));
                }
            }
        }
    }
}

fn reduce(
    comptime how: How,
    comptime A: type,
    comptime width: u32,
    self: *const Pool,
    x: []const f32,
    corner: i64,
    rows: struct { u32, u32 },
    columns: struct { u32, u32 },
) @Vector(width, A) {
    const V = @Vector(width, A);
    const line = @as(i64, self.in.width) * self.in.channels;
    var found: V = @splat(if (how == .max) -std.math.inf(A) else 0);
    for (rows[0]..rows[1]) |ky| {
        for (columns[0]..columns[1]) |kx| {
            const down = @as(i64, @intCast(ky)) * line;
            const along = @as(i64, @intCast(kx)) * self.in.channels;
            const from: @Vector(width, f32) = x[@intCast(corner + down + along)..][0..width].*;
            const here: V = @floatCast(from);
            if (how == .max) {
                // A NaN is a maximum, and stays it, as in torch.
                found = @select(A, here > found, here, found);
                found = @select(A, here != here, here, found);
            } else found += here;
        }
    }
    if (how != .avg) return found;
    const count: A = @floatFromInt(@as(u64, self.window.size[0]) * self.window.size[1]);
    return found / @as(V, @splat(count));
}
