//! All products of a layer, formed in tiles of outputs in registers: several positions share each
//! load of weights, several outputs each load of an input.

const std = @import("std");
const simd = @import("simd.zig");
const tiles = @import("tiles.zig");
const Field = @import("field.zig").Field;
const Rows = @import("tensor.zig").Rows;
const Child = std.meta.Child;

/// Into `sums`, timestep by timestep, in which `rows` of the outputs stand first. `inputs` are
/// their values with the padding around them.
pub fn run(
    field: *const Field,
    s: anytype,
    inputs: []const [*]const Child(@TypeOf(s)).Sum,
    rows: Rows,
    sums: []const [*]Child(@TypeOf(s)).Sum,
) void {
    const S = Child(@TypeOf(s));
    const A = S.Sum;
    const shape = field.window.padded(field.in);
    var walk: tiles.Walk(A) = .{ .field = field };
    while (walk.next()) |tile| {
        inline for (comptime tiles.widths(A)) |width| {
            if (tile.width == width) {
                const block: Block(S, width) = .{
                    .field = field,
                    .synapses = s,
                    .tile = tile,
                    .line = shape.line(),
                    .rows = rows,
                };
                block.all(inputs, sums);
            }
        }
    }
}

fn Block(comptime S: type, comptime tile_width: u32) type {
    return struct {
        field: *const Field,
        synapses: *const S,
        tile: tiles.Tile,
        /// From one row of the padded input to the next.
        line: usize,
        rows: Rows,

        const Self = @This();
        const A = S.Sum;
        const width = @min(tile_width, 2 * simd.lanes(A));
        const V = @Vector(width, A);
        /// Positions at once: with two registers each, and the weights, they fill the processor's.
        const most = if (simd.registers >= 32) 8 else 4;

        /// Places of outputs in turn, over all timesteps.
        const Places = struct {
            inputs: []const [*]const A,
            sums: []const [*]A,
            row: usize,
            t: usize = 0,
            column: usize = 0,

            inline fn next(self: *Places, block: *const Self, x: *[*]const A, y: *[*]A) void {
                const field = block.field;
                const right = self.column * field.window.stride[1] * field.in.channels;
                x.* = self.inputs[self.t] + self.row * field.window.stride[0] * block.line + right;
                const place = (self.row - block.rows.first) * field.out.width + self.column;
                y.* = self.sums[self.t] + place * field.out.channels;
                self.column += 1;
                if (self.column < field.out.width) return;
                self.column = 0;
                self.row += 1;
                if (self.row < block.rows.end) return;
                self.row = block.rows.first;
                self.t += 1;
            }
        };

        fn all(self: *const Self, inputs: []const [*]const A, sums: []const [*]A) void {
            for (0..tile_width / width) |part| {
                const lane: u32 = @intCast(part * width);
                if (lane >= self.tile.count) break;
                var places: Places = .{ .inputs = inputs, .sums = sums, .row = self.rows.first };
                var left = sums.len * self.rows.count() * self.field.out.width;
                inline for (.{ most, 1 }) |count| {
                    while (left >= count) : (left -= count) self.some(count, lane, &places);
                }
                std.debug.assert(places.t == sums.len);
            }
        }

        /// `width` outputs from lane `lane` on, at `count` places.
        fn some(self: *const Self, comptime count: u32, lane: u32, places: *Places) void {
            const field, const tile = .{ self.field, self.tile };
            var x: [count][*]const A = undefined;
            var y: [count][*]A = undefined;
            inline for (&x, &y) |*from, *to| places.next(self, from, to);
            const start: V = self.synapses.start[tile.first + lane ..][0..width].*;
            var sums: [count]V = @splat(start);
            const share = field.shareIn();
            // Of one group, all channels of a row of taps stand one after the other.
            const joined = field.groups == 1;
            const length = if (joined) share * field.window.size[1] else share;
            var weights = self.synapses.tiles.ptr + tile.at + lane;
            for (0..field.window.size[0]) |row| {
                for (0..if (joined) 1 else field.window.size[1]) |column| {
                    const at = row * self.line + column * field.in.channels + tile.group * share;
                    for (at..at + length) |i| {
                        const here: @Vector(width, S.Weight) = weights[0..width].*;
                        inline for (&sums, x) |*sum, from|
                            sum.* = simd.weigh(A, S.Weight, width, sum.*, from[i], here);
                        weights += tile_width;
                    }
                }
            }
            const lanes = @min(width, tile.count - lane);
            inline for (sums, y) |sum, to|
                simd.store(A, width, to + tile.first + lane, sum, lanes);
        }
    };
}
