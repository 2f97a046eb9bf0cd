//! How a network is to be executed, as a load request asks for it.

const std = @import("std");
const limits = @import("limits.zig");
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;
const msgpack = @import("msgpack.zig");
const Failure = @import("failure.zig").Failure;

/// In which order the neurons that one event makes fire do so: y, x, channel ascending, or channel,
/// y, x. It can change results: floats are added up in another order, and a potential that is cut
/// off at the floor in between is another one.
pub const Order = enum { hwc, chw };

/// Event execution: a neuron acts on each event as it comes.
pub const Execution = struct {
    order: Order = .hwc,
    /// No potential falls below it; null: unbounded.
    floor: ?f64 = -1,
    /// At most one output event of a neuron per input event, however high its potential is.
    single_spike: bool = false,
    /// The timestep of what is a function of time: biases and leaks.
    dt_us: ?u64 = null,

    /// What is asked for; null: clocked execution.
    pub fn read(value: msgpack.Value, failure: *Failure) Refused!?Execution {
        var record = try Record.read(value, "load: 'execution'", failure);
        const kind = try record.choice(enum { clocked, event }, "kind");
        if (kind == .clocked) {
            try record.finish();
            return null;
        }
        var self: Execution = .{};
        if (record.optional("order") != null) self.order = try record.choice(Order, "order");
        if (record.optional("floor")) |floor| {
            self.floor = if (floor.nil()) null else try record.float("floor");
        }
        self.single_spike = try record.boolean("single_spike", self.single_spike);
        if (record.optional("dt_us")) |dt| {
            if (!dt.nil()) self.dt_us = try record.integer("dt_us", 1, limits.dt_us);
        }
        try record.finish();
        return self;
    }
};
