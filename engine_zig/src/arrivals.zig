//! What comes to synapses, and the weights that it is multiplied by, as the document has them.

const std = @import("std");
const fixed = @import("fixed.zig");
const limits = @import("limits.zig");
const Array = @import("array.zig").Array;
const Layout = @import("reach.zig").Layout;
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;

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

/// Room for weights, all zero.
pub fn zeros(comptime T: type, count: usize, arena: std.mem.Allocator) ![]align(64) T {
    const made = try arena.alignedAlloc(T, .@"64", count + slack);
    @memset(made, 0);
    return made;
}

/// Where in the layout the weights of the document stand, one after another.
pub const Order = struct {
    layout: Layout,
    weight: Array,
    at: [4]u32 = @splat(0),

    pub fn next(self: *Order) usize {
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
