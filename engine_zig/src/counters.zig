//! What an event-driven machine would do, counted beside the clocked execution of a sample; what
//! each name means is told in docs/engine_abi.md.
//!
//! Only numbers that layers read are looked at, so it does not matter which kernels computed them.

const std = @import("std");
const fixed = @import("fixed.zig");
const Conv = @import("conv.zig").Conv;
const Error = @import("failure.zig").Error;
const Layer = @import("network.zig").Layer;
const Network = @import("network.zig").Network;
const Record = @import("record.zig").Record;
const Scratch = @import("scratch.zig").Scratch;
const Window = @import("window.zig").Window;

/// In the order of replies.
pub const Name = enum {
    events_in,
    events_out,
    synaptic_operations,
    potential_reads,
    potential_writes,
    weight_reads,
    bias_reads,
    comparisons,
    leaks,
    resets,
};

const names = std.enums.values(Name);

/// Where the reply has the counts of one layer: under each name a u64 per sample, little-endian.
pub const Columns = [names.len][]u8;

/// Of one sample so far: events that a layer took in or, if it is a Neuron, put out, and how many
/// outputs those that it took in reached.
pub const Count = struct { events: u64 = 0, reached: u64 = 0 };

/// What a tensor holds, as far as the document tells.
pub const Traffic = enum {
    /// 0 and 1.
    spikes,
    /// How many of several spikes there are: a machine takes them in one by one.
    sums,
    numbers,

    pub fn plus(self: Traffic, other: Traffic) Traffic {
        return if (self == .numbers or other == .numbers) .numbers else .sums;
    }

    /// Of what `layer` puts out, being fed with this; `range` is known of a quantised output.
    pub fn after(self: Traffic, layer: *const Layer, range: fixed.Range) Traffic {
        if (range.spike != 0)
            return if (range.spike == unit(range.fraction)) .spikes else .numbers;
        const kept: Traffic = if (self == .spikes and layer.grid == null) .spikes else .numbers;
        return switch (layer.op) {
            .Neuron => |neuron| switch (neuron) {
                .float => |float| if (float.payload == 1) .spikes else .numbers,
                .whole => .numbers,
            },
            .Flatten, .Add => self,
            .Relu => kept,
            .Pool => |pool| if (pool.how == .max) kept else .numbers,
            .Conv, .Linear, .GlobalSum, .BatchNorm => .numbers,
        };
    }
};

/// What stands for 1 in integers of so many fraction bits, 0 if nothing does.
fn unit(fraction: i32) i64 {
    return if (fraction < 0 or fraction > 62) 0 else @as(i64, 1) << @intCast(fraction);
}

/// What of the counts of a layer is known when it is loaded.
pub const Counter = struct {
    /// How many outputs an input at each position reaches; one entry, if all reach as many.
    reach: []const u32 = &.{},
    /// If it is fed with sums of spikes, what stands for one of them.
    one: i64 = 0,
    /// Whether it holds potentials, which are brought up to date at every timestep.
    holds: bool = false,
    leaks: bool = false,
    biased: bool = false,

    /// Of a layer whose operation has been read; its inputs have `fraction` bits if quantised.
    pub fn read(
        record: *Record,
        layer: *const Layer,
        traffic: Traffic,
        fraction: i32,
        arena: std.mem.Allocator,
    ) Error!Counter {
        switch (layer.op) {
            .Conv, .Linear => {},
            .Neuron => {
                const decay = try record.exact("decay");
                const charge = try record.text("charge");
                const leaks = decay != 1 or !std.mem.eql(u8, charge, "normal");
                return .{ .holds = true, .leaks = leaks };
            },
            .Pool, .GlobalSum, .BatchNorm, .Flatten, .Add, .Relu => return .{},
        }
        return .{
            .reach = switch (layer.op) {
                .Conv => |*conv| try reaches(conv, arena),
                else => try arena.dupe(u32, &.{layer.out.elements()}),
            },
            .one = if (traffic == .sums) unit(fraction) else 0,
            .biased = record.states("bias"),
        };
    }

    /// Events among the inputs of one timestep, and what they reach.
    fn count(self: *const Counter, comptime E: type, x: []const E) Count {
        var found: Count = .{};
        const share = x.len / self.reach.len;
        for (self.reach, 0..) |reach, p| {
            var events: u64 = 0;
            const here = x[p * share ..][0..share];
            if (self.one == 0) {
                for (here) |value| events += @intFromBool(value != 0);
            } else for (here) |value| events += self.summed(E, value);
            found.events += events;
            found.reached += events * reach;
        }
        return found;
    }

    /// How many spikes a sum of them stands for.
    fn summed(self: *const Counter, comptime E: type, value: E) u64 {
        if (E == f32) return if (value > 0) @intFromFloat(@min(@round(value), 1 << 24)) else 0;
        const whole: i64 = @max(value, 0);
        return @intCast(@divTrunc(whole +| @divTrunc(self.one, 2), self.one));
    }
};

/// Per position of the input: the taps that land inside of the output, times the channels that
/// each of them feeds.
fn reaches(conv: *const Conv, arena: std.mem.Allocator) error{OutOfMemory}![]u32 {
    const field = &conv.field;
    const in, const out = .{ field.in, field.out };
    const made = try arena.alloc(u32, in.positions());
    for (made, 0..) |*to, p| {
        const row = landed(field.window, 0, p / in.width, out.height);
        const column = landed(field.window, 1, p % in.width, out.width);
        to.* = @intCast(row * column * field.shareOut());
    }
    return made;
}

/// How many of the `out` outputs along an axis see position `i` of the input.
fn landed(window: Window, axis: u1, i: u64, out: u32) u64 {
    const stride = window.stride[axis];
    const at = i + window.padding[axis];
    const first = if (at < window.size[axis]) 0 else (at - window.size[axis]) / stride + 1;
    const last = @min(at / stride, out - 1);
    return if (first > last) 0 else last - first + 1;
}

/// Where no Neuron takes up what a layer sums, before another one weighs it, the layer itself has
/// to hold it.
pub fn settle(network: *Network, arena: std.mem.Allocator) error{OutOfMemory}!void {
    const taken = try arena.alloc(bool, network.slots.len);
    @memset(taken, false);
    var l = network.layers.len;
    while (l > 0) {
        l -= 1;
        const layer = &network.layers[l];
        if (layer.synaptic()) {
            layer.counter.holds = !taken[layer.target];
            continue;
        }
        const takes = layer.op == .Neuron or taken[layer.target];
        for (layer.sources) |source| taken[source] = taken[source] or takes;
        for (layer.puts) |put| taken[put.from] = taken[put.from] or taken[put.to];
    }
}

/// Count what layer `l` reads at timestep `t` of those at hand; if it is constant, at all of them.
/// Nothing is counted where there is nowhere to tell.
pub fn note(
    comptime E: type,
    network: *const Network,
    scratch: *Scratch,
    columns: []const Columns,
    l: usize,
    t: usize,
) void {
    const layer = &network.layers[l];
    if (columns.len == 0 or !layer.synaptic()) return;
    const times = if (layer.constant) network.timesteps else 1;
    const x = scratch.tensors[layer.sources[0]].at(t).values(E)[0..layer.in.elements()];
    const found = layer.counter.count(E, x);
    scratch.counted[l].events += times * found.events;
    scratch.counted[l].reached += times * found.reached;
}

/// Write down what sample `index` came to.
pub fn tell(
    network: *const Network,
    scratch: *const Scratch,
    columns: []const Columns,
    index: u64,
) void {
    if (columns.len == 0) return;
    for (network.layers, scratch.counted, columns) |*layer, count, into| {
        if (!counted(layer)) continue;
        for (names, into) |name, column| {
            const n = figure(network, layer, count, name);
            std.mem.writeInt(u64, column[8 * index ..][0..8], n, .little);
        }
    }
}

fn figure(network: *const Network, layer: *const Layer, count: Count, name: Name) u64 {
    const steps = @as(u64, network.timesteps) * layer.out.elements();
    const updates = if (layer.counter.holds) steps else 0;
    const neuron = layer.op == .Neuron;
    return switch (name) {
        .events_in => if (neuron) 0 else count.events,
        .events_out, .resets => if (neuron) count.events else 0,
        .synaptic_operations, .weight_reads => count.reached,
        .potential_reads, .potential_writes => count.reached + updates,
        .bias_reads => if (layer.counter.biased) steps else 0,
        .comparisons => if (neuron) steps else 0,
        .leaks => if (layer.counter.leaks) steps else 0,
    };
}

/// Whether anything is counted of `layer`.
pub fn counted(layer: *const Layer) bool {
    return layer.synaptic() or layer.op == .Neuron;
}

/// Bytes that counts of `samples` samples take in a reply, names included.
pub fn replyBytes(network: *const Network, samples: u64) u64 {
    var size: u64 = 16;
    for (network.layers) |*layer| {
        if (!counted(layer)) continue;
        size +|= layer.name.len + 16;
        for (names) |name| size +|= @tagName(name).len +| 8 *| samples +| 16;
    }
    return size;
}

/// Room in a reply for all of them, to be filled in by the run.
pub fn place(
    writer: anytype,
    network: *const Network,
    samples: u64,
    columns: []Columns,
) void {
    var layers: usize = 0;
    for (network.layers) |*layer| layers += @intFromBool(counted(layer));
    writer.text("counters");
    writer.map(layers);
    for (network.layers, columns) |*layer, *into| {
        if (!counted(layer)) continue;
        writer.text(layer.name);
        writer.map(names.len);
        for (names, into) |name, *column| {
            writer.text(@tagName(name));
            column.* = writer.blob(@intCast(8 * samples));
        }
    }
}

test "what lands at borders, and what a stride leaves out" {
    const window: Window = .{ .size = .{ 3, 2 }, .stride = .{ 1, 3 }, .padding = .{ 1, 0 } };
    const rows = [_]u64{ 2, 3, 3, 2 };
    for (rows, 0..) |expected, i| try std.testing.expectEqual(expected, landed(window, 0, i, 4));
    const columns = [_]u64{ 1, 1, 0, 1, 1, 0, 0 }; // of two outputs
    for (columns, 0..) |expected, i| try std.testing.expectEqual(expected, landed(window, 1, i, 2));
}

test "sums of spikes are as many events as they hold, in either kind of number" {
    const float: Counter = .{ .reach = &.{ 4, 2 }, .one = 1 };
    const found = float.count(f32, &.{ 0, 2, 1, 3 });
    try std.testing.expectEqual(Count{ .events = 6, .reached = 16 }, found);
    const whole: Counter = .{ .reach = &.{10}, .one = 8 };
    const other = whole.count(i32, &.{ 0, 8, 16, -8 });
    try std.testing.expectEqual(Count{ .events = 3, .reached = 30 }, other);
    const numbers: Counter = .{ .reach = &.{10} };
    try std.testing.expectEqual(3, numbers.count(f32, &.{ 0, 0.5, -7, 2 }).events);
}
