//! Populations of neurons: charge, fire, reset, every operation in float32 and in the written
//! order, so that each result is that of the framework, bit for bit.

const std = @import("std");
const simd = @import("simd.zig");
const Frame = @import("scratch.zig").Frame;
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;
const Spikes = @import("scratch.zig").Spikes;

pub const Charge = enum { normal, lif, lif_undecayed };
pub const Reset = enum { subtract, value };

pub const Neuron = struct {
    threshold: f32,
    decay: f32,
    gain: f32,
    bias: f32,
    reset: Reset,
    value: f32,
    start: f32,
    payload: f32,
    charge: Charge,
    tau: f32,
    rest: f32,

    pub fn read(record: *Record) Refused!Neuron {
        const self: Neuron = .{
            .threshold = try record.float("threshold"),
            .decay = try record.float("decay"),
            .gain = try record.float("gain"),
            .bias = try record.float("bias"),
            .reset = try record.choice(Reset, "reset"),
            .value = try record.float("value"),
            .start = try record.float("start"),
            .payload = try record.float("payload"),
            .charge = try record.choice(Charge, "charge"),
            .tau = try record.float("tau"),
            .rest = try record.float("rest"),
        };
        if (self.tau == 0) return record.refuse(.invalid, "tau", "is zero");
        return self;
    }

    /// One timestep of the neurons from `first` on: input `x`, membrane potentials `v`; spikes are
    /// listed in `y`, which is open.
    pub fn run(self: *const Neuron, x: []const f32, v: []f32, y: *Frame, first: u32) void {
        std.debug.assert(x.len == v.len and first + x.len + simd.slack <= y.list.len);
        const adds = self.charge == .normal and
            self.decay == 1 and self.gain == 1 and self.bias == 0;
        switch (self.reset) {
            inline else => |reset| switch (y.spikes) {
                inline else => |spikes| if (adds)
                    step(null, reset, spikes, self.*, x, v, y, first)
                else switch (self.charge) {
                    inline else => |charge| step(charge, reset, spikes, self.*, x, v, y, first),
                },
            },
        }
    }

    /// Without a `charge`, potentials are sums of inputs, nothing else.
    fn step(
        comptime charge: ?Charge,
        comptime reset: Reset,
        comptime spikes: Spikes,
        // A copy, which no store to `v` or `y` can change.
        self: Neuron,
        x: []const f32,
        v: []f32,
        y: *Frame,
        first: u32,
    ) void {
        const values = y.values(f32)[first..][0..x.len];
        var count = y.count;
        var i: u32 = 0;
        inline for (.{ simd.lanes(f32), 1 }) |width| {
            const V = @Vector(width, f32);
            while (i + width <= x.len) : (i += width) {
                const before: V, const added: V = .{ v[i..][0..width].*, x[i..][0..width].* };
                const u = if (charge) |how|
                    self.charged(how, width, added, before)
                else
                    before + added;
                const threshold: V = @splat(self.threshold);
                const fired = u >= threshold;
                const after: V = if (reset == .subtract) u - threshold else @splat(self.value);
                simd.put(f32, width, v[i..].ptr, @select(f32, fired, after, u));
                const payload: V = @splat(self.payload);
                const out = @select(f32, fired, payload, @as(V, @splat(0)));
                if (spikes == .many) simd.put(f32, width, values[i..].ptr, out);
                count = simd.append(width, spikes != .few, fired, first + i, y.list, count);
            }
        }
        y.count = count;
    }

    /// What `x` makes of `v`, before threshold and reset.
    pub inline fn charged(
        self: Neuron,
        comptime charge: Charge,
        comptime width: u32,
        x: @Vector(width, f32),
        v: @Vector(width, f32),
    ) @Vector(width, f32) {
        const V = @Vector(width, f32);
        const tau: V = @splat(self.tau);
        const rest: V = @splat(self.rest);
        switch (charge) {
            .normal => {
                const kept = @as(V, @splat(self.decay)) * v;
                const added = @as(V, @splat(self.gain)) * x;
                return (kept + added) + @as(V, @splat(self.bias));
            },
            .lif => return v + (x - (v - rest)) / tau,
            .lif_undecayed => return (v - (v - rest) / tau) + x,
        }
    }
};

test "a neuron at its threshold fires, a NaN does not" {
    var neuron: Neuron = .{
        .threshold = 1,
        .decay = 1,
        .gain = 1,
        .bias = 0,
        .reset = .subtract,
        .value = 0,
        .start = 0,
        .payload = 2,
        .charge = .normal,
        .tau = 1,
        .rest = 0,
    };
    var v = [_]f32{ 0, 0.5, 0.25 };
    var values: [3]f32 align(64) = @splat(0);
    var list: [3 + simd.slack]u32 = undefined;
    var y: Frame = .{ .memory = std.mem.sliceAsBytes(&values), .list = &list };
    y.open(f32, 3);
    neuron.run(&.{ std.math.nan(f32), 0.5, 0.5 }, &v, &y, 0);
    try std.testing.expectEqual(1, y.close(f32, neuron.payload));
    try std.testing.expectEqualSlices(f32, &.{ 0, 2, 0 }, &values);
    try std.testing.expectEqual(1, list[0]);
    try std.testing.expectEqual(0, v[1]);
    try std.testing.expectEqual(0.75, v[2]);
    neuron.payload = 0;
    y.open(f32, 3);
    neuron.run(&.{ 0, 1, 0 }, &v, &y, 0);
    try std.testing.expectEqual(1, y.close(f32, 0));
    try std.testing.expectEqual(0, y.count);
}
