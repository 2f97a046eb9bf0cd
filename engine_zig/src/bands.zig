//! Sums of weights, and the populations that take them up, a band of rows at a time: potentials and
//! sums of a band stay in the first cache while it goes through all timesteps at hand.

const std = @import("std");
const limits = @import("limits.zig");
const simd = @import("simd.zig");
const Frame = @import("scratch.zig").Frame;
const Layer = @import("network.zig").Layer;
const Network = @import("network.zig").Network;
const Reading = @import("reading.zig").Reading;
const Rows = @import("tensor.zig").Rows;
const Scratch = @import("scratch.zig").Scratch;
const Shape = @import("tensor.zig").Shape;
const Child = std.meta.Child;

/// A layer with synapses at `count` timesteps, into its tensor.
pub fn sum(comptime E: type, scratch: *Scratch, layer: *const Layer, count: usize) void {
    const target = &scratch.tensors[layer.target];
    const elements = layer.out.elements();
    switch (layer.op) {
        inline .Conv, .Linear => |*op| switch (op.synapses) {
            inline else => |*s| if (comptime kin(E, Child(@TypeOf(s)).Sum)) {
                const S = Child(@TypeOf(s));
                var sums: [limits.chunk][*]S.Sum = undefined;
                for (sums[0..count], 0..) |*into, t| {
                    const y: []E = target.at(t).values(E)[0..elements];
                    into.* = scratch.room(S.Sum, E, t, y).ptr;
                }
                const source = &scratch.tensors[layer.sources[0]];
                var reading: Reading(E, S) = undefined;
                reading.open(null, &op.field, s, scratch, source, count);
                reading.run(.{ .first = 0, .end = layer.out.height }, 0, sums[0..count]);
                for (sums[0..count], 0..) |made, t| {
                    const frame = target.at(t);
                    const y: []E = frame.values(E)[0..elements];
                    settle(E, layer, made[0..elements], y);
                    frame.look(E, y);
                }
            } else unreachable,
        },
        else => unreachable,
    }
}

/// Population `l` at `count` timesteps, fed by the layer before it, if that hands it its sums.
pub fn fire(
    comptime E: type,
    network: *const Network,
    scratch: *Scratch,
    l: usize,
    count: usize,
) void {
    const layer = &network.layers[l];
    for (0..count) |t| scratch.tensors[layer.target].at(t).open(E, layer.out.elements());
    const population: Population(E) = .{ .layer = layer, .scratch = scratch, .l = l };
    if (l == 0 or !network.layers[l - 1].taken) {
        const source = &scratch.tensors[layer.sources[0]];
        var bands: Bands = .of(layer.out, @sizeOf(E), limits.band_bytes);
        while (bands.next()) |band| {
            const first, const elements = bounds(layer.out, band);
            for (0..count) |t|
                population.step(source.at(t).values(E)[first..][0..elements], first, t);
        }
        return;
    }
    const before = &network.layers[l - 1];
    switch (before.op) {
        inline .Conv, .Linear => |*op| switch (op.synapses) {
            inline else => |*s| if (comptime kin(E, Child(@TypeOf(s)).Sum)) {
                const source = &scratch.tensors[before.sources[0]];
                var reading: Reading(E, Child(@TypeOf(s))) = undefined;
                reading.open(null, &op.field, s, scratch, source, count);
                population.feed(before, &reading, count);
            } else unreachable,
        },
        else => unreachable,
    }
}

/// What a population put out at one timestep is complete; the number of spikes.
pub fn close(comptime E: type, layer: *const Layer, spiked: *Frame) u32 {
    if (E == f32) return spiked.close(f32, layer.op.Neuron.float.payload);
    switch (layer.op.Neuron.whole) {
        inline else => |*population| _ = spiked.close(E, @intCast(population.payload)),
    }
    return spiked.count; // by the law, what is worth nothing is no spike
}

/// Whether numbers A may be summed where tensors hold numbers E.
pub fn kin(comptime E: type, comptime A: type) bool {
    return (@typeInfo(E) == .float) == (@typeInfo(A) == .float);
}

/// From the sums of a layer, which may be `y` itself, to what it puts out.
pub fn settle(comptime E: type, layer: *const Layer, sums: anytype, y: []E) void {
    if (E == f32) {
        if (Child(@TypeOf(sums)) != E) simd.convert(E, Child(@TypeOf(sums)), y, sums);
        if (layer.grid) |*grid| grid.apply(y);
    } else layer.finish.run(E, sums, y);
}

fn Population(comptime E: type) type {
    return struct {
        layer: *const Layer,
        scratch: *Scratch,
        l: usize,

        const Self = @This();

        /// The neurons from `first` on at timestep `t`, with input `x`.
        fn step(self: *const Self, x: []const E, first: u32, t: usize) void {
            const spiked = self.scratch.tensors[self.layer.target].at(t);
            if (E == f32) {
                const v = self.scratch.potential(f32, self.l)[first..][0..x.len];
                self.layer.op.Neuron.float.run(x, v, spiked, first);
            } else {
                const v = self.scratch.potential(i32, self.l)[first..][0..x.len];
                switch (self.layer.op.Neuron.whole) {
                    inline else => |*population| population.run(E, x, v, spiked, first),
                }
            }
        }

        /// All neurons at `count` timesteps, with what is summed up of `reading`, as `before` has
        /// it. Scattering makes the sums of one timestep after those of another, in one room; the
        /// other kernels make them for all timesteps with the same weights.
        fn feed(self: *const Self, before: *const Layer, reading: anytype, count: usize) void {
            const A = Child(@TypeOf(reading)).Sum;
            const shape = self.layer.out;
            const scattered = reading.kernel == .scatter;
            const together = if (scattered) 1 else count;
            const room = if (scattered) limits.band_bytes else limits.bands_bytes;
            var bands: Bands = .of(shape, @sizeOf(A) * together, room);
            while (bands.next()) |band| {
                const first, const elements = bounds(shape, band);
                var sums: [limits.chunk][*]A = undefined;
                for (sums[0..together], 0..) |*into, k|
                    into.* = self.scratch.formed(A, k, elements).ptr;
                var t: usize = 0;
                while (t < count) : (t += together) {
                    reading.run(band, t, sums[0..together]);
                    var parts: Bands = .within(band, shape, @sizeOf(E), limits.band_bytes);
                    while (parts.next()) |part| {
                        const start, const size = bounds(shape, part);
                        for (sums[0..together], t..) |made, at| {
                            const own = made[start - first ..][0..size];
                            const x: []E = if (A == E) own else self.scratch.taken(E, size);
                            settle(E, before, own, x);
                            self.step(x, start, at);
                        }
                    }
                }
            }
        }
    };
}

/// The first element of some rows of a map, and how many there are.
fn bounds(shape: Shape, rows: Rows) struct { u32, u32 } {
    return .{ rows.first * shape.line(), rows.count() * shape.line() };
}

/// The rows of a map, a few at a time.
const Bands = struct {
    rows: Rows,
    height: u32,

    /// As many as `room` bytes hold with `size` bytes for each element, but one at least.
    fn of(shape: Shape, size: u64, room: u64) Bands {
        return .within(.{ .first = 0, .end = shape.height }, shape, size, room);
    }

    fn within(rows: Rows, shape: Shape, size: u64, room: u64) Bands {
        const most = room / (size * shape.line());
        return .{ .rows = rows, .height = @intCast(std.math.clamp(most, 1, rows.count())) };
    }

    fn next(self: *Bands) ?Rows {
        const first = self.rows.first;
        if (first == self.rows.end) return null;
        self.rows.first = @min(self.rows.end, first + self.height);
        return .{ .first = first, .end = self.rows.first };
    }
};
