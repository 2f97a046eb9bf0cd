//! A sequential network as event execution wants it: populations one after another, and for each
//! position of the map before it, which neurons an event there reaches.
//!
//! It is made of the document anew, so that clocked execution may put its weights as it likes.

const std = @import("std");
const arrivals = @import("arrivals.zig");
const charges = @import("charges.zig");
const graph = @import("graph.zig");
const limits = @import("limits.zig");
const msgpack = @import("msgpack.zig");
const Array = @import("array.zig").Array;
const Error = @import("failure.zig").Error;
const Execution = @import("execution.zig").Execution;
const Failure = @import("failure.zig").Failure;
const Layer = @import("network.zig").Layer;
const Layout = @import("reach.zig").Layout;
const Network = @import("network.zig").Network;
const Reach = @import("reach.zig").Reach;
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;
const Shape = @import("tensor.zig").Shape;

/// Divides by a number that is known beforehand, which multiplying does faster.
pub const Divisor = struct {
    reciprocal: u64,

    const bits = 52;

    pub fn of(divisor: u32) Divisor {
        std.debug.assert(divisor > 0 and divisor <= limits.activations);
        return .{ .reciprocal = ((1 << bits) + @as(u64, divisor) - 1) / divisor };
    }

    /// Exact, as neither number exceeds 2^26.
    pub inline fn quotient(self: Divisor, number: u32) u32 {
        return @intCast((@as(u128, number) * self.reciprocal) >> bits);
    }
};

/// Synapses and the population behind them.
pub const Stage = struct {
    /// Of the Neuron layer, and of the Conv or Linear before it.
    name: []const u8,
    synapses: []const u8,
    /// The map whose events come in, and that of the population.
    source: Shape,
    out: Shape,
    /// Per position of `source`.
    reaches: []const Reach,
    channels: Divisor,
    layout: Layout,
    charge: charges.Either,
    /// The most neurons that one event reaches.
    fanout: u32,

    /// Whether silent timesteps add biases of the synapses, and whether potentials leak in them.
    pub fn biased(self: *const Stage) bool {
        return switch (self.charge) {
            inline else => |charge| if (charge.leak) |leak| leak.biased else false,
        };
    }

    pub fn leaky(self: *const Stage) bool {
        return switch (self.charge) {
            inline else => |charge| if (charge.leak) |leak| leak.leaky else false,
        };
    }

    /// Whether one event may make a neuron fire more than once.
    pub fn repeats(self: *const Stage) bool {
        return switch (self.charge) {
            inline else => |charge| charge.repeats(),
        };
    }

    /// Words of 64 bits that hold which of the reached neurons fire.
    pub fn words(self: *const Stage) usize {
        var most: usize = 0;
        for (self.reaches) |reach| {
            const each = (reach.length + 63) / 64;
            most = @max(most, @as(usize, reach.rows) * reach.columns * each);
        }
        return most;
    }
};

pub const Wiring = struct {
    input: Shape,
    stages: []Stage,
    execution: Execution,

    /// Of a document that has been read as `network`. Everything lives in `arena`.
    pub fn read(
        document: msgpack.Value,
        network: *const Network,
        execution: Execution,
        arena: std.mem.Allocator,
        failure: *Failure,
    ) Error!Wiring {
        var record = try Record.read(document, "network", failure);
        var list = (try record.take("layers")).array().?;
        const edges = (try record.take("edges")).array().?;
        try graph.path(network.layers, edges, failure);
        var builder: Builder = .{
            .execution = &execution,
            .arena = arena,
            .failure = failure,
            .network = network,
            .source = network.input,
            .map = network.input,
        };
        if (network.format) |format| builder.event = .shown(format);
        if (builder.event.range.spike == 0) return record.refuse(
            .unsupported,
            "input_format",
            "makes 0 of an event",
        );
        for (network.layers) |*layer| {
            const place = try std.fmt.allocPrint(arena, "layer '{s}'", .{layer.name});
            var inner = try Record.read(list.next().?, place, failure);
            try builder.add(layer, &inner);
        }
        try builder.finish();
        return .{
            .input = network.input,
            .stages = builder.stages.items,
            .execution = execution,
        };
    }

    pub fn find(self: *const Wiring, name: []const u8) ?usize {
        for (self.stages, 0..) |stage, l| {
            if (std.mem.eql(u8, stage.name, name)) return l;
        }
        return null;
    }
};

/// Goes through the layers: spikes come in, or, behind synapses, what they add to potentials.
const Builder = struct {
    execution: *const Execution,
    arena: std.mem.Allocator,
    failure: *Failure,
    network: *const Network,
    stages: std.ArrayList(Stage) = .empty,
    /// The map that spikes are emitted on, and what pools make of it: each `pooled[axis]` positions
    /// become one.
    source: Shape,
    map: Shape,
    pooled: [2]u32 = @splat(1),
    /// What one spike is worth.
    event: arrivals.Event = .{},
    /// Behind synapses: what they are, and the layer that they stand in.
    synapses: ?struct { layer: *const Layer, layout: Layout, weights: arrivals.Weights } = null,

    fn add(self: *Builder, layer: *const Layer, record: *Record) Error!void {
        if (self.synapses != null and layer.op != .Neuron)
            return self.refuse(layer, "stands between synapses and their neurons");
        switch (layer.op) {
            .Pool => |pool| {
                const window = pool.window;
                if (pool.how == .max)
                    return self.refuse(layer, "is a maximum, which single events do not have");
                if (!std.meta.eql(window.size, window.stride) or
                    !std.meta.eql(window.padding, .{ 0, 0 }))
                    return self.refuse(layer, "overlaps or is padded: stride must be size");
                for (&self.pooled, window.size) |*all, one| all.* *|= one;
                self.map = layer.out;
                const count = @as(u64, window.size[0]) * window.size[1];
                if (pool.how == .avg) try self.event.divide(record, count, self.quantised());
            },
            .GlobalSum => if (layer.in.rank > 1) {
                self.pooled[0] *= self.map.height;
                self.pooled[1] *= self.map.width;
                self.map = layer.out;
            },
            .Flatten => {},
            .Conv => |conv| try self.connect(layer, record, .{
                .window = conv.field.window,
                .in = self.map,
                .out = layer.out,
                .groups = conv.field.groups,
            }),
            .Linear => try self.connect(layer, record, .{
                .window = .{
                    .size = .{ self.map.height, self.map.width },
                    .stride = .{ 1, 1 },
                    .padding = .{ 0, 0 },
                },
                .in = self.map,
                .out = layer.out,
                .groups = 1,
            }),
            .Neuron => try self.populate(layer, record),
            .BatchNorm => return self.refuse(layer, "is to be folded into the synapses before it"),
            .Relu => return self.refuse(layer, "puts out numbers, not spikes"),
            .Add => return self.refuse(layer, "joins branches"),
        }
    }

    fn refuse(self: *Builder, layer: *const Layer, what: []const u8) Refused {
        return self.failure.refuse(
            .unsupported,
            "layer '{s}': a {s} that {s}; event execution takes synapses, neurons behind" ++
                " them, and sum or average pools between",
            .{ layer.name, @tagName(layer.op), what },
        );
    }

    fn quantised(self: *const Builder) bool {
        return self.network.format != null;
    }

    fn connect(self: *Builder, layer: *const Layer, record: *Record, layout: Layout) Error!void {
        const rank: u32 = if (layer.op == .Linear) 2 else layer.in.rank + 1;
        const kind: Array.Kind = if (self.quantised()) .whole else .float;
        const weight = try Array.read(record, "weight", rank, kind);
        const bias = try Array.vector(record, "bias", layer.out.channels, kind);
        self.synapses = .{
            .layer = layer,
            .layout = layout,
            .weights = try .read(record, weight, bias, self.event),
        };
    }

    fn populate(self: *Builder, layer: *const Layer, record: *Record) Error!void {
        const synapses = self.synapses orelse
            return self.refuse(layer, "has no synapses before it");
        const layout = synapses.layout;
        const reaches = try self.reach(layout);
        var fanout: u64 = 1;
        for (reaches) |one| fanout = @max(fanout, one.neurons());
        const charge, self.event = try charges.Either.read(
            record,
            layout,
            synapses.weights,
            self.execution,
            self.arena,
        );
        try self.stages.append(self.arena, .{
            .name = layer.name,
            .synapses = synapses.layer.name,
            .source = self.source,
            .out = layer.out,
            .reaches = reaches,
            .channels = .of(self.source.channels),
            .layout = layout,
            .charge = charge,
            .fanout = @intCast(fanout),
        });
        self.synapses = null;
        self.source, self.map = .{ layer.out, layer.out };
        self.pooled = @splat(1);
    }

    /// Per position of the source. A Linear layer is a convolution over the whole map.
    fn reach(self: *Builder, layout: Layout) Error![]Reach {
        const reaches = try self.arena.alloc(Reach, self.source.positions());
        for (0..self.source.height) |row| {
            for (0..self.source.width) |column| {
                const y = @as(u32, @intCast(row)) / self.pooled[0];
                const x = @as(u32, @intCast(column)) / self.pooled[1];
                const inside = y < layout.in.height and x < layout.in.width;
                reaches[row * self.source.width + column] =
                    if (inside) layout.reach(y, x) else .{ .lost = 1 };
            }
        }
        return reaches;
    }

    fn finish(self: *Builder) Refused!void {
        const last = self.network.readout();
        if (last.op != .Neuron) return self.refuse(last, "is the last layer, which must spike");
        if (self.stages.items.len > limits.stages) return self.failure.refuse(
            .limit,
            "network: {d} populations, more than the {d} that events are handed through",
            .{ self.stages.items.len, limits.stages },
        );
    }
};

test "dividing by multiplying is exact" {
    var random = std.Random.DefaultPrng.init(2);
    const draw = random.random();
    const most: u32 = limits.activations;
    for ([_]u32{ 1, 2, 3, 7, 20, 32, 1 << 13, most - 1, most }) |divisor| {
        const by: Divisor = .of(divisor);
        for ([_]u32{ 0, 1, divisor - 1, most - 1 }) |n|
            try std.testing.expectEqual(n / divisor, by.quotient(n));
        for (0..1000) |_| {
            const n = draw.uintLessThan(u32, most);
            try std.testing.expectEqual(n / divisor, by.quotient(n));
        }
    }
}
