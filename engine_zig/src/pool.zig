//! Pooling. Padding counts as zero in sums and averages, and is never the maximum.

const std = @import("std");
const fixed = @import("fixed.zig");
const limits = @import("limits.zig");
const simd = @import("simd.zig");
const Accumulator = @import("synapses.zig").Accumulator;
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;
const Shape = @import("tensor.zig").Shape;
const Sums = @import("finish.zig").Sums;
const Window = @import("window.zig").Window;

const How = enum { max, avg, sum };

pub const Pool = struct {
    how: How,
    window: Window,
    in: Shape,
    out: Shape,
    /// Of sums; a maximum is what its input is.
    accumulator: Accumulator,
    sums: ?Sums = null,

    /// `x` is known of a quantised input.
    pub fn read(record: *Record, in: Shape, x: ?fixed.Range) Refused!Pool {
        const window = try Window.read(record, in, null);
        var self: Pool = .{
            .how = try record.choice(How, "how"),
            .window = window,
            .in = in,
            .out = try window.out(record, in, in.channels),
            .accumulator = .float32,
        };
        const given = x orelse {
            self.accumulator = try .read(record, .float);
            return self;
        };
        const sums = try self.whole(record, given);
        self.accumulator = try .of(record, sums.range.peak);
        self.sums = sums;
        return self;
    }

    /// What is formed of integers.
    fn whole(self: *const Pool, record: *Record, x: fixed.Range) Refused!Sums {
        const size, const padding = .{ self.window.size, self.window.padding };
        if (self.how == .max) {
            if (padding[0] < size[0] and padding[1] < size[1]) return .{ .range = x };
            return record.refuse(.invalid, "padding", "leaves windows without a maximum");
        }
        const count = @as(u64, size[0]) * size[1];
        var range: fixed.Range = .{ .peak = 0, .fraction = x.fraction };
        var factor: u64 = 1;
        if (self.how == .avg) {
            const power = std.math.log2_int(u64, count);
            if (count == @as(u64, 1) << power) range.fraction += power else {
                range.fraction += limits.factor_bits;
                factor = ((2 << limits.factor_bits) + count) / (2 * count);
            }
        }
        if (factor == 0)
            return record.refuse(.limit, "size", "is of so many that their average rounds to 0");
        const peak = @as(u128, x.peak) * count * factor;
        try fixed.bounded(record, peak, range.fraction);
        range.peak = @intCast(peak);
        return .{ .range = range, .factor = @intCast(factor) };
    }

    pub fn work(self: Pool) u64 {
        const taps = @as(u64, self.window.size[0]) * self.window.size[1];
        return taps *| self.out.elements();
    }

    /// Into `y`: maxima of numbers E, else sums of `accumulator`, divided if they are floats.
    pub fn run(self: *const Pool, comptime E: type, x: []const E, y: anytype) void {
        const A = std.meta.Child(@TypeOf(y));
        switch (self.how) {
            .max => if (A == E) pool(.max, E, A, self, x, y) else unreachable,
            inline else => |how| pool(how, E, A, self, x, y),
        }
    }
};

fn pool(
    comptime how: How,
    comptime E: type,
    comptime A: type,
    self: *const Pool,
    x: []const E,
    y: []A,
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
                    const found = reduce(how, E, A, width, self, x, corner + c, rows, columns);
                    y[to + c ..][0..width].* = found;
                }
            }
        }
    }
}

fn reduce(
    comptime how: How,
    comptime E: type,
    comptime A: type,
    comptime width: u32,
    self: *const Pool,
    x: []const E,
    corner: i64,
    rows: struct { u32, u32 },
    columns: struct { u32, u32 },
) @Vector(width, A) {
    const V = @Vector(width, A);
    const line = @as(i64, self.in.width) * self.in.channels;
    var found: V = @splat(if (how == .max) lowest(A) else 0);
    for (rows[0]..rows[1]) |ky| {
        for (columns[0]..columns[1]) |kx| {
            const down = @as(i64, @intCast(ky)) * line;
            const along = @as(i64, @intCast(kx)) * self.in.channels;
            const from: @Vector(width, E) = x[@intCast(corner + down + along)..][0..width].*;
            const here = simd.numbers(A, width, from);
            if (how == .max) {
                // A NaN is a maximum, and stays it, as in torch.
                found = @select(A, here > found, here, found);
                if (E == f32) found = @select(A, here != here, here, found);
            } else found += here;
        }
    }
    if (how != .avg or @typeInfo(A) != .float) return found;
    const count: A = @floatFromInt(@as(u64, self.window.size[0]) * self.window.size[1]);
    return found / @as(V, @splat(count));
}

fn lowest(comptime T: type) T {
    return if (@typeInfo(T) == .float) -std.math.inf(T) else std.math.minInt(T);
}
