//! Populations of quantised neurons, by the fixed-point law. Every kind of charge is one exact
//! linear form of potential and input, so one kernel does for all of them.

const std = @import("std");
const fixed = @import("fixed.zig");
const limits = @import("limits.zig");
const simd = @import("simd.zig");
const Charge = @import("neuron.zig").Charge;
const Dyadic = fixed.Dyadic;
const Frame = @import("scratch.zig").Frame;
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;
const Reset = @import("neuron.zig").Reset;
const Spikes = @import("scratch.zig").Spikes;

/// A neuron as the document has it: numbers, and the law to which they are put.
pub const Law = struct {
    threshold: i64,
    value: i64,
    start: i64,
    rest: i64,
    decay: Dyadic,
    gain: Dyadic,
    bias: Dyadic,
    leak: Dyadic,
    payload: Dyadic,
    reset: Reset,
    charge: Charge,
    state: fixed.Format,

    pub fn read(record: *Record) Refused!Law {
        const state = try fixed.Format.read(record, "state_format") orelse
            return record.refuse(.invalid, "state_format", "is missing");
        _ = try record.exact("tau"); // the leak stands for it
        const own = state.fraction;
        const self: Law = .{
            .threshold = try level(record, "threshold", own),
            .value = try level(record, "value", own),
            .start = try level(record, "start", own),
            .rest = try level(record, "rest", own),
            .decay = try dyadic(record, "decay", limits.shift),
            .gain = try dyadic(record, "gain", limits.shift),
            .bias = try dyadic(record, "bias", limits.shift),
            .leak = try dyadic(record, "leak", limits.shift),
            .payload = try dyadic(record, "payload", limits.shift),
            .reset = try record.choice(Reset, "reset"),
            .charge = try record.choice(Charge, "charge"),
            .state = state,
        };
        if (self.start < -state.high() or self.start >= state.high())
            return record.refuse(.invalid, "start", "is beyond its state_format");
        return self;
    }

    /// What it puts out before that is put into a format.
    pub fn paid(self: *const Law) fixed.Range {
        return .{
            .peak = @abs(self.payload.units),
            .fraction = self.payload.fraction,
            .spike = self.payload.units,
        };
    }

    /// Factors of V and X, and what is added: of u = V + (X - (V - rest))·leak, for example,
    /// 1 - leak, leak and rest·leak.
    pub fn linear(self: *const Law) struct { Dyadic, Dyadic, Term } {
        const leak = self.leak;
        if (self.charge == .normal) return .{
            self.decay,
            self.gain,
            .{ .units = self.bias.units, .fraction = self.bias.fraction },
        };
        const whole = @as(i64, 1) << @intCast(leak.fraction);
        return .{
            .{ .units = whole - leak.units, .fraction = leak.fraction },
            if (self.charge == .lif) leak else .{ .units = 1, .fraction = 0 },
            .{
                .units = @as(i128, self.rest) * leak.units,
                .fraction = self.state.fraction + leak.fraction,
            },
        };
    }

    fn dyadic(record: *Record, key: []const u8, most: i32) Refused!Dyadic {
        const value = try record.exact(key);
        return Dyadic.of(value, most) orelse record.failure.refuse(
            .invalid,
            "{s}: '{s}' is {d}, no multiple of 2^-{d} below 2^{d}",
            .{ record.place, key, value, most, limits.sum_bits },
        );
    }

    /// A multiple of 2^-own, in these units.
    fn level(record: *Record, key: []const u8, own: i32) Refused!i64 {
        const value = try dyadic(record, key, own);
        const by = own - value.fraction;
        if (value.units == 0) return 0;
        // A negative `own` takes off zeros that are there.
        if (by < 0) return value.units >> @intCast(-by);
        if (by + 64 - @as(i32, @clz(@abs(value.units))) > 62) return record.failure.refuse(
            .limit,
            "{s}: '{s}' takes more than 62 bits",
            .{ record.place, key },
        );
        return value.units << @intCast(by);
    }
};

/// A coefficient or constant: units·2^-fraction, times a number of up to `times` units.
pub const Term = struct { units: i128, fraction: i32, times: u64 = 1 };

/// u = decay·V + gain·X + bias at the fraction `fraction`, in 53 bits with all that is added.
const Form = struct {
    fraction: i32,
    decay: i64,
    gain: i64,
    bias: i64,
    threshold: i64,
    value: i64,
    peak: u64,

    fn of(record: *Record, law: *const Law, x: fixed.Range) Refused!Form {
        const own = law.state.fraction;
        const decay, const gain, const bias = law.linear();
        const terms = [_]Term{
            .{
                .units = decay.units,
                .fraction = own + decay.fraction,
                .times = @intCast(law.state.high()),
            },
            .{ .units = gain.units, .fraction = x.fraction + gain.fraction, .times = x.peak },
            bias,
            .{ .units = law.threshold, .fraction = own },
            .{ .units = law.value, .fraction = own },
        };
        var fraction = own;
        for (terms) |term| {
            if (term.units != 0 and term.times != 0) fraction = @max(fraction, term.fraction);
        }
        var units: [terms.len]i64 = @splat(0);
        var reach: [terms.len]u128 = @splat(0);
        for (terms, &units, &reach) |term, *unit, *most| {
            if (term.units == 0 or term.times == 0) continue;
            const raised = fixed.raised(@abs(term.units), fraction - term.fraction);
            most.* = raised *| term.times;
            if (raised >= 1 << 62) continue; // refused below
            unit.* = @intCast(std.math.sign(term.units) * @as(i128, @intCast(raised)));
        }
        const peak = reach[0] +| reach[1] +| reach[2] +| @max(reach[3], reach[4]);
        try fixed.bounded(record, peak, fraction);
        return .{
            .fraction = fraction,
            .decay = units[0],
            .gain = units[1],
            .bias = units[2],
            .threshold = units[3],
            .value = units[4],
            .peak = @intCast(peak),
        };
    }
};

/// The population of the record, whose input is known to be in `x`; `fire` is its payload as its
/// `format` has it.
pub const Either = union(enum) {
    int32: Population(i32),
    int64: Population(i64),

    pub fn read(record: *Record, law: *const Law, x: fixed.Range, payload: i64) Refused!Either {
        const form = try Form.of(record, law, x);
        const by = form.fraction - law.state.fraction;
        std.debug.assert(by >= 0);
        if (by > limits.shift) return record.failure.refuse(
            .limit,
            "{s}: its potential is formed with {d} fraction bits more than it keeps, over {d}",
            .{ record.place, by, limits.shift },
        );
        const put: fixed.Put = .into(law.state, by);
        const small = x.peak < 1 << 31 and @abs(payload) < 1 << 31 and put.fits(i32, form.peak);
        if (small) return .{ .int32 = .create(law, &form, put, payload) };
        return .{ .int64 = .create(law, &form, put, payload) };
    }

    pub fn start(self: Either) i32 {
        return switch (self) {
            inline else => |p| p.start,
        };
    }
};

/// Charges, fires and resets with numbers T, which hold every one on the way.
pub fn Population(comptime T: type) type {
    return struct {
        decay: T,
        gain: T,
        /// These three hold what rounding adds to u, which thus need not be added on its own.
        bias: T,
        threshold: T,
        value: T,
        /// The threshold as a reset subtracts it.
        fall: T,
        start: i32,
        payload: T,
        reset: Reset,
        /// From u to what is kept of it.
        right: Shift,
        low: T,
        high: T,

        const Self = @This();
        const Shift = std.math.Log2Int(T);

        fn create(law: *const Law, form: *const Form, put: fixed.Put, payload: i64) Self {
            return .{
                .decay = @intCast(form.decay),
                .gain = @intCast(form.gain),
                .bias = @intCast(form.bias + put.offset),
                .threshold = @intCast(form.threshold + put.offset),
                .value = @intCast(form.value + put.offset),
                .fall = @intCast(form.threshold),
                .start = @intCast(law.start),
                .payload = @intCast(payload),
                .reset = law.reset,
                .right = @intCast(put.right),
                .low = @intCast(put.low),
                .high = @intCast(put.high),
            };
        }

        /// One timestep, as Neuron.run does it for floats.
        pub fn run(
            self: *const Self,
            comptime E: type,
            x: []const E,
            v: []i32,
            y: *Frame,
            first: u32,
        ) void {
            std.debug.assert(x.len == v.len and first + x.len + simd.slack <= y.list.len);
            // Without a leak, both factors are powers of two: shifts, which are cheaper.
            const shifted = self.decay > 0 and self.gain > 0 and
                @popCount(self.decay) == 1 and @popCount(self.gain) == 1;
            switch (self.reset) {
                inline else => |reset| switch (shifted) {
                    inline else => |by_shifts| switch (y.spikes) {
                        inline else => |spikes| {
                            step(E, by_shifts, reset, spikes, self.*, x, v, y, first);
                        },
                    },
                },
            }
        }

        fn step(
            comptime E: type,
            comptime shifted: bool,
            comptime reset: Reset,
            comptime spikes: Spikes,
            self: Self,
            x: []const E,
            v: []i32,
            y: *Frame,
            first: u32,
        ) void {
            const values = y.values(E)[first..][0..x.len];
            const by_v: Shift = if (shifted) @intCast(@ctz(self.decay)) else 0;
            const by_x: Shift = if (shifted) @intCast(@ctz(self.gain)) else 0;
            var count = y.count;
            var i: u32 = 0;
            inline for (.{ simd.lanes(T), 1 }) |width| {
                const V = @Vector(width, T);
                const Shifts = @Vector(width, Shift);
                while (i + width <= x.len) : (i += width) {
                    const shown: @Vector(width, E) = x[i..][0..width].*;
                    const current = simd.numbers(T, width, shown);
                    const before: V = @as(@Vector(width, i32), v[i..][0..width].*);
                    const kept = if (shifted)
                        before << @as(Shifts, @splat(by_v))
                    else
                        before * @as(V, @splat(self.decay));
                    const added = if (shifted)
                        current << @as(Shifts, @splat(by_x))
                    else
                        current * @as(V, @splat(self.gain));
                    const u = kept + (added + @as(V, @splat(self.bias)));
                    const fired = u >= @as(V, @splat(self.threshold));
                    const after: V = if (reset == .subtract)
                        u - @as(V, @splat(self.fall))
                    else
                        @splat(self.value);
                    const left = @select(T, fired, after, u) >> @as(Shifts, @splat(self.right));
                    const kept_low = @max(left, @as(V, @splat(self.low)));
                    const now = @min(kept_low, @as(V, @splat(self.high)));
                    simd.put(i32, width, v[i..].ptr, simd.numbers(i32, width, now));
                    const out = @select(T, fired, @as(V, @splat(self.payload)), @as(V, @splat(0)));
                    const paid = simd.numbers(E, width, out);
                    if (spikes == .many) simd.put(E, width, values[i..].ptr, paid);
                    count = simd.append(width, spikes != .few, fired, first + i, y.list, count);
                }
            }
            y.count = count;
        }
    };
}
