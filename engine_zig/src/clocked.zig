//! Clocked execution: at every timestep all input is summed, then bias, leak, threshold and reset
//! act once, layer after layer. One call runs one sample from rest, whatever ran before.
//!
//! This file and what it calls are compiled once per level of processor, see build.zig.

const std = @import("std");
const pointwise = @import("pointwise.zig");
const simd = @import("simd.zig");
const Layer = @import("network.zig").Layer;
const Network = @import("network.zig").Network;
const Scratch = @import("scratch.zig").Scratch;

/// What the samples of one request are read from and written to; regions of samples are disjoint.
pub const Job = struct {
    /// float32 little-endian in document order, frames of one sample after those of another.
    frames: []const u8,
    logits: []u8,
    /// Per layer, empty but for neurons of a request that asks for spikes: per sample and timestep
    /// bits in document order, the first one highest.
    spikes: []const []u8,
};

pub const Sample = fn (*const Network, *Scratch, *const Job, u64) callconv(.c) void;

pub fn sample(
    network: *const Network,
    scratch: *Scratch,
    job: *const Job,
    index: u64,
) callconv(.c) void {
    for (network.layers, scratch.potentials) |*layer, v| {
        if (layer.op == .Neuron) @memset(v, layer.op.Neuron.start);
    }
    for (0..network.timesteps) |t| {
        const first = t == 0;
        if (first or network.mode == .sequence) input(network, scratch, job, index, t);
        for (network.layers, 0..) |*layer, l| {
            if (layer.op == .Neuron) {
                fire(layer, scratch, l, job.spikes[l], index * network.timesteps + t);
            } else if (first or !layer.constant) run(network, scratch, layer);
            if (layer.synaptic())
                scratch.tallies[l].inputs += scratch.tensors[layer.sources[0]].count;
            if (layer.op == .Relu)
                scratch.tallies[l].outputs += scratch.tensors[layer.target].count;
        }
        const last = scratch.tensors[network.readout().target].values[0..scratch.logits.len];
        if (first) @memcpy(scratch.logits, last) else {
            for (scratch.logits, last) |*sum, value| sum.* += value;
        }
    }
    output(network, scratch, job, index);
}

fn input(network: *const Network, scratch: *Scratch, job: *const Job, index: u64, t: u64) void {
    const bytes = 4 * @as(u64, network.input.elements());
    const start = index * network.frameBytes() + t * bytes;
    const tensor = &scratch.tensors[0];
    const values = tensor.values[0..network.input.elements()];
    pointwise.unflatten(network.input, job.frames[start..][0..bytes], values);
    if (network.slots[0].listed) tensor.count = simd.nonzeros(values, tensor.list);
}

fn run(network: *const Network, scratch: *Scratch, layer: *const Layer) void {
    if (layer.alias()) return;
    const source = scratch.tensors[layer.sources[0]];
    const target = &scratch.tensors[layer.target];
    const x = source.values[0..layer.in.elements()];
    const y = target.values[0..layer.out.elements()];
    switch (layer.op) {
        .Conv => |*conv| conv.run(scratch, &source, target),
        .Linear => |*linear| linear.run(scratch, &source, target),
        .Pool => |*pool| pool.run(x, y),
        .GlobalSum => |accumulator| switch (accumulator) {
            .float32 => pointwise.globalSum(f32, x, y),
            .float64 => {
                const sums = scratch.sums[0..y.len];
                pointwise.globalSum(f64, x, sums);
                for (y, sums) |*value, sum| value.* = @floatCast(sum);
            },
        },
        .BatchNorm => |*norm| norm.run(x, y),
        .Flatten => pointwise.flatten(layer.in, x, y),
        .Add => {
            @memcpy(y, x);
            for (layer.sources[1..]) |other| {
                for (y, scratch.tensors[other].values[0..y.len]) |*sum, value| sum.* += value;
            }
        },
        .Relu => pointwise.relu(x, y),
        .Neuron => unreachable,
    }
    if (layer.grid) |*grid| grid.apply(y);
    if (network.slots[layer.target].listed) target.count = simd.nonzeros(y, target.list);
}

/// One timestep of a population; its spikes as bits, if `bits` is not empty.
fn fire(layer: *const Layer, scratch: *Scratch, l: usize, bits: []u8, row: u64) void {
    const x = scratch.tensors[layer.sources[0]].values[0..layer.in.elements()];
    const target = &scratch.tensors[layer.target];
    const spikes = layer.op.Neuron.run(x, scratch.potentials[l], target);
    scratch.tallies[l].spikes += spikes;
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

fn output(network: *const Network, scratch: *const Scratch, job: *const Job, index: u64) void {
    const shape = network.readout().out;
    const count = shape.elements();
    const timesteps: f32 = @floatFromInt(network.timesteps);
    for (scratch.logits, 0..) |sum, i| {
        const at = 4 * (index * count + shape.first(@intCast(i)));
        std.mem.writeInt(u32, job.logits[at..][0..4], @bitCast(sum / timesteps), .little);
    }
}
