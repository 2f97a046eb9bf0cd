//! What events do to potentials: per synapse a number that is added, per population the threshold
//! and the reset. All factors on the way (what a spike is worth, the division of an average, the
//! gain of the neuron) are multiplied into the weights when a network is loaded.

const std = @import("std");
const arrivals = @import("arrivals.zig");
const leak = @import("leak.zig");
const whole = @import("charges_whole.zig");
const Error = @import("failure.zig").Error;
const Event = arrivals.Event;
const Execution = @import("execution.zig").Execution;
const Layout = @import("reach.zig").Layout;
const Neuron = @import("neuron.zig").Neuron;
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;
const Reset = @import("neuron.zig").Reset;
const Weights = arrivals.Weights;

pub const Either = union(enum) {
    float: Charge(f32, f32),
    /// Integers: the narrowest that hold what they must.
    narrow: Charge(i16, i8),
    middle: Charge(i32, i16),
    wide: Charge(i64, i32),

    /// The population of a Neuron's record behind `synapses`, and what its spikes are worth.
    pub fn read(
        record: *Record,
        layout: Layout,
        synapses: Weights,
        execution: *const Execution,
        arena: std.mem.Allocator,
    ) Error!struct { Either, Event } {
        if (record.states("state_format"))
            return whole.read(record, layout, synapses, execution, arena);
        return floats(record, layout, synapses, execution, arena);
    }

    pub fn bytes(self: *const Either) usize {
        return switch (self.*) {
            inline else => |charge| @sizeOf(@TypeOf(charge).State),
        };
    }
};

/// Potentials S, to which weights W are added.
pub fn Charge(comptime S: type, comptime W: type) type {
    return struct {
        weights: []align(64) W,
        threshold: S,
        /// No potential is below or above: the floor, and what the format of integers holds.
        low: S,
        high: S,
        start: S,
        reset: Reset,
        value: S,
        single: bool,
        /// Null where time changes nothing.
        leak: ?*const (if (S == f32) leak.Float else leak.Whole),
        /// Of integers.
        fraction: i32 = 0,

        /// Whether one event may make a neuron fire more than once.
        pub fn repeats(self: *const @This()) bool {
            return !self.single and self.reset == .subtract;
        }

        pub const State = S;
        pub const Weight = W;
    };
}

/// Levels of a neuron, which is at `rest` without input.
pub fn Levels(comptime T: type) type {
    return struct {
        threshold: T,
        start: T,
        value: T,
        rest: T,

        /// That it stops firing, and that no level is below the floor.
        pub fn check(self: @This(), record: *Record, reset: Reset, floor: T) Refused!void {
            if (reset == .subtract and self.threshold <= 0)
                return record.refuse(.unsupported, "threshold", "is not above 0: fires for ever");
            if (reset == .value and self.value >= self.threshold)
                return record.refuse(.unsupported, "value", "is at the threshold: fires for ever");
            inline for (.{ "start", "value", "rest" }) |key| {
                if (@field(self, key) < floor) return record.refuse(
                    .invalid,
                    key,
                    "is below the floor (load: 'execution': 'floor')",
                );
            }
        }
    };
}

/// The timestep of a neuron that time changes.
pub fn timed(record: *Record, execution: *const Execution) Refused!void {
    if (execution.dt_us != null) return;
    return record.failure.refuse(
        .invalid,
        "{s}: bias or leak act once per timestep; load: 'execution': 'dt_us' must tell how long" ++
            " one is",
        .{record.place},
    );
}

fn floats(
    record: *Record,
    layout: Layout,
    synapses: Weights,
    execution: *const Execution,
    arena: std.mem.Allocator,
) Error!struct { Either, Event } {
    const neuron: Neuron = try .read(record);
    const floor: f32 = if (execution.floor) |f| @floatCast(f) else -std.math.inf(f32);
    const levels: Levels(f32) = .{
        .threshold = neuron.threshold,
        .start = neuron.start,
        .value = if (neuron.reset == .value) neuron.value else neuron.start,
        .rest = if (neuron.charge == .normal) neuron.start else neuron.rest,
    };
    try levels.check(record, neuron.reset, floor);
    return .{
        .{ .float = .{
            .weights = try multiplied(record, layout, synapses, &neuron, arena),
            .threshold = neuron.threshold,
            .low = floor,
            .high = std.math.inf(f32),
            .start = neuron.start,
            .reset = neuron.reset,
            .value = neuron.value,
            .single = execution.single_spike,
            .leak = try silent(record, layout, synapses, &neuron, floor, execution, arena),
        } },
        .{ .payload = neuron.payload },
    };
}

/// The weights with all factors in them, each product and quotient rounded to float32.
fn multiplied(
    record: *Record,
    layout: Layout,
    synapses: Weights,
    neuron: *const Neuron,
    arena: std.mem.Allocator,
) Error![]align(64) f32 {
    const weight = synapses.weight;
    const weights = try arrivals.zeros(f32, weight.count(), arena);
    const count: f32 = @floatFromInt(synapses.event.count);
    var order: arrivals.Order = .{ .layout = layout, .weight = weight };
    for (0..weight.count()) |i| {
        const paid = weight.at(f32, i) * synapses.event.payload;
        const shared = paid / count;
        const added = switch (neuron.charge) {
            .normal => shared * neuron.gain,
            .lif => shared / neuron.tau,
            .lif_undecayed => shared,
        };
        if (!std.math.isFinite(added))
            return record.refuse(.unsupported, "gain", "makes weights that are not finite");
        weights[order.next()] = added;
    }
    return weights;
}

/// The silent timestep, null where it changes nothing.
fn silent(
    record: *Record,
    layout: Layout,
    synapses: Weights,
    neuron: *const Neuron,
    floor: f32,
    execution: *const Execution,
    arena: std.mem.Allocator,
) Error!?*const leak.Float {
    const leaky = neuron.charge != .normal or neuron.decay != 1;
    if (!leaky and neuron.bias == 0 and synapses.bias == null) return null;
    try timed(record, execution);
    const bias = try arena.alloc(f32, layout.out.channels);
    for (bias, 0..) |*to, c| to.* = if (synapses.bias) |array| array.at(f32, c) else 0;
    const made = try arena.create(leak.Float);
    made.* = .{
        .neuron = neuron.*,
        .bias = bias,
        .biased = synapses.bias != null,
        .leaky = leaky,
        .floor = floor,
    };
    return made;
}
