//! What one thread needs to run samples of one network, allocated once.

const std = @import("std");
const Count = @import("counters.zig").Count;
const Network = @import("network.zig").Network;

/// Numbers of the network's type E, which whoever looks at them knows.
pub const Tensor = struct {
    memory: Room,
    /// Room for the indices of its non-zeros, empty if nobody wants them; `count` are valid.
    list: []u32,
    count: u32,

    pub fn values(self: *const Tensor, comptime E: type) []align(64) E {
        return view(E, self.memory);
    }
};

/// On a cache line of its own, so that no two threads write to one.
const Room = []align(64) u8;

/// As many T as there is room for.
fn view(comptime T: type, room: Room) []align(64) T {
    const whole = room.len - room.len % @sizeOf(T);
    return @alignCast(std.mem.bytesAsSlice(T, room[0..whole]));
}

/// What a layer did: non-zeros that a Conv or Linear read and that a Relu put out, spikes that a
/// Neuron emitted.
pub const Tally = struct { inputs: u64 = 0, outputs: u64 = 0, spikes: u64 = 0 };

/// What values of the readout are summed up in over the timesteps.
pub fn Total(comptime E: type) type {
    return if (E == f32) f32 else i64;
}

pub const Scratch = struct {
    tensors: []Tensor,
    /// Membrane potentials per layer, empty but for neurons.
    potentials: []Room,
    /// Room for the padded input of any convolution, and for the sums of any layer that forms them
    /// as other numbers than it puts out.
    frame: Room,
    sums: Room,
    /// Sums of the readout over the timesteps, in memory order.
    logits: Room,
    /// Of the request at hand; whoever starts it sets them to zero.
    tallies: []Tally,
    /// Per layer, of the sample at hand, if it is counted.
    counted: []Count,

    /// Everything lives in `arena`, also after an error.
    pub fn create(arena: std.mem.Allocator, network: *const Network) !Scratch {
        const self: Scratch = .{
            .tensors = try arena.alloc(Tensor, network.slots.len),
            .potentials = try arena.alloc(Room, network.layers.len),
            .frame = try take(arena, network.frame),
            .sums = try take(arena, network.sums),
            .logits = try take(arena, 8 * @as(u64, network.readout().out.elements())),
            .tallies = try arena.alloc(Tally, network.layers.len),
            .counted = try arena.alloc(Count, network.layers.len),
        };
        const size = network.number.size();
        for (self.tensors, network.slots) |*tensor, slot| {
            const listed = if (slot.listed) slot.elements else 0;
            tensor.* = .{
                .memory = try take(arena, size * slot.elements),
                .list = view(u32, try take(arena, 4 * @as(u64, listed))),
                .count = 0,
            };
        }
        for (self.potentials, network.layers) |*v, layer| {
            const neurons = if (layer.op == .Neuron) layer.out.elements() else 0;
            v.* = try take(arena, 4 * @as(u64, neurons));
        }
        return self;
    }

    fn take(arena: std.mem.Allocator, size: u64) !Room {
        const count: usize = @intCast(size);
        const whole = std.mem.alignForward(usize, count, 64);
        return (try arena.alignedAlloc(u8, .@"64", whole))[0..count];
    }

    pub fn padded(self: *const Scratch, comptime A: type) []A {
        return view(A, self.frame);
    }

    /// Where a layer forms its sums: in what it puts out, if that is of the same numbers.
    pub fn room(self: *const Scratch, comptime A: type, comptime E: type, y: []E) []A {
        return if (A == E) y else view(A, self.sums)[0..y.len];
    }

    /// Membrane potentials of layer `l`, f32 or i32.
    pub fn potential(self: *const Scratch, comptime V: type, l: usize) []V {
        return view(V, self.potentials[l]);
    }

    pub fn total(self: *const Scratch, comptime E: type) []Total(E) {
        const all = view(Total(E), self.logits);
        return all[0 .. self.logits.len / 8];
    }

    /// Bytes that `create` takes, within a few cache lines per layer.
    pub fn bytes(network: *const Network) u64 {
        var all: u64 = network.frame + network.sums;
        for (network.slots) |slot| all += (network.number.size() + 4) * slot.elements;
        for (network.layers) |layer| {
            if (layer.op == .Neuron) all += 4 * @as(u64, layer.out.elements());
        }
        return all;
    }
};
