//! Clocked execution: at every timestep all input is summed, then bias, leak, threshold and reset
//! act once, layer after layer. One call runs one sample from rest, whatever ran before.
//!
//! This file and what it calls are compiled once per level of processor, see build.zig.

const std = @import("std");
const counters = @import("counters.zig");
const pointwise = @import("pointwise.zig");
const simd = @import("simd.zig");
const Layer = @import("network.zig").Layer;
const Network = @import("network.zig").Network;
const Put = @import("network.zig").Put;
const Scratch = @import("scratch.zig").Scratch;
const Total = @import("scratch.zig").Total;
const Child = std.meta.Child;

/// What the samples of one request are read from and written to; regions of samples are disjoint.
pub const Job = struct {
    /// float32, or int32 if quantised, little-endian in document order, frames of one sample after
    /// those of another.
    frames: []const u8,
    logits: []u8,
    /// Per layer, empty but for neurons of a request that asks for spikes: per sample and timestep
    /// bits in document order, the first one highest.
    spikes: []const []u8,
    /// Per layer, empty unless the request asks for them.
    counters: []const counters.Columns,
};

pub const Sample = fn (*const Network, *Scratch, *const Job, u64) callconv(.c) void;

pub fn sample(
    network: *const Network,
    scratch: *Scratch,
    job: *const Job,
    index: u64,
) callconv(.c) void {
    switch (network.number) {
        inline else => |number| show(number.Type(), network, scratch, job, index),
    }
}

/// One sample of a network whose tensors hold numbers E.
fn show(
    comptime E: type,
    network: *const Network,
    scratch: *Scratch,
    job: *const Job,
    index: u64,
) void {
    for (network.layers, 0..) |*layer, l| {
        if (layer.op != .Neuron) continue;
        if (E == f32) {
            simd.fill(f32, scratch.potential(f32, l), layer.op.Neuron.float.start);
        } else simd.fill(i32, scratch.potential(i32, l), layer.op.Neuron.whole.start());
    }
    const total = scratch.total(E);
    @memset(scratch.counted, .{});
    for (0..network.timesteps) |t| {
        const first = t == 0;
        if (first or network.mode == .sequence) input(E, network, scratch, job, index, t);
        for (network.layers, 0..) |*layer, l| {
            if (!first and layer.constant) {
                // It put out the same at the first timestep.
            } else {
                for (layer.puts) |*put| requantise(E, network, scratch, put);
                if (layer.op == .Neuron) {
                    fire(E, layer, scratch, l, job.spikes[l], index * network.timesteps + t);
                } else run(E, network, scratch, layer);
                counters.note(E, network, scratch, job.counters, l);
            }
            if (layer.synaptic())
                scratch.tallies[l].inputs += scratch.tensors[layer.sources[0]].count;
            if (layer.op == .Relu)
                scratch.tallies[l].outputs += scratch.tensors[layer.target].count;
        }
        const last = scratch.tensors[network.readout().target].values(E)[0..total.len];
        if (first) {
            for (total, last) |*sum, value| sum.* = value;
        } else for (total, last) |*sum, value| sum.* += value;
    }
    counters.tell(network, scratch, job.counters, index);
    output(E, network, scratch, job, index);
}

fn input(
    comptime E: type,
    network: *const Network,
    scratch: *Scratch,
    job: *const Job,
    index: u64,
    t: u64,
) void {
    const bytes = 4 * @as(u64, network.input.elements());
    const start = index * network.frameBytes() + t * bytes;
    const tensor = &scratch.tensors[0];
    const values = tensor.values(E)[0..network.input.elements()];
    pointwise.unflatten(E, network.input, job.frames[start..][0..bytes], values);
    if (network.slots[0].listed) tensor.count = simd.nonzeros(E, values, tensor.list);
}

/// An input of a layer put into its format.
fn requantise(
    comptime E: type,
    network: *const Network,
    scratch: *Scratch,
    put: *const Put,
) void {
    if (E == f32) unreachable;
    const x: []const E = scratch.tensors[put.from].values(E);
    const target = &scratch.tensors[put.to];
    const y: []E = target.values(E);
    put.finish.run(E, x, y);
    if (network.slots[put.to].listed) target.count = simd.nonzeros(E, y, target.list);
}

fn run(comptime E: type, network: *const Network, scratch: *Scratch, layer: *const Layer) void {
    if (layer.alias()) return;
    const source = scratch.tensors[layer.sources[0]];
    const target = &scratch.tensors[layer.target];
    const x: []const E = source.values(E)[0..layer.in.elements()];
    const y: []E = target.values(E)[0..layer.out.elements()];
    switch (layer.op) {
        inline .Conv, .Linear => |*op| switch (op.synapses) {
            inline else => |*s| if (comptime kin(E, Child(@TypeOf(s)).Sum)) {
                const sums = scratch.room(Child(@TypeOf(s)).Sum, E, y);
                op.run(E, s, scratch, &source, sums);
                settle(E, layer, sums, y);
            } else unreachable,
        },
        .Pool => |*pool| if (pool.how == .max) {
            pool.run(E, x, y);
            settle(E, layer, y, y);
        } else switch (pool.accumulator) {
            inline else => |kind| if (comptime kin(E, kind.Type())) {
                const sums = scratch.room(kind.Type(), E, y);
                pool.run(E, x, sums);
                settle(E, layer, sums, y);
            } else unreachable,
        },
        .GlobalSum => |op| switch (op.accumulator) {
            inline else => |kind| if (comptime kin(E, kind.Type())) {
                const sums = scratch.room(kind.Type(), E, y);
                pointwise.GlobalSum.run(E, x, sums);
                settle(E, layer, sums, y);
            } else unreachable,
        },
        .BatchNorm => |*norm| {
            const sums = scratch.room(Total(E), E, y);
            norm.run(E, x, sums);
            settle(E, layer, sums, y);
        },
        .Flatten => pointwise.flatten(E, layer.in, x, y),
        .Add => |*add| switch (add.accumulator) {
            inline else => |kind| if (comptime kin(E, kind.Type())) {
                const sums = scratch.room(kind.Type(), E, y);
                add.run(E, scratch, layer.sources, sums);
                settle(E, layer, sums, y);
            } else unreachable,
        },
        .Relu => {
            pointwise.relu(E, x, y);
            settle(E, layer, y, y);
        },
        .Neuron => unreachable,
    }
    if (network.slots[layer.target].listed) target.count = simd.nonzeros(E, y, target.list);
}

/// Whether numbers A may be summed where tensors hold numbers E.
fn kin(comptime E: type, comptime A: type) bool {
    return (@typeInfo(E) == .float) == (@typeInfo(A) == .float);
}

/// From the sums of a layer, which may be `y` itself, to what it puts out.
fn settle(comptime E: type, layer: *const Layer, sums: anytype, y: []E) void {
    if (E == f32) {
        if (Child(@TypeOf(sums)) != E) {
            simd.convert(E, Child(@TypeOf(sums)), y, sums);
        }
        if (layer.grid) |*grid| grid.apply(y);
    } else layer.finish.run(E, sums, y);
}

/// One timestep of a population; its spikes as bits, if `bits` is not empty.
fn fire(
    comptime E: type,
    layer: *const Layer,
    scratch: *Scratch,
    l: usize,
    bits: []u8,
    row: u64,
) void {
    const x = scratch.tensors[layer.sources[0]].values(E)[0..layer.in.elements()];
    const target = &scratch.tensors[layer.target];
    const spikes = if (E == f32)
        layer.op.Neuron.float.run(x, scratch.potential(f32, l), target)
    else switch (layer.op.Neuron.whole) {
        inline else => |*population| population.run(E, x, scratch.potential(i32, l), target),
    };
    scratch.tallies[l].spikes += spikes;
    scratch.counted[l].events += spikes;
    if (bits.len == 0) return;
    const width = packedBytes(layer.out.elements());
    const into = bits[row * width ..][0..width];
    for (target.list[0..spikes]) |index| {
        const neuron = layer.out.first(index);
        into[neuron / 8] |= @as(u8, 0x80) >> @intCast(neuron % 8);
    }
}

pub fn packedBytes(neurons: u32) u64 {
    return (@as(u64, neurons) + 7) / 8;
}

fn output(
    comptime E: type,
    network: *const Network,
    scratch: *const Scratch,
    job: *const Job,
    index: u64,
) void {
    const shape = network.readout().out;
    const count = shape.elements();
    for (scratch.total(E), 0..) |sum, i| {
        const at = 4 * (index * count + shape.first(@intCast(i)));
        const logit: f32 = if (E == f32)
            sum / @as(f32, @floatFromInt(network.timesteps))
        else
            network.logit(sum);
        std.mem.writeInt(u32, job.logits[at..][0..4], @bitCast(logit), .little);
    }
}
