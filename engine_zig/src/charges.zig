//! What events do to potentials: per synapse a number that is added, per population the threshold
//! and the reset. All factors on the way (what a spike is worth, the division of an average, the
//! gain of the neuron) are multiplied into the weights when a network is loaded.

const std = @import("std");
const fixed = @import("fixed.zig");
const leak = @import("leak.zig");
const limits = @import("limits.zig");
const Array = @import("array.zig").Array;
const Error = @import("failure.zig").Error;
const Execution = @import("execution.zig").Execution;
const Law = @import("population.zig").Law;
const Layout = @import("reach.zig").Layout;
const Neuron = @import("neuron.zig").Neuron;
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;
const Reset = @import("neuron.zig").Reset;

/// Behind the last weight and the last potential: whole vectors may be read and written there.
pub const slack = 64;

/// What one event is worth to the synapses that it comes to.
pub const Event = struct {
    /// In a network of floats: what its neuron pays, and how many elements averages are of.
    payload: f32 = 1,
    count: u64 = 1,
    /// In a quantised network.
    range: fixed.Range = .{ .peak = 1, .fraction = 0, .spike = 1 },
    /// Whether it comes from where it is emitted: else it is part of a sum, which there is none of
    /// here to be put into a format.
    direct: bool = true,

    /// An input event stands for 1, in the format of a quantised network's input.
    pub fn shown(format: fixed.Format) Event {
        const put: fixed.Put = .into(format, -@as(i64, format.fraction));
        return .{ .range = .{
            .peak = @intCast(format.high()),
            .fraction = format.fraction,
            .bits = format.bits,
            .spike = put.one(1),
        } };
    }

    /// As part of an average of `count`: exact for powers of two, else by the law's factor.
    pub fn divide(self: *Event, record: *Record, count: u64, quantised: bool) Refused!void {
        self.direct = false;
        self.count *|= count;
        if (!quantised) return;
        const power = std.math.log2_int(u64, count);
        if (count == @as(u64, 1) << power) {
            self.range.fraction += power;
        } else {
            const factor: i64 = @intCast(((2 << limits.factor_bits) + count) / (2 * count));
            self.range.fraction += limits.factor_bits;
            self.range.spike = std.math.mul(i64, self.range.spike, factor) catch
                return record.refuse(.limit, "size", "makes spikes that 64 bits do not hold");
        }
        if (self.range.fraction > limits.shift)
            return record.refuse(.limit, "size", "makes more fraction bits than 60");
    }
};

/// What stands in the document of a layer with synapses, and what comes to it.
pub const Weights = struct {
    weight: Array,
    bias: ?Array,
    event: Event,
    /// Of the integers of weight and bias.
    fraction: i32 = 0,
    bias_fraction: i32 = 0,

    pub fn read(record: *Record, weight: Array, bias: ?Array, event: Event) Refused!Weights {
        var self: Weights = .{ .weight = weight, .bias = bias, .event = event };
        const format = if (record.states("weight_format"))
            try fixed.Format.read(record, "weight_format")
        else
            null;
        const own = format orelse return self;
        self.fraction = own.fraction;
        self.bias_fraction = if (try fixed.Format.read(record, "bias_format")) |other|
            other.fraction
        else
            own.fraction;
        var formats: [1]?fixed.Format = .{null};
        try fixed.Format.list(record, &formats);
        if (event.direct) {
            const range = event.range;
            self.event.range = range.after(formats[0], try range.put(formats[0], record));
        }
        return self;
    }
};

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
            return integers(record, layout, synapses, execution, arena);
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

        pub const State = S;
        pub const Weight = W;
    };
}

/// What is checked of thresholds and levels alike, whatever numbers they are.
fn plausible(
    record: *Record,
    reset: Reset,
    positive: bool,
    above: bool,
    floored: bool,
) Refused!void {
    if (reset == .subtract and !positive)
        return record.refuse(.unsupported, "threshold", "is not above 0: it would fire for ever");
    if (reset == .value and above)
        return record.refuse(.unsupported, "value", "is not below the threshold: it would fire" ++
            " for ever");
    if (floored) return record.refuse(
        .invalid,
        "rest",
        "(or 'start' or 'value') is below the floor (load: 'execution': 'floor')",
    );
}

/// The timestep of a neuron that time changes.
fn timed(record: *Record, execution: *const Execution) Refused!void {
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
    const rest = if (neuron.charge == .normal) neuron.start else neuron.rest;
    const value = if (neuron.reset == .value) neuron.value else neuron.start;
    try plausible(
        record,
        neuron.reset,
        neuron.threshold > 0,
        neuron.value >= neuron.threshold,
        @min(neuron.start, rest, value) < floor,
    );
    const weight = synapses.weight;
    const weights = try zeros(f32, weight.count(), arena);
    var order: Order = .{ .layout = layout, .weight = weight };
    for (0..weight.count()) |i| {
        const paid = weight.at(f32, i) * synapses.event.payload;
        const shared = paid / @as(f32, @floatFromInt(synapses.event.count));
        const added = switch (neuron.charge) {
            .normal => shared * neuron.gain,
            .lif => shared / neuron.tau,
            .lif_undecayed => shared,
        };
        if (!std.math.isFinite(added))
            return record.refuse(.unsupported, "gain", "makes weights that are not finite");
        weights[order.next()] = added;
    }
    var self: Charge(f32, f32) = .{
        .weights = weights,
        .threshold = neuron.threshold,
        .low = floor,
        .high = std.math.inf(f32),
        .start = neuron.start,
        .reset = neuron.reset,
        .value = neuron.value,
        .single = execution.single_spike,
        .leak = null,
    };
    const still = neuron.charge == .normal and neuron.decay == 1 and neuron.bias == 0;
    if (!still or synapses.bias != null) {
        try timed(record, execution);
        const bias = try arena.alloc(f32, layout.out.channels);
        for (bias, 0..) |*to, c| to.* = if (synapses.bias) |array| array.at(f32, c) else 0;
        const made = try arena.create(leak.Float);
        made.* = .{ .neuron = neuron, .bias = bias, .floor = floor };
        self.leak = made;
    }
    return .{ .{ .float = self }, .{ .payload = neuron.payload } };
}

/// As floats, of integers at the finer of the fractions of state and input: sums are exact, and
/// rounding waits for silent steps.
fn integers(
    record: *Record,
    layout: Layout,
    synapses: Weights,
    execution: *const Execution,
    arena: std.mem.Allocator,
) Error!struct { Either, Event } {
    const law: Law = try .read(record);
    const decay, const gain, const constant = law.linear();
    const event = synapses.event.range;
    const own = law.state.fraction;
    const current = synapses.fraction + event.fraction + gain.fraction;
    const fraction = @max(own, current);
    const raise = try shift(record, fraction - own);
    const scale = Scale{ .record = record, .by = raise };
    const floor = units(execution.floor orelse -std.math.inf(f64), fraction);
    const range: Levels = .{
        .low = @max(floor, try scale.of(-law.state.high())),
        .high = try scale.of(law.state.high() - 1),
        .threshold = try scale.of(law.threshold),
        .value = try scale.of(law.value),
        .start = try scale.of(law.start),
    };
    const rest = if (law.charge == .normal) range.start else try scale.of(law.rest);
    const value = if (law.reset == .value) range.value else range.start;
    try plausible(
        record,
        law.reset,
        law.threshold > 0,
        law.value >= law.threshold,
        @min(range.start, rest, value) < floor,
    );
    const factor = std.math.mul(i64, event.spike, gain.units) catch
        return record.refuse(.limit, "gain", "makes weights that 64 bits do not hold");
    const added = try arena.alloc(i64, synapses.weight.count());
    const up = try shift(record, fraction - current);
    for (added, 0..) |*to, i| {
        const exact = @as(i128, synapses.weight.at(i64, i)) * factor << up;
        to.* = std.math.cast(i32, exact) orelse
            return record.refuse(.limit, "gain", "makes weights that 32 bits do not hold");
    }
    const still = law.charge == .normal and decay.units == 1 and decay.fraction == 0 and
        constant.units == 0;
    const silent: ?*const leak.Whole = if (still and synapses.bias == null) null else blk: {
        try timed(record, execution);
        break :blk try elapse(record, &law, synapses, layout, fraction, floor, arena);
    };
    const paid = law.paid();
    const format = try fixed.Format.read(record, "format");
    const worth = paid.after(format, try paid.put(format, record));
    inline for (.{ "narrow", "middle", "wide" }) |name| {
        const C = @FieldType(Either, name);
        if (range.fits(C.State, C.Weight, added)) {
            const weights = try zeros(C.Weight, added.len, arena);
            var order: Order = .{ .layout = layout, .weight = synapses.weight };
            for (added) |one| weights[order.next()] = @intCast(one);
            const self: C = .{
                .weights = weights,
                .threshold = @intCast(range.threshold),
                .low = @intCast(range.low),
                .high = @intCast(range.high),
                .start = @intCast(range.start),
                .reset = law.reset,
                .value = @intCast(range.value),
                .single = execution.single_spike,
                .leak = silent,
                .fraction = fraction,
            };
            return .{ @unionInit(Either, name, self), .{ .range = worth } };
        }
    }
    unreachable;
}

/// The floor in units of 2^-fraction, rounded down; beyond all that is allowed where it is beyond.
fn units(floor: f64, fraction: i32) i64 {
    const most: f64 = 1 << limits.sum_bits;
    return @intFromFloat(std.math.clamp(@floor(floor * fixed.power(fraction)), -most, most));
}

/// By how many bits, if by no more than the law's shifts go.
fn shift(record: *Record, by: i32) Refused!u6 {
    if (by >= 0 and by <= limits.shift) return @intCast(by);
    return record.failure.refuse(
        .limit,
        "{s}: its input has {d} fraction bits more than it keeps, over {d}",
        .{ record.place, by, limits.shift },
    );
}

/// Levels of a state's format at the fraction of potentials.
const Scale = struct {
    record: *Record,
    by: u6,

    fn of(self: Scale, level: i64) Refused!i64 {
        if (fixed.raised(@abs(level), self.by) < 1 << limits.sum_bits) return level << self.by;
        return self.record.failure.refuse(
            .limit,
            "{s}: a level of {d} and {d} fraction bits more exceed {d} bits",
            .{ self.record.place, level, self.by, limits.sum_bits },
        );
    }
};

const Levels = struct {
    low: i64,
    high: i64,
    threshold: i64,
    value: i64,
    start: i64,

    /// Whether S holds all levels (and, unless sums saturate there, all sums), and W the weights.
    fn fits(self: Levels, comptime S: type, comptime W: type, added: []const i64) bool {
        var peak: i64 = 0;
        for (added) |one| {
            if (std.math.cast(W, one) == null) return false;
            peak = @max(peak, @as(i64, @intCast(@abs(one))));
        }
        const beyond = if (S == i16) 0 else peak;
        inline for (.{ self.low - beyond, self.high + beyond, self.threshold, self.value }) |one| {
            if (std.math.cast(S, one) == null) return false;
        }
        return std.math.cast(S, self.start) != null;
    }
};

/// The silent step of integers.
fn elapse(
    record: *Record,
    law: *const Law,
    synapses: Weights,
    layout: Layout,
    fraction: i32,
    floor: i64,
    arena: std.mem.Allocator,
) Error!*const leak.Whole {
    const decay, const gain, const constant = law.linear();
    const input = synapses.bias_fraction + gain.fraction;
    const fine = @max(fraction + decay.fraction, input, constant.fraction);
    const bias = try arena.alloc(i64, layout.out.channels);
    var peak: u128 = 0;
    const base = fixed.raised(@abs(constant.units), fine - constant.fraction);
    for (bias, 0..) |*to, c| {
        const b: i64 = if (synapses.bias) |array| array.at(i64, c) else 0;
        const there = fixed.raised(@as(u128, @abs(b)) * @abs(gain.units), fine - input);
        peak = @max(peak, there + base);
        if (there + base >= 1 << limits.sum_bits) continue; // refused below
        const own: i64 = @intCast(there);
        const always: i64 = @intCast(base);
        to.* = (if ((b < 0) != (gain.units < 0)) -own else own) +
            (if (constant.units < 0) -always else always);
    }
    const by = fine - fraction - decay.fraction;
    const factor = fixed.raised(@abs(decay.units), by);
    const most = fixed.raised(@intCast(law.state.high()), fraction - law.state.fraction);
    peak +|= factor *| most;
    try fixed.bounded(record, peak, fine);
    if (fine - law.state.fraction > limits.shift) return record.failure.refuse(
        .limit,
        "{s}: its potential is formed with {d} fraction bits more than it keeps, over {d}",
        .{ record.place, fine - law.state.fraction, limits.shift },
    );
    const made = try arena.create(leak.Whole);
    made.* = .{
        .decay = std.math.sign(decay.units) * @as(i64, @intCast(factor)),
        .bias = bias,
        .put = .into(law.state, fine - law.state.fraction),
        .raise = @intCast(fraction - law.state.fraction),
        .floor = floor,
    };
    return made;
}

fn zeros(comptime T: type, count: usize, arena: std.mem.Allocator) ![]align(64) T {
    const made = try arena.alignedAlloc(T, .@"64", count + slack);
    @memset(made, 0);
    return made;
}

/// Where in the layout the weights of the document stand, one after another.
const Order = struct {
    layout: Layout,
    weight: Array,
    at: [4]u32 = @splat(0),

    fn next(self: *Order) usize {
        const layout = self.layout;
        const inputs = layout.in.channels / layout.groups;
        const o, const i, const ky, const kx = self.at;
        self.step(.{ layout.out.channels, inputs, layout.window.size[0], layout.window.size[1] });
        return layout.place(o / layout.share() * inputs + i, ky, kx, o);
    }

    fn step(self: *Order, ends: [4]u32) void {
        var axis: usize = 4;
        while (axis > 0) {
            axis -= 1;
            self.at[axis] += 1;
            if (self.at[axis] < ends[axis]) return;
            self.at[axis] = 0;
        }
    }
};
