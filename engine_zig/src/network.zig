//! A network document as the plan of its execution: layers in order, the tensors between them, and
//! everything about their sizes that can be known before the first sample.

const std = @import("std");
const counters = @import("counters.zig");
const fixed = @import("fixed.zig");
const gather = @import("gather.zig");
const graph = @import("graph.zig");
const limits = @import("limits.zig");
const msgpack = @import("msgpack.zig");
const pointwise = @import("pointwise.zig");
const population = @import("population.zig");
const quantised = @import("quantised.zig");
const Conv = @import("conv.zig").Conv;
const Error = @import("failure.zig").Error;
const Failure = @import("failure.zig").Failure;
const Finish = @import("finish.zig").Finish;
const Grid = @import("grid.zig").Grid;
const Linear = @import("linear.zig").Linear;
const Neuron = @import("neuron.zig").Neuron;
const Number = @import("tensor.zig").Number;
const Pool = @import("pool.zig").Pool;
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;
const Rounding = @import("grid.zig").Rounding;
const Shape = @import("tensor.zig").Shape;

pub const Type = enum { Conv, Linear, Pool, GlobalSum, BatchNorm, Flatten, Add, Relu, Neuron };
const Mode = enum { static, sequence };

pub const Layer = struct {
    name: []const u8,
    op: Op,
    /// The tensors that it reads, in the order of the edges.
    sources: []u32,
    /// The tensor that it writes.
    target: u32,
    in: Shape,
    out: Shape,
    /// Equal at all timesteps: the input is, and no neuron lies between. Computed once.
    constant: bool,
    /// Its sums are taken up by the neurons of the next layer, and seen by nobody else: no tensor
    /// holds them.
    taken: bool = false,
    /// What its output is put on.
    grid: ?Grid = null,
    /// If quantised, what is done to its inputs before, and to what it forms of them after.
    puts: []Put = &.{},
    finish: Finish = .none,
    /// What it puts out, and what is known of its counts.
    traffic: counters.Traffic = .numbers,
    counter: counters.Counter = .{},

    pub const Op = union(Type) {
        Conv: Conv,
        Linear: Linear,
        Pool: Pool,
        GlobalSum: pointwise.GlobalSum,
        BatchNorm: pointwise.BatchNorm,
        Flatten: void,
        Add: pointwise.Add,
        Relu: void,
        Neuron: union(enum) { float: Neuron, whole: population.Either },
    };

    /// A Flatten whose memory order is the document's already: nothing to do.
    pub fn alias(self: *const Layer) bool {
        return self.op == .Flatten and (self.in.channels == 1 or self.in.positions() == 1);
    }

    /// Whether it counts the non-zeros that it reads, which must then be listed. (A Relu counts
    /// those that it puts out.)
    pub fn synaptic(self: *const Layer) bool {
        return self.op == .Conv or self.op == .Linear;
    }
};

/// A tensor put into the format in which a layer wants it.
pub const Put = struct { from: u32, to: u32, finish: Finish };

/// What one layer hands to others.
pub const Slot = struct {
    elements: u32,
    /// What is known of its integers.
    range: fixed.Range = .{ .peak = 0, .fraction = 0 },
    /// Whether somebody wants the list of its non-zeros.
    listed: bool = false,
    /// Whether it is the same at all timesteps.
    constant: bool = false,
};

pub const Network = struct {
    input: Shape,
    timesteps: u32,
    mode: Mode,
    layers: []Layer,
    /// Slot 0 is the input.
    slots: []Slot,
    number: Number = .float32,
    /// If quantised, the integers that it is shown.
    format: ?fixed.Format = null,
    /// What inputs are put on, as far as the engine can: `raw` is false where only the host can.
    grid: ?Grid = null,
    raw: bool = true,
    /// Bytes per timestep of the largest padded input of a convolution, of the most places where
    /// positions of an input begin in its list, and of the most sums that are formed as other
    /// numbers than they are put out.
    padded: u64 = 0,
    begins: u64 = 0,
    sums: u64 = 0,
    /// Bytes of the most sums that a population takes up, at all timesteps at hand, and of what it
    /// makes of them at one.
    joined: u64 = 0,
    intake: u64 = 0,
    /// How many timesteps of a layer are done before those of the next one.
    chunk: u32 = 1,
    /// Operations of one sample if every input were non-zero.
    work: u64 = 0,
    synapses: u64 = 0,

    pub fn readout(self: *const Network) *const Layer {
        return &self.layers[self.layers.len - 1];
    }

    /// Bytes of the frames of one sample.
    pub fn frameBytes(self: *const Network) u64 {
        const frames: u64 = if (self.mode == .sequence) self.timesteps else 1;
        return frames * self.input.elements() * 4;
    }

    /// The sum of a quantised readout as the number that it stands for, over the timesteps.
    pub fn logit(self: *const Network, sum: i64) f32 {
        // In two steps, each within the range of exponents; what is beyond is 0 or infinite anyhow.
        const by = std.math.clamp(-self.slots[self.readout().target].range.fraction, -2000, 2000);
        const half = @divTrunc(by, 2);
        const number = @as(f64, @floatFromInt(sum)) * fixed.power(half) * fixed.power(by - half);
        return @floatCast(number / @as(f64, @floatFromInt(self.timesteps)));
    }

    /// Everything lives in `arena`, also after an error.
    pub fn read(value: msgpack.Value, arena: std.mem.Allocator, failure: *Failure) Error!Network {
        var record = try Record.read(value, "network", failure);
        if (!std.mem.eql(u8, try record.text("format"), "snn-network"))
            return record.refuse(.invalid, "format", "is not 'snn-network'");
        const version = try record.integer("version", 0, std.math.maxInt(u64));
        if (version != limits.version) return failure.refuse(
            .unsupported,
            "network: a document of version {d}; this engine reads {d}",
            .{ version, limits.version },
        );
        var self: Network = .{
            .input = try .read(&record, "input_shape"),
            .timesteps = @intCast(try record.integer("timesteps", 1, limits.timesteps)),
            .mode = try record.choice(Mode, "mode"),
            .layers = undefined,
            .slots = undefined,
        };
        const list = (try record.take("layers")).array() orelse
            return record.refuse(.invalid, "layers", "is not a list");
        if (list.count < 1 or list.count > limits.layers) return failure.refuse(
            .limit,
            "network: {d} layers, not within 1 … {d}",
            .{ list.count, limits.layers },
        );
        const edges = (try record.take("edges")).array() orelse
            return record.refuse(.invalid, "edges", "is not a list");
        if (edges.count > limits.edges) return failure.refuse(
            .limit,
            "network: {d} edges exceed {d}",
            .{ edges.count, limits.edges },
        );
        const records = try self.open(list, arena, failure);
        for (records) |*layer| {
            if (layer.states("weight_format") or layer.states("state_format"))
                self.format = try fixed.Format.read(&record, "input_format") orelse
                    return record.refuse(.invalid, "input_format", "is missing");
        }
        if (self.format) |format| {
            self.grid = .of(format.bits, format.fraction, format.rounding);
        } else try self.admit(try record.take("input_format"), failure);
        try record.finish();
        try graph.connect(self.layers, edges, arena, failure);
        try self.assemble(records, arena, failure);
        return self;
    }

    /// The grid on which inputs of floats are put. One that float32 cannot hold is the host's.
    fn admit(self: *Network, value: msgpack.Value, failure: *Failure) Refused!void {
        if (value.nil()) return;
        var record = try Record.read(value, "network: 'input_format'", failure);
        const bits = try record.integer("bits", 1, 64);
        const fraction = (try record.take("fraction")).number() orelse
            return record.refuse(.invalid, "fraction", "is not a number");
        const rounding = try record.choice(Rounding, "rounding");
        try record.finish();
        self.raw = bits >= 2 and bits <= limits.grid_bits and fraction == @round(fraction) and
            fraction >= limits.grid_fraction_min and fraction <= limits.grid_fraction_max;
        if (self.raw) self.grid = .of(@intCast(bits), @intFromFloat(fraction), rounding);
    }

    /// The layers, with their names alone.
    fn open(
        self: *Network,
        list: msgpack.Items,
        arena: std.mem.Allocator,
        failure: *Failure,
    ) Error![]Record {
        const count: u32 = @intCast(list.count);
        self.layers = try arena.alloc(Layer, count);
        const records = try arena.alloc(Record, count);
        var items = list;
        for (self.layers, records, 0..) |*layer, *record, i| {
            const value = items.next() orelse
                return failure.refuse(.malformed, "network: a broken list of layers", .{});
            const number = try std.fmt.allocPrint(arena, "layer {d}", .{i});
            record.* = try Record.read(value, number, failure);
            layer.name = try arena.dupe(u8, try record.text("name"));
            if (layer.name.len == 0 or layer.name.len > limits.name_bytes)
                return record.refuse(.limit, "name", "is empty or too long");
            record.place = try std.fmt.allocPrint(arena, "layer '{s}'", .{layer.name});
        }
        return records;
    }

    fn assemble(
        self: *Network,
        records: []Record,
        arena: std.mem.Allocator,
        failure: *Failure,
    ) Error!void {
        var slots: std.ArrayList(Slot) = .empty;
        const still = self.mode == .static;
        try slots.append(arena, .{ .elements = self.input.elements(), .constant = still });
        if (self.format) |format| slots.items[0].range = .{
            .peak = @intCast(format.high()),
            .fraction = format.fraction,
            .bits = format.bits,
        };
        for (self.layers, records) |*layer, *record| try self.place(layer, record, &slots, arena);
        self.slots = slots.items;
        try counters.settle(self, arena);
        try self.join(arena);
        try self.measure(failure);
        if (self.format != null) try self.widen(failure);
    }

    /// Find the sums that a population alone takes up, from the layer before it.
    fn join(self: *Network, arena: std.mem.Allocator) error{OutOfMemory}!void {
        const readers = try arena.alloc(u32, self.slots.len);
        @memset(readers, 0);
        for (self.layers) |*layer| {
            for (layer.sources) |source| readers[source] += 1;
            for (layer.puts) |put| readers[put.from] += 1;
        }
        for (self.layers[0 .. self.layers.len - 1], self.layers[1..]) |*layer, *next| {
            layer.taken = layer.synaptic() and !layer.constant and next.op == .Neuron and
                next.sources[0] == layer.target and readers[layer.target] == 1;
            if (layer.taken) self.slots[layer.target].elements = 0;
        }
    }

    /// Which integers hold all that layers hand to others.
    fn widen(self: *Network, failure: *Failure) Refused!void {
        self.number = .int32;
        for (self.slots) |slot| {
            if (!slot.range.narrow()) self.number = .int64;
        }
        const peak = self.slots[self.readout().target].range.peak;
        if (@as(u128, peak) * self.timesteps >= 1 << 63) return failure.refuse(
            .limit,
            "network: the logits are sums of up to {d} over {d} timesteps, beyond 64 bits",
            .{ peak, self.timesteps },
        );
    }

    /// Read one layer, whose sources are all read, and give it a slot to write to.
    fn place(
        self: *Network,
        layer: *Layer,
        record: *Record,
        slots: *std.ArrayList(Slot),
        arena: std.mem.Allocator,
    ) Error!void {
        const kind = try record.choice(Type, "type");
        if (layer.sources.len == 0 or (layer.sources.len > 1 and kind != .Add) or
            (layer.sources.len < 2 and kind == .Add)) return record.failure.refuse(
            .invalid,
            "{s}: {d} inputs",
            .{ record.place, layer.sources.len },
        );
        layer.in = self.shapeOf(layer.sources[0]);
        layer.constant = self.mode == .static and kind != .Neuron;
        var traffic: counters.Traffic = .numbers;
        for (layer.sources, 0..) |*source, i| {
            const shape = self.shapeOf(source.*);
            if (!shape.eql(layer.in)) return record.failure.refuse(
                .invalid,
                "{s}: inputs of {f} and {f} cannot be added",
                .{ record.place, layer.in, shape },
            );
            const fed = if (source.* > 0) self.layers[source.* - 1].traffic else .numbers;
            traffic = if (i == 0) fed else traffic.plus(fed);
            if (source.* > 0) {
                const before = &self.layers[source.* - 1];
                layer.constant = layer.constant and before.constant;
                source.* = before.target;
            }
        }
        layer.puts, layer.finish, layer.grid = .{ &.{}, .none, null };
        layer.taken = false; // until it is known what comes after, see `join`
        var fraction: i32 = 0;
        var range: fixed.Range = .{ .peak = 0, .fraction = 0 };
        if (self.format == null) {
            try operation(layer, kind, record, &.{}, arena);
            try unquantised(record);
        } else {
            const ranges = try quantised.admit(layer, kind, record, slots, arena);
            try operation(layer, kind, record, ranges, arena);
            range = try quantised.quantise(layer, record, ranges, arena);
            fraction = ranges[0].fraction;
        }
        layer.traffic = traffic.after(layer, range);
        layer.counter = try .read(record, layer, traffic, fraction, arena);
        try record.finish();
        if (layer.alias()) {
            layer.target = layer.sources[0];
        } else {
            layer.target = @intCast(slots.items.len);
            try slots.append(arena, .{
                .elements = layer.out.elements(),
                .range = range,
                .constant = layer.constant,
            });
        }
        if (layer.op == .Neuron or layer.op == .Relu) slots.items[layer.target].listed = true;
        if (layer.synaptic()) slots.items[layer.sources[0]].listed = true;
    }

    fn shapeOf(self: *const Network, node: u32) Shape {
        return if (node == 0) self.input else self.layers[node - 1].out;
    }

    /// `ranges` are of the inputs of a quantised layer, none of one of floats.
    fn operation(
        layer: *Layer,
        kind: Type,
        record: *Record,
        ranges: []const fixed.Range,
        arena: std.mem.Allocator,
    ) Error!void {
        const in = layer.in;
        const x: ?fixed.Range = if (ranges.len > 0) ranges[0] else null;
        layer.op = switch (kind) {
            .Conv => .{ .Conv = try .read(record, in, x, arena) },
            .Linear => .{ .Linear = try .read(record, in, x, arena) },
            .Pool => .{ .Pool = try .read(record, in, x, arena) },
            .GlobalSum => .{ .GlobalSum = try .read(record, in, x) },
            .BatchNorm => .{ .BatchNorm = try .read(record, in, x, arena) },
            .Flatten => .Flatten,
            .Add => .{ .Add = try .read(record, ranges, arena) },
            .Relu => .Relu,
            // That of a quantised one follows when its payload is known.
            .Neuron => .{ .Neuron = if (x == null) .{ .float = try .read(record) } else undefined },
        };
        layer.out = switch (layer.op) {
            .Conv => |conv| conv.field.out,
            .Linear => |linear| linear.field.out,
            .Pool => |pool| pool.out,
            .GlobalSum => .{ .channels = in.channels },
            .Flatten => .{ .channels = in.elements() },
            .BatchNorm, .Add, .Relu, .Neuron => in,
        };
        if (x != null) return;
        layer.grid = switch (kind) {
            .Pool, .GlobalSum, .Add, .Relu => try .read(record, "format"),
            .Conv, .Linear, .BatchNorm, .Flatten, .Neuron => null,
        };
    }

    /// What only a quantised layer has may stand there, but must say that it is none.
    fn unquantised(record: *Record) Refused!void {
        const what = "is that of a quantised layer, in a network of floats";
        inline for (.{ "weight_format", "bias_format", "state_format", "format" }) |key| {
            if (!record.has(key)) {
                const value = record.optional(key);
                if (value != null and !value.?.nil()) return record.refuse(.unsupported, key, what);
            }
        }
        if (record.optional("input_formats")) |value| {
            const list = value.array() orelse
                return record.refuse(.invalid, "input_formats", "is not a list");
            if (list.count > 0) return record.refuse(.unsupported, "input_formats", what);
        }
        if (record.optional("leak")) |value| {
            if (value.number() != 0) return record.refuse(.unsupported, "leak", what);
        }
        if (!record.has("accumulator")) {
            const value = record.optional("accumulator") orelse return;
            if (!std.mem.eql(u8, value.text() orelse "", "float32"))
                return record.refuse(.unsupported, "accumulator", what);
        }
    }

    /// Note what synapses and their kernels take; the bytes of one sum.
    fn reserve(self: *Network, layer: *const Layer) u64 {
        switch (layer.op) {
            inline .Conv, .Linear => |op| switch (op.synapses) {
                inline else => |s| {
                    const size = @sizeOf(@TypeOf(s).Sum);
                    const field = op.field;
                    const weights = @as(u64, field.taps()) * field.shareIn() * field.out.channels;
                    self.synapses += weights + field.out.channels;
                    const padded: u64 = field.window.padded(field.in).elements();
                    self.padded = @max(self.padded, size * padded);
                    self.begins = @max(self.begins, 4 * gather.places(@TypeOf(s), &field));
                    return size;
                },
            },
            inline .Pool, .GlobalSum, .Add => |op| return op.accumulator.size(),
            .BatchNorm => |norm| return if (norm == .float) 4 else 8,
            .Flatten, .Relu, .Neuron => return 4,
        }
    }

    /// Sum up what the limits bound.
    fn measure(self: *Network, failure: *Failure) Refused!void {
        var activations: u64 = 0;
        for (self.slots) |slot| activations += slot.elements;
        if (activations > limits.activations) return failure.refuse(
            .limit,
            "network: {d} activations per timestep exceed {d}",
            .{ activations, limits.activations },
        );
        for (self.layers) |*layer| {
            self.work +|= layer.out.elements();
            self.work +|= switch (layer.op) {
                inline .Conv, .Linear => |op| op.field.work(),
                .Pool => |pool| pool.work(),
                else => layer.in.elements(),
            };
            const size = self.reserve(layer);
            const kept = if (layer.taken) layer.out.line() else layer.out.elements();
            if (self.format != null or size == 8 or layer.taken)
                self.sums = @max(self.sums, size * kept);
            if (!layer.taken) continue;
            const all = size * limits.chunk * layer.out.elements();
            self.joined = @max(self.joined, @min(all, limits.bands_bytes));
            self.intake = @max(self.intake, limits.band_bytes, 8 * @as(u64, kept));
        }
        if (self.synapses > limits.synapses) return failure.refuse(
            .limit,
            "network: {d} synapses exceed {d}",
            .{ self.synapses, limits.synapses },
        );
        if (self.work > limits.work_step) return failure.refuse(
            .limit,
            "network: {d} operations per timestep exceed {d}",
            .{ self.work, limits.work_step },
        );
        self.work *= self.timesteps;
        const most = @min(limits.chunk, limits.chunk_bytes / @max(1, self.perTimestep()));
        self.chunk = @intCast(std.math.clamp(most, 1, self.timesteps));
    }

    /// Bytes that one thread needs for each timestep that is done at a time.
    pub fn perTimestep(self: *const Network) u64 {
        var all = self.padded + self.begins + self.sums;
        for (self.slots) |slot| all += (self.number.size() + 4) * slot.elements;
        return all;
    }
};
