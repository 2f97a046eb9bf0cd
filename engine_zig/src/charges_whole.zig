//! As charges.zig, of integers at the finer of the fractions of state and synapses: all sums are
//! exact, and what rounding there is waits for silent timesteps.

const std = @import("std");
const arrivals = @import("arrivals.zig");
const charges = @import("charges.zig");
const fixed = @import("fixed.zig");
const leak = @import("leak.zig");
const limits = @import("limits.zig");
const Error = @import("failure.zig").Error;
const Event = arrivals.Event;
const Execution = @import("execution.zig").Execution;
const Law = @import("population.zig").Law;
const Layout = @import("reach.zig").Layout;
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;
const Weights = arrivals.Weights;

pub fn read(
    record: *Record,
    layout: Layout,
    synapses: Weights,
    execution: *const Execution,
    arena: std.mem.Allocator,
) Error!struct { charges.Either, Event } {
    const law: Law = try .read(record);
    const own = law.state.fraction;
    _, const gain, _ = law.linear();
    const current = synapses.fraction + synapses.event.range.fraction + gain.fraction;
    const fraction = @max(own, current);
    const scale: Scale = .{ .record = record, .by = try shift(record, fraction - own) };
    const floor = units(execution.floor orelse -std.math.inf(f64), fraction);
    const bounds: Bounds = .{
        .low = @max(floor, try scale.of(-law.state.high())),
        .high = try scale.of(law.state.high() - 1),
        .threshold = try scale.of(law.threshold),
        .value = try scale.of(law.value),
        .start = try scale.of(law.start),
    };
    const levels: charges.Levels(i64) = .{
        .threshold = bounds.threshold,
        .start = bounds.start,
        .value = if (law.reset == .value) bounds.value else bounds.start,
        .rest = if (law.charge == .normal) bounds.start else try scale.of(law.rest),
    };
    try levels.check(record, law.reset, floor);
    const up = try shift(record, fraction - current);
    const added = try multiplied(record, synapses, gain.units, up, arena);
    const silent = try elapse(record, &law, synapses, layout, fraction, floor, execution, arena);
    const paid = law.paid();
    const format = try fixed.Format.read(record, "format");
    const event: Event = .{ .range = paid.after(format, try paid.put(format, record)) };
    inline for (.{ "narrow", "middle", "wide" }) |name| {
        const C = @FieldType(charges.Either, name);
        if (bounds.fit(C.State, C.Weight, added)) {
            const weights = try arrivals.zeros(C.Weight, added.len, arena);
            var order: arrivals.Order = .{ .layout = layout, .weight = synapses.weight };
            for (added) |one| weights[order.next()] = @intCast(one);
            const made: C = .{
                .weights = weights,
                .threshold = @intCast(bounds.threshold),
                .low = @intCast(bounds.low),
                .high = @intCast(bounds.high),
                .start = @intCast(bounds.start),
                .reset = law.reset,
                .value = @intCast(bounds.value),
                .single = execution.single_spike,
                .leak = silent,
                .fraction = fraction,
            };
            return .{ @unionInit(charges.Either, name, made), event };
        }
    }
    unreachable; // levels of 53 bits and weights of 32 fit into the widest
}

/// The weights with all factors in them, in the order of the document.
fn multiplied(
    record: *Record,
    synapses: Weights,
    gain: i64,
    up: u6,
    arena: std.mem.Allocator,
) Error![]i64 {
    const factor = std.math.mul(i64, synapses.event.range.spike, gain) catch
        return record.refuse(.limit, "gain", "makes weights that 64 bits do not hold");
    const added = try arena.alloc(i64, synapses.weight.count());
    for (added, 0..) |*to, i| {
        const product = @as(i128, synapses.weight.at(i64, i)) * factor;
        const raised = std.math.shlExact(i128, product, up) catch std.math.maxInt(i128);
        to.* = std.math.cast(i32, raised) orelse
            return record.refuse(.limit, "gain", "makes weights that 32 bits do not hold");
    }
    return added;
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

const Bounds = struct {
    low: i64,
    high: i64,
    threshold: i64,
    value: i64,
    start: i64,

    /// Whether S holds all levels (and, unless sums saturate there, all sums), and W the weights.
    fn fit(self: Bounds, comptime S: type, comptime W: type, added: []const i64) bool {
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

/// The silent timestep, null where it changes nothing.
fn elapse(
    record: *Record,
    law: *const Law,
    synapses: Weights,
    layout: Layout,
    fraction: i32,
    floor: i64,
    execution: *const Execution,
    arena: std.mem.Allocator,
) Error!?*const leak.Whole {
    const decay, const gain, const constant = law.linear();
    const leaky = law.charge != .normal or decay.units != 1 or decay.fraction != 0;
    if (!leaky and constant.units == 0 and synapses.bias == null) return null;
    try charges.timed(record, execution);
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
        .biased = synapses.bias != null,
        .leaky = leaky,
        .put = .into(law.state, fine - law.state.fraction),
        .raise = @intCast(fraction - law.state.fraction),
        .floor = floor,
    };
    return made;
}
