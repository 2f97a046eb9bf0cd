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
    /// `list` are the non-zeros of `x`, null if nobody knows them.
    pub fn run(
        self: *const Pool,
        comptime E: type,
        x: []const E,
        list: ?[]const u32,
        y: anytype,
    ) void {
        const A = std.meta.Child(@TypeOf(y));
        if (self.how == .max) {
            if (A == E) pool(.max, E, A, self, x, y) else unreachable;
            return;
        }
        // One non-zero costs about as much as a look at so many elements.
        const least = if (list) |all| all.len * 4 * simd.lanes(A) else x.len;
        if (self.apart() and least < x.len) {
            self.spread(E, A, x, list.?, y);
        } else pool(.sum, E, A, self, x, y);
        if (self.how == .avg and @typeInfo(A) == .float) self.divide(A, y);
    }

    /// Whether no input is in two windows, and none is padding.
    fn apart(self: *const Pool) bool {
        const window = self.window;
        return window.padding[0] == 0 and window.padding[1] == 0 and
            window.stride[0] >= window.size[0] and window.stride[1] >= window.size[1];
    }

    /// Each of few non-zeros to the sum that it belongs to.
    fn spread(
        self: *const Pool,
        comptime E: type,
        comptime A: type,
        x: []const E,
        list: []const u32,
        y: []A,
    ) void {
        simd.fill(A, y, 0);
        const channels = self.in.channels;
        const line = self.in.width * channels;
        const step = self.window.stride[1] * channels;
        var row: u32 = 0;
        for (list) |index| {
            while (index >= (row + 1) * line) row += 1;
            const down, const along = .{ row / self.window.stride[0], (index - row * line) / step };
            if (down >= self.out.height or along >= self.out.width) continue;
            const inside = (index - row * line) % step / channels;
            if (inside >= self.window.size[1]) continue;
            if (row % self.window.stride[0] >= self.window.size[0]) continue;
            const to = (down * self.out.width + along) * channels + index % channels;
            y[to] += simd.number(A, x[index]);
        }
    }

    fn divide(self: *const Pool, comptime A: type, y: []A) void {
        const count: A = @floatFromInt(@as(u64, self.window.size[0]) * self.window.size[1]);
        // Of a power of two, the inverse is exact, and faster to multiply by.
        const inverse = 1 / count;
        const exact = std.math.frexp(count).significand == 0.5;
        var i: usize = 0;
        inline for (.{ simd.lanes(A), 1 }) |width| {
            const V = @Vector(width, A);
            while (i + width <= y.len) : (i += width) {
                const sum: V = y[i..][0..width].*;
                const factor: V = @splat(inverse);
                const divisor: V = @splat(count);
                simd.put(A, width, y[i..].ptr, if (exact) sum * factor else sum / divisor);
            }
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
            inline for (comptime simd.halves(simd.lanes(A))) |width| {
                while (c + width <= channels) : (c += width) {
                    const found = reduce(how, E, A, width, self, x, corner + c, rows, columns);
                    simd.put(A, width, y[to + c ..].ptr, found);
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
    return found;
}

fn lowest(comptime T: type) T {
    return if (@typeInfo(T) == .float) -std.math.inf(T) else std.math.minInt(T);
}
