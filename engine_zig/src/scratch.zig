//! What one thread needs to run samples of one network, allocated once.

const std = @import("std");
const Network = @import("network.zig").Network;

pub const Tensor = struct {
    values: []f32,
    /// Room for the indices of its non-zeros, empty if nobody wants them; `count` are valid.
    list: []u32,
    count: u32,
};

/// What a layer did: non-zeros that a Conv or Linear read and that a Relu put out, spikes that a
/// Neuron emitted.
pub const Tally = struct { inputs: u64 = 0, outputs: u64 = 0, spikes: u64 = 0 };

pub const Scratch = struct {
    tensors: []Tensor,
    /// Membrane potentials per layer, empty but for neurons.
    potentials: [][]f32,
    /// Room for the padded input of any convolution, in either accumulator's numbers.
    padded: []f32,
    widened: []f64,
    sums: []f64,
    /// Sums of the readout over the timesteps, in memory order.
    logits: []f32,
    /// Of the request at hand; whoever starts it sets them to zero.
    tallies: []Tally,

    /// Everything lives in `arena`, also after an error.
    pub fn create(arena: std.mem.Allocator, network: *const Network) !Scratch {
        const self: Scratch = .{
            .tensors = try arena.alloc(Tensor, network.slots.len),
            .potentials = try arena.alloc([]f32, network.layers.len),
            .padded = try numbers(f32, arena, network.padded),
            .widened = try numbers(f64, arena, network.widened),
            .sums = try numbers(f64, arena, network.sums),
            .logits = try numbers(f32, arena, network.readout().out.elements()),
            .tallies = try arena.alloc(Tally, network.layers.len),
        };
        for (self.tensors, network.slots) |*tensor, slot| tensor.* = .{
            .values = try numbers(f32, arena, slot.elements),
            .list = try numbers(u32, arena, if (slot.listed) slot.elements else 0),
            .count = 0,
        };
        for (self.potentials, network.layers) |*v, layer| {
            v.* = try numbers(f32, arena, if (layer.op == .Neuron) layer.out.elements() else 0);
        }
        return self;
    }

    /// On a cache line of its own, so that no two threads write to one.
    fn numbers(comptime T: type, arena: std.mem.Allocator, count: usize) ![]T {
        const room = std.mem.alignForward(usize, count, 64 / @sizeOf(T));
        return (try arena.alignedAlloc(T, .@"64", room))[0..count];
    }

    /// Bytes that `create` takes, within a few cache lines per layer.
    pub fn bytes(network: *const Network) u64 {
        var total: u64 = 4 * @as(u64, network.padded);
        total += 8 * (@as(u64, network.widened) + network.sums);
        for (network.slots) |slot| total += 8 * @as(u64, slot.elements);
        for (network.layers) |layer| {
            if (layer.op == .Neuron) total += 4 * @as(u64, layer.out.elements());
        }
        return total;
    }
};
