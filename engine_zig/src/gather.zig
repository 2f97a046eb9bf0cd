//! Sums kept in registers, while the weights of the non-zero inputs that an output sees are added.
//!
//! Inputs stand by position, then by channel, and so do the indices of the non-zeros: those that
//! the taps of one line of a window meet are one stretch of the list.

const std = @import("std");
const limits = @import("limits.zig");
const simd = @import("simd.zig");
const tiles = @import("tiles.zig");
const Field = @import("field.zig").Field;
const Rows = @import("tensor.zig").Rows;
const Child = std.meta.Child;

/// Into `sums`, timestep by timestep, in which `rows` of the outputs stand first. With `ones`,
/// every non-zero input counts as 1; else `inputs` are their values.
pub fn run(
    comptime ones: bool,
    field: *const Field,
    s: anytype,
    shown: []const Places,
    inputs: []const [*]const Child(@TypeOf(s)).Sum,
    rows: Rows,
    sums: []const [*]Child(@TypeOf(s)).Sum,
) void {
    const S = Child(@TypeOf(s));
    std.debug.assert(field.groups == 1 and shown.len == sums.len);
    const lean = cut(S, field);
    var walk: tiles.Walk(S.Sum) = .{ .field = &lean };
    while (walk.next()) |tile| {
        inline for (comptime tiles.widths(S.Sum)) |width| {
            if (tile.width == width) {
                const passes: Passes(S, width, ones) = .{
                    .field = &lean,
                    .synapses = s,
                    .tile = tile,
                    .places = shown,
                    .inputs = inputs,
                    .rows = rows,
                    .sums = sums,
                };
                passes.all();
            }
        }
    }
}

/// Whether weights are made numbers of the sum before they are added again and again: where that
/// takes as long as the addition itself.
fn widened(comptime S: type) bool {
    return S.Sum == f64 and S.Weight == f32;
}

/// Of a weight, as it is added.
fn bytes(comptime S: type) u32 {
    return if (widened(S)) @sizeOf(S.Sum) else @sizeOf(S.Weight);
}

/// The same field with each position cut into several of fewer channels, which stand in the same
/// order, so that the weights of one fit into one pass.
fn cut(comptime S: type, field: *const Field) Field {
    const most = limits.gather_bytes / (tiles.widths(S.Sum)[0] * bytes(S));
    const least = std.math.divCeil(u32, field.in.channels, most) catch unreachable;
    var parts = least;
    while (field.in.channels % parts != 0) : (parts += 1) {
        // Of a number with few divisors, they would be too small to be worth it.
        if (parts > 4 * least) return field.*;
    }
    var lean = field.*;
    lean.in.channels /= parts;
    lean.in.width *= parts;
    lean.window.size[1] *= parts;
    lean.window.stride[1] *= parts;
    lean.window.padding[1] *= parts;
    return lean;
}

/// Room that a list's beginnings take, in numbers.
pub fn places(comptime S: type, field: *const Field) u64 {
    return @as(u64, cut(S, field).in.positions()) + 1;
}

/// The non-zeros of an input, and where in the list each position begins.
pub const Places = struct { list: []const u32, starts: []const u32 };

/// Where in `list` the positions of an input begin.
pub fn index(comptime S: type, field: *const Field, list: []const u32, starts: []u32) void {
    const channels = cut(S, field).in.channels;
    std.debug.assert(starts.len == places(S, field));
    if (list.len >= starts.len) {
        var at: u32 = 0;
        for (starts, 0..) |*start, position| {
            while (at < list.len and list[at] < position * channels) at += 1;
            start.* = at;
        }
        return;
    }
    // Of few, whether another one is at the same position cannot be foretold: nobody asks, and the
    // last one of each stays.
    simd.fill(u32, starts, 0);
    for (list, 1..) |at, end| starts[at / channels + 1] = @intCast(end);
    var most: u32 = 0;
    for (starts) |*start| {
        most = @max(most, start.*);
        start.* = most;
    }
}

/// Taps of one pass: their weights stay in the first cache while all positions are visited.
const Part = struct { rows: [2]u32, columns: [2]u32 };

fn Passes(comptime S: type, comptime width: u32, comptime ones: bool) type {
    return struct {
        field: *const Field,
        synapses: *const S,
        tile: tiles.Tile,
        places: []const Places,
        inputs: []const [*]const S.Sum,
        rows: Rows,
        sums: []const [*]S.Sum,

        const Self = @This();
        const A = S.Sum;
        /// Outputs at a time, and sums of each: as many registers as hide the time that an addition
        /// takes, but no more than there are.
        const share: u32 = @min(width, 8 * simd.lanes(A));
        const chains: u32 = @min(4, @as(u32, 8 * simd.lanes(A)) / share);
        const V = @Vector(share, A);

        fn all(self: *const Self) void {
            const rows, const columns = self.field.window.size;
            const step = self.stride();
            const s = self.synapses;
            var y: u32 = 0;
            while (y < rows) : (y += step[0]) {
                var x: u32 = 0;
                while (x < columns) : (x += step[1]) {
                    const part: Part = .{
                        .rows = .{ y, @min(rows, y + step[0]) },
                        .columns = .{ x, @min(columns, x + step[1]) },
                    };
                    if (!widened(S) or !self.widen(part))
                        self.lanes(S.Weight, .{ .base = s.tiles.ptr, .at = self.tile.at }, part);
                }
            }
        }

        /// How many taps of each axis make a pass: as many as have their weights in the first
        /// cache, but enough to be worth going over the positions once more.
        fn stride(self: *const Self) [2]u32 {
            const field = self.field;
            const rows, const columns = field.window.size;
            const count = self.nonzeros() + 1;
            const visits = self.places.len * field.in.positions();
            const least: u64 = limits.gather_least * visits / count;
            const tap = @as(u64, field.in.channels) * width * bytes(S);
            const most = limits.gather_bytes / tap / columns;
            const lines = @max(most, (least + columns - 1) / columns);
            return if (lines > 0) .{ @intCast(@min(rows, lines)), columns } else .{ 1, 1 };
        }

        fn nonzeros(self: *const Self) u64 {
            var count: u64 = 0;
            for (self.places) |seen| count += seen.list.len;
            return count;
        }

        /// Add the taps of `part` with weights that are widened first, if they are few and each is
        /// added often enough; whether that was done.
        fn widen(self: *const Self, part: Part) bool {
            const field = self.field;
            const taps = (part.rows[1] - part.rows[0]) * (part.columns[1] - part.columns[0]);
            const tap = part.rows[0] * field.window.size[1] + part.columns[0];
            const row = @as(usize, field.in.channels) * width;
            const from = self.tile.at + tap * row;
            const uses = self.nonzeros() * field.out.positions() / field.in.elements();
            if (taps * row > limits.gather_wide or uses < limits.gather_uses) return false;
            var wide: [limits.gather_wide]A align(64) = undefined;
            const narrow = self.synapses.tiles[from..][0 .. taps * row];
            simd.convert(A, S.Weight, wide[0..narrow.len], narrow);
            self.lanes(A, .{ .base = &wide, .at = self.tile.at -% from }, part);
            return true;
        }

        /// Weights as numbers B, and where those of the tile begin.
        fn Weights(comptime B: type) type {
            return struct { base: [*]const B, at: usize };
        }

        fn lanes(self: *const Self, comptime B: type, weights: Weights(B), part: Part) void {
            var lane: u32 = 0;
            while (lane < self.tile.count) : (lane += share) {
                for (0..self.sums.len) |t| self.pass(B, weights, part, lane, t);
            }
        }

        /// The taps of `part` into the sums from lane `lane` of the tile on, at timestep `t`.
        fn pass(
            self: *const Self,
            comptime B: type,
            weights: Weights(B),
            part: Part,
            lane: u32,
            t: usize,
        ) void {
            const field, const window = .{ self.field, &self.field.window };
            const channel = self.tile.first + lane;
            const count = @min(share, self.tile.count - lane);
            const first = part.rows[0] == 0 and part.columns[0] == 0;
            const begin: V = self.synapses.start[channel..][0..share].*;
            var into = self.sums[t] + channel;
            for (self.rows.first..self.rows.end) |row| {
                const rows = within(window.taps(0, @intCast(row), field.in.height), part.rows);
                for (0..field.out.width) |column| {
                    var chain: [chains]V = @splat(@splat(0));
                    chain[0] = if (first) begin else simd.load(A, share, into, count);
                    const inside = window.taps(1, @intCast(column), field.in.width);
                    const columns = within(inside, part.columns);
                    const seen = columns[1] - columns[0];
                    // Where the first tap of each line lies; maybe nowhere, if none is seen.
                    const x = column * window.stride[1] + columns[0] -% window.padding[1];
                    if (seen > 0) for (rows[0]..rows[1]) |ky| {
                        const y = row * window.stride[0] + ky - window.padding[0];
                        const tap = ky * window.size[1] + columns[0];
                        const position = y * field.in.width + x;
                        self.line(B, weights, &chain, t, lane, tap, position, seen);
                    };
                    inline for (1..chains) |i| chain[0] += chain[i];
                    simd.store(A, share, into, chain[0], count);
                    into += field.out.channels;
                }
            }
        }

        /// Those of the taps from the first to the second that are in a part, maybe none.
        fn within(taps: struct { u32, u32 }, part: [2]u32) [2]u32 {
            const from = @max(taps[0], part[0]);
            return .{ from, @max(from, @min(taps[1], part[1])) };
        }

        /// `count` taps from `tap` on, which lie on as many positions from `position` on.
        inline fn line(
            self: *const Self,
            comptime B: type,
            weights: Weights(B),
            chain: *[chains]V,
            t: usize,
            lane: u32,
            tap: usize,
            position: usize,
            count: usize,
        ) void {
            const starts = self.places[t].starts;
            // Where the weights of index 0 would stand, which may lie before all weights.
            const behind = (tap -% position) *% self.field.in.channels *% width;
            const zero = weights.at +% lane +% behind;
            var rest = self.places[t].list[starts[position]..starts[position + count]];
            while (rest.len >= chains) : (rest = rest[chains..]) {
                inline for (chain, 0..) |*sum, i| self.one(B, weights.base, sum, zero, rest[i], t);
            }
            if (chains > 1) for (rest) |at| self.one(B, weights.base, &chain[0], zero, at, t);
        }

        inline fn one(
            self: *const Self,
            comptime B: type,
            base: [*]const B,
            sum: *V,
            zero: usize,
            at: u32,
            t: usize,
        ) void {
            const row = base + (zero +% @as(usize, at) *% width);
            const weights: @Vector(share, B) = row[0..share].*;
            sum.* = if (ones)
                sum.* + weights
            else
                simd.weigh(A, B, share, sum.*, self.inputs[t][at], weights);
        }
    };
}
