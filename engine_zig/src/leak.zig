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
    biased: bool,
    leaky: bool,
    floor: f32,

    /// `steps` timesteps of all of `v`; how many were computed, at most `most`.
    /// If as many, there may be more to do.
    pub fn pass(self: *const Float, v: []f32, steps: u64, most: u64) u64 {
        switch (self.neuron.charge) {
            inline else => |charge| {
                var left = most;
                for (0..v.len / self.bias.len) |position| {
                    const here = v[position * self.bias.len ..][0..self.bias.len];
                    for (here, self.bias) |*potential, x|
                        left -= self.settle(charge, potential, x, @min(steps, left));
                }
                return most - left;
            },
        }
    }

    fn settle(self: *const Float, comptime charge: Charge, v: *f32, x: f32, steps: u64) u64 {
        for (0..steps) |done| {
            const u = self.neuron.charged(charge, 1, .{x}, .{v.*})[0];
            const next = if (u < self.floor) self.floor else u;
            // What one step leaves as it is, all further ones do.
            if (@as(u32, @bitCast(next)) == @as(u32, @bitCast(v.*))) return done;
            v.* = next;
        }
        return steps;
    }
};

/// Of integers: V = S(R(decay·V + bias)), raised to the fraction that potentials have here.
pub const Whole = struct {
    decay: i64,
    /// Of synapses and neuron, per channel.
    bias: []const i64,
    biased: bool,
    leaky: bool,
    put: fixed.Put,
    raise: u6,
    floor: i64,

    /// As of floats.
    pub fn pass(self: *const Whole, v: anytype, steps: u64, most: u64) u64 {
        var left = most;
        for (0..v.len / self.bias.len) |position| {
            const here = v[position * self.bias.len ..][0..self.bias.len];
            for (here, self.bias) |*potential, bias|
                left -= self.settle(potential, bias, @min(steps, left));
        }
        return most - left;
    }

    fn settle(self: *const Whole, v: anytype, bias: i64, steps: u64) u64 {
        for (0..steps) |done| {
            const next = @max(self.put.one(self.decay * v.* + bias) << self.raise, self.floor);
            if (next == v.*) return done;
            v.* = @intCast(next);
        }
        return steps;
    }
};

test "silent steps are single steps, and end where nothing changes" {
    const whole: Whole = .{
        .decay = 3,
        .bias = &.{ 0, 7 },
        .biased = true,
        .leaky = true,
        .put = .into(.{ .bits = 8, .fraction = 0, .rounding = .nearest }, 2),
        .raise = 0,
        .floor = -100,
    };
    var at_once = [_]i16{ 100, -100 };
    var singly = at_once;
    _ = whole.pass(&at_once, 9, 1000);
    for (0..9) |_| _ = whole.pass(&singly, 1, 1000);
    try std.testing.expectEqualSlices(i16, &singly, &at_once);
    try std.testing.expect(whole.pass(&at_once, std.math.maxInt(u64), 1000) < 1000);
    singly = at_once;
    try std.testing.expectEqual(0, whole.pass(&at_once, 1, 1000));
    try std.testing.expectEqualSlices(i16, &singly, &at_once);
}
