//! Clocked execution: at every timestep all input is summed, then bias, leak, threshold and reset
//! act once, layer after layer. One call runs one sample from rest, whatever ran before.
//!
//! This file and what it calls are compiled once per level of processor, see build.zig.

const std = @import("std");
const bands = @import("bands.zig");
const counters = @import("counters.zig");
const pointwise = @import("pointwise.zig");
const simd = @import("simd.zig");
const Frames = @import("frames.zig").Frames;
const Layer = @import("network.zig").Layer;
const Network = @import("network.zig").Network;
const Put = @import("network.zig").Put;
const Scratch = @import("scratch.zig").Scratch;
const Total = @import("scratch.zig").Total;

/// What the samples of one request are read from and written to; regions of samples are disjoint.
pub const Job = struct {
    frames: *Frames,
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
    @memset(scratch.counted, .{});
    var start: u64 = 0;
    while (start < network.timesteps) : (start += network.chunk) {
        const span: Span = .{
            .sample = index,
            .start = start,
            .count = @intCast(@min(network.chunk, network.timesteps - start)),
        };
        advance(E, network, scratch, job, span);
    }
    counters.tell(network, scratch, job.counters, index);
    output(E, network, scratch, job, index);
}

/// Timesteps of one sample.
const Span = struct { sample: u64, start: u64, count: u32 };

/// Layer after layer, each at all timesteps of `span`: no layer sees what comes after it, and
/// weights serve several timesteps while they are near.
fn advance(
    comptime E: type,
    network: *const Network,
    scratch: *Scratch,
    job: *const Job,
    span: Span,
) void {
    const first = span.start == 0;
    if (network.mode == .sequence) {
        for (0..span.count) |t| input(E, network, scratch, job, span, t);
    } else if (first) input(E, network, scratch, job, span, 0);
    for (network.layers, 0..) |*layer, l| {
        if (first or !layer.constant) {
            const count = if (layer.constant) 1 else span.count;
            for (layer.puts) |*put| {
                for (0..count) |t| requantise(E, network, scratch, put, t);
            }
            switch (layer.op) {
                .Neuron => {
                    bands.fire(E, network, scratch, l, count);
                    for (0..count) |t| report(E, layer, scratch, l, job, network, span, t);
                },
                .Conv, .Linear => if (!layer.taken) bands.sum(E, scratch, layer, count),
                else => for (0..count) |t| run(E, scratch, layer, t),
            }
            for (0..count) |t| counters.note(E, network, scratch, job.counters, l, t);
        }
        tally(layer, scratch, l, span.count);
    }
    const total = scratch.total(E);
    const readout = &scratch.tensors[network.readout().target];
    for (0..span.count) |t| {
        const last = readout.at(t).values(E)[0..total.len];
        if (first and t == 0) {
            for (total, last) |*all, value| all.* = value;
        } else for (total, last) |*all, value| all.* += value;
    }
}

fn tally(layer: *const Layer, scratch: *Scratch, l: usize, count: u32) void {
    const found = &scratch.tallies[l];
    for (0..count) |t| {
        if (layer.synaptic()) found.inputs += scratch.tensors[layer.sources[0]].at(t).count;
        if (layer.op == .Relu) found.outputs += scratch.tensors[layer.target].at(t).count;
    }
}

fn input(
    comptime E: type,
    network: *const Network,
    scratch: *Scratch,
    job: *const Job,
    span: Span,
    t: u64,
) void {
    const frame = scratch.tensors[0].at(t);
    const values = frame.values(E)[0..network.input.elements()];
    job.frames.show(E, network, span.sample, span.start + t, values);
    frame.look(E, values);
}

/// An input of a layer put into its format.
fn requantise(
    comptime E: type,
    network: *const Network,
    scratch: *Scratch,
    put: *const Put,
    t: usize,
) void {
    if (E == f32) unreachable;
    const elements = network.slots[put.to].elements;
    const x: []const E = scratch.tensors[put.from].at(t).values(E)[0..elements];
    const target = scratch.tensors[put.to].at(t);
    const y: []E = target.values(E)[0..elements];
    put.finish.run(E, x, y);
    target.look(E, y);
}

fn run(comptime E: type, scratch: *Scratch, layer: *const Layer, t: usize) void {
    if (layer.alias()) return;
    const target = scratch.tensors[layer.target].at(t);
    const from = scratch.tensors[layer.sources[0]].at(t);
    const x: []const E = from.values(E)[0..layer.in.elements()];
    const y: []E = target.values(E)[0..layer.out.elements()];
    switch (layer.op) {
        .Conv, .Linear, .Neuron => unreachable,
        .Pool => |*pool| if (pool.how == .max) {
            pool.run(E, from, y);
            bands.settle(E, layer, y, y);
        } else switch (pool.accumulator) {
            inline else => |kind| if (comptime bands.kin(E, kind.Type())) {
                const sums = scratch.room(kind.Type(), E, t, y);
                pool.run(E, from, sums);
                bands.settle(E, layer, sums, y);
            } else unreachable,
        },
        .GlobalSum => |op| switch (op.accumulator) {
            inline else => |kind| if (comptime bands.kin(E, kind.Type())) {
                const sums = scratch.room(kind.Type(), E, t, y);
                pointwise.GlobalSum.run(E, x, sums);
                bands.settle(E, layer, sums, y);
            } else unreachable,
        },
        .BatchNorm => |*norm| {
            const sums = scratch.room(Total(E), E, t, y);
            norm.run(E, x, sums);
            bands.settle(E, layer, sums, y);
        },
        .Flatten => pointwise.flatten(E, layer.in, x, y),
        .Add => |*add| switch (add.accumulator) {
            inline else => |kind| if (comptime bands.kin(E, kind.Type())) {
                const sums = scratch.room(kind.Type(), E, t, y);
                add.run(E, scratch, layer.sources, t, sums);
                bands.settle(E, layer, sums, y);
            } else unreachable,
        },
        .Relu => {
            pointwise.relu(E, x, y);
            bands.settle(E, layer, y, y);
        },
    }
    target.look(E, y);
}

/// The spikes of a population at one timestep, and as bits, if the job asks for them.
fn report(
    comptime E: type,
    layer: *const Layer,
    scratch: *Scratch,
    l: usize,
    job: *const Job,
    network: *const Network,
    span: Span,
    t: usize,
) void {
    const spiked = scratch.tensors[layer.target].at(t);
    const spikes = bands.close(E, layer, spiked);
    scratch.tallies[l].spikes += spikes;
    scratch.counted[l].events += spikes;
    const bits = job.spikes[l];
    if (bits.len == 0) return;
    const width = packedBytes(layer.out.elements());
    const into = bits[(span.sample * network.timesteps + span.start + t) * width ..][0..width];
    for (spiked.list[0..spikes]) |index| {
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
    for (scratch.total(E), 0..) |all, i| {
        const at = 4 * (index * count + shape.first(@intCast(i)));
        const logit: f32 = if (E == f32)
            all / @as(f32, @floatFromInt(network.timesteps))
        else
            network.logit(all);
        std.mem.writeInt(u32, job.logits[at..][0..4], @bitCast(logit), .little);
    }
}
