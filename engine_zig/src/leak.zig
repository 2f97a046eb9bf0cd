//! What time does to potentials in event execution: silent timesteps, in which nothing but bias and
//! leak act. They are made up for when the next event comes, and k of them are k exact steps.

const std = @import("std");
const fixed = @import("fixed.zig");
const Charge = @import("neuron.zig").Charge;
const Neuron = @import("neuron.zig").Neuron;

/// Of floats: v = max(charge(v, bias), floor), charge as in clocked execution.
pub const Float = struct {
    neuron: Neuron,
    /// Of the synapses, per channel.
    bias: []const f32,
    floor: f32,

    pub fn pass(self: *const Float, v: []f32, steps: u64) void {
        switch (self.neuron.charge) {
            inline else => |charge| {
                for (0..v.len / self.bias.len) |position| {
                    const here = v[position * self.bias.len ..][0..self.bias.len];
                    for (here, self.bias) |*potential, x|
                        potential.* = self.settle(charge, potential.*, x, steps);
                }
            },
        }
    }

    fn settle(self: *const Float, comptime charge: Charge, from: f32, x: f32, steps: u64) f32 {
        var v = from;
        for (0..steps) |_| {
            const u = self.neuron.charged(charge, 1, .{x}, .{v})[0];
            const next = if (u < self.floor) self.floor else u;
            // What one step leaves as it is, all further ones do.
            if (@as(u32, @bitCast(next)) == @as(u32, @bitCast(v))) break;
            v = next;
        }
        return v;
    }
};

/// Of integers: V = S(R(decay·V + bias)), raised to the fraction that potentials have here.
pub const Whole = struct {
    decay: i64,
    /// Of synapses and neuron, per channel.
    bias: []const i64,
    put: fixed.Put,
    raise: u6,
    floor: i64,

    pub fn pass(self: *const Whole, v: anytype, steps: u64) void {
        for (0..v.len / self.bias.len) |position| {
            const here = v[position * self.bias.len ..][0..self.bias.len];
            for (here, self.bias) |*potential, bias|
                potential.* = @intCast(self.settle(potential.*, bias, steps));
        }
    }

    fn settle(self: *const Whole, from: i64, bias: i64, steps: u64) i64 {
        var v = from;
        for (0..steps) |_| {
            const next = @max(self.put.one(self.decay * v + bias) << self.raise, self.floor);
            if (next == v) break;
            v = next;
        }
        return v;
    }
};

test "silent steps are single steps, and end where nothing changes" {
    const whole: Whole = .{
        .decay = 3,
        .bias = &.{ 0, 7 },
        .put = .into(.{ .bits = 8, .fraction = 0, .rounding = .nearest }, 2),
        .raise = 0,
        .floor = -100,
    };
    var at_once = [_]i16{ 100, -100 };
    var singly = at_once;
    whole.pass(&at_once, 9);
    for (0..9) |_| whole.pass(&singly, 1);
    try std.testing.expectEqualSlices(i16, &singly, &at_once);
    whole.pass(&at_once, std.math.maxInt(u64));
    singly = at_once;
    whole.pass(&at_once, 1);
    try std.testing.expectEqualSlices(i16, &singly, &at_once);
}
