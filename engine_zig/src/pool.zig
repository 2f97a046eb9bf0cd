//! Pooling. Padding counts as zero in sums and averages, and is never the maximum.

const std = @import("std");
const fixed = @import("fixed.zig");
const limits = @import("limits.zig");
const simd = @import("simd.zig");
const Accumulator = @import("synapses.zig").Accumulator;
const Error = @import("failure.zig").Error;
const Frame = @import("scratch.zig").Frame;
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;
const Shape = @import("tensor.zig").Shape;
const Sums = @import("finish.zig").Sums;
const Window = @import("window.zig").Window;

const How = enum { max, avg, sum };

/// No place in a row.
const nowhere = std.math.maxInt(u32);

pub const Pool = struct {
    how: How,
    window: Window,
    in: Shape,
    out: Shape,
    /// Of sums; a maximum is what its input is.
    accumulator: Accumulator,
    sums: ?Sums = null,
    /// See `path`.
    along: []const u32 = &.{},

    /// `x` is known of a quantised input.
    pub fn read(record: *Record, in: Shape, x: ?fixed.Range, arena: std.mem.Allocator) Error!Pool {
        const window = try Window.read(record, in, null);
        var self: Pool = .{
            .how = try record.choice(How, "how"),
            .window = window,
            .in = in,
            .out = try window.out(record, in, in.channels),
            .accumulator = .float32,
        };
        self.along = try self.path(arena);
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
    pub fn run(self: *const Pool, comptime E: type, x: *const Frame, y: anytype) void {
        const A = std.meta.Child(@TypeOf(y));
        const values: []const E = x.values(E)[0..self.in.elements()];
        const listed = x.list.len > 0 and self.along.len > 0;
        // One non-zero costs about as much as a look at so many elements.
        const few = listed and x.count * simd.lanes(A) < values.len;
        if (self.how == .max) {
            if (A != E) unreachable;
            if (few and x.ones) return self.spread(.max, E, A, values, x.listed(), y);
            return pool(.max, E, A, self, values, y);
        }
        if (few) {
            self.spread(.sum, E, A, values, x.listed(), y);
        } else pool(.sum, E, A, self, values, y);
        if (self.how == .avg and @typeInfo(A) == .float) self.divide(A, y);
    }

    /// Where in a row of outputs each element of a row of inputs ends up, `nowhere` if it does not;
    /// nothing, if an input may be in two windows, or padding in one.
    fn path(self: *const Pool, arena: std.mem.Allocator) error{OutOfMemory}![]const u32 {
        const window = self.window;
        for (window.size, window.stride, window.padding) |size, stride, padding| {
            if (padding > 0 or stride < size) return &.{};
        }
        const channels = self.in.channels;
        const made = try arena.alloc(u32, self.in.line());
        for (made, 0..) |*to, i| {
            const column: u32 = @intCast(i / channels);
            const out, const tap = .{ column / window.stride[1], column % window.stride[1] };
            const seen = tap < window.size[1] and out < self.out.width;
            to.* = if (seen) @intCast(out * channels + i % channels) else nowhere;
        }
        return made;
    }

    /// Each of few non-zeros to the sum, or to the maximum, which it then is, that it belongs to.
    fn spread(
        self: *const Pool,
        comptime how: How,
        comptime E: type,
        comptime A: type,
        x: []const E,
        list: []const u32,
        y: []A,
    ) void {
        simd.fill(A, y, 0);
        const line = self.in.line();
        const size, const stride = .{ self.window.size[0], self.window.stride[0] };
        var end = line; // of the row
        var inside: u32 = 0; // of the windows that the row is in
        var to: usize = 0; // where the outputs of these windows begin
        for (list) |index| {
            while (index >= end) {
                end += line;
                inside += 1;
                if (inside < stride) continue;
                inside = 0;
                to += self.out.line();
            }
            const along = self.along[index - (end - line)];
            if (inside >= size or to >= y.len or along == nowhere) continue;
            const value = simd.number(A, x[index]);
            y[to + along] = if (how == .max) value else y[to + along] + value;
        }
    }

    fn divide(self: *const Pool, comptime A: type, y: []A) void {
        const count: A = @floatFromInt(@as(u64, self.window.size[0]) * self.window.size[1]);
        // Of a power of two, the inverse is exact, and faster to multiply by.
        const exact = std.math.frexp(count).significand == 0.5;
        if (exact) each(.times, A, y, 1 / count) else each(.over, A, y, count);
    }
};

fn each(comptime op: enum { times, over }, comptime A: type, y: []A, by: A) void {
    var i: usize = 0;
    inline for (.{ simd.lanes(A), 1 }) |width| {
        const all: @Vector(width, A) = @splat(by);
        while (i + width <= y.len) : (i += width) {
            const sum: @Vector(width, A) = y[i..][0..width].*;
            simd.put(A, width, y[i..].ptr, if (op == .times) sum * all else sum / all);
        }
    }
}

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
