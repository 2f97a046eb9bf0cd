//! What one thread needs to run samples of one network, allocated once.

const std = @import("std");
const simd = @import("simd.zig");
const Count = @import("counters.zig").Count;
const Network = @import("network.zig").Network;

/// What one layer hands to others in several timesteps; or once for all of them.
pub const Tensor = struct {
    frames: []Frame,

    /// At timestep `t` of those at hand.
    pub fn at(self: *const Tensor, t: usize) *Frame {
        return &self.frames[if (self.frames.len == 1) 0 else t];
    }
};

/// How many neurons spike, as far as it matters how that is written down.
pub const Spikes = enum {
    /// Most vectors have none.
    few,
    /// Writing just their values is quicker than writing all.
    some,
    many,
};

/// What a layer puts out at one timestep: numbers of the network's type E, which whoever looks at
/// them knows.
pub const Frame = struct {
    memory: Room,
    /// Room for the indices of its non-zeros, empty if nobody wants them; `count` are valid.
    list: []u32,
    count: u32 = 0,
    /// Whether none is listed but ones.
    ones: bool = false,
    /// How many are expected, if it holds spikes.
    spikes: Spikes = .few,

    pub fn values(self: *const Frame, comptime E: type) []align(64) E {
        return view(E, self.memory);
    }

    pub fn listed(self: *const Frame) []const u32 {
        return self.list[0..self.count];
    }

    /// Before spikes of `elements` neurons are listed; there will be about as many as last time.
    pub fn open(self: *Frame, comptime E: type, elements: usize) void {
        const few = @as(u64, self.count) * simd.scarce < elements;
        self.spikes = if (few) .few else if (@as(u64, self.count) * 32 < elements) .some else .many;
        if (self.spikes != .many) {
            const all = self.values(E);
            for (self.listed()) |index| all[index] = 0;
        }
        self.count = 0;
    }

    /// After them, each being worth `payload`; the number of spikes. `count` is then of what is not
    /// zero: nothing, if the payload is.
    pub fn close(self: *Frame, comptime E: type, payload: E) u32 {
        const spikes = self.count;
        if (self.spikes != .many) {
            const all = self.values(E);
            for (self.listed()) |index| all[index] = payload;
        }
        if (payload == 0) self.count = 0;
        self.ones = payload == 1;
        return spikes;
    }

    /// List the non-zeros of `values`, if anybody wants to know.
    pub fn look(self: *Frame, comptime E: type, found: []const E) void {
        if (self.list.len == 0) return;
        const seen = simd.nonzeros(E, found, self.list, self.count);
        self.count, self.ones = .{ seen.count, seen.ones };
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
    /// Room for the padded inputs of any convolution, for where the positions of any input begin in
    /// its lists, and for the sums of any layer that forms them as other numbers than it puts out,
    /// or for a population alone; and for what this then takes up.
    padded: Room,
    begins: Room,
    sums: Room,
    intake: Room,
    /// Sums of the readout over the timesteps, in memory order.
    logits: Room,
    /// Of the request at hand; whoever starts it sets them to zero.
    tallies: []Tally,
    /// Per layer, of the sample at hand, if it is counted.
    counted: []Count,

    /// Everything lives in `arena`, also after an error.
    pub fn create(arena: std.mem.Allocator, network: *const Network) !Scratch {
        const chunk: usize = network.chunk;
        const self: Scratch = .{
            .tensors = try arena.alloc(Tensor, network.slots.len),
            .potentials = try arena.alloc(Room, network.layers.len),
            .padded = try take(arena, chunk * network.padded),
            .begins = try take(arena, chunk * network.begins),
            .sums = try take(arena, @max(chunk * network.sums, network.joined) + 64 * chunk),
            .intake = try take(arena, network.intake),
            .logits = try take(arena, 8 * @as(u64, network.readout().out.elements())),
            .tallies = try arena.alloc(Tally, network.layers.len),
            .counted = try arena.alloc(Count, network.layers.len),
        };
        const size = network.number.size();
        for (self.tensors, network.slots) |*tensor, slot| {
            tensor.frames = try arena.alloc(Frame, if (slot.constant) 1 else chunk);
            const places = if (slot.listed) 4 * (@as(u64, slot.elements) + simd.slack) else 0;
            for (tensor.frames) |*frame| {
                frame.* = .{
                    .memory = try take(arena, size * slot.elements),
                    .list = view(u32, try take(arena, places)),
                };
                // None is listed, hence all are 0.
                @memset(frame.memory, 0);
            }
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

    /// Room for `elements` of the padded input at timestep `t`.
    pub fn border(self: *const Scratch, comptime A: type, t: usize, elements: usize) []A {
        return view(A, self.padded)[t * elements ..][0..elements];
    }

    /// Room for `count` places where positions of an input begin in its list at timestep `t`.
    pub fn starts(self: *const Scratch, t: usize, count: u64) []u32 {
        const each: usize = @intCast(count);
        return view(u32, self.begins)[t * each ..][0..each];
    }

    /// Where a layer forms its sums at timestep `t`: in what it puts out, if that is of the same
    /// numbers.
    pub fn room(self: *const Scratch, comptime A: type, comptime E: type, t: usize, y: []E) []A {
        return if (A == E) y else view(A, self.sums)[t * y.len ..][0..y.len];
    }

    /// Where a layer forms the `k`th of several times `elements` sums that a population takes up.
    pub fn formed(self: *const Scratch, comptime A: type, k: usize, elements: usize) []A {
        const whole = std.mem.alignForward(usize, elements, 64 / @sizeOf(A));
        return view(A, self.sums)[k * whole ..][0..elements];
    }

    /// Room for such sums as the numbers that the population takes.
    pub fn taken(self: *const Scratch, comptime E: type, elements: usize) []E {
        return view(E, self.intake)[0..elements];
    }

    /// Membrane potentials of layer `l`, f32 or i32.
    pub fn potential(self: *const Scratch, comptime V: type, l: usize) []V {
        return view(V, self.potentials[l]);
    }

    pub fn total(self: *const Scratch, comptime E: type) []Total(E) {
        const all = view(Total(E), self.logits);
        return all[0 .. self.logits.len / 8];
    }

    /// Bytes that `create` takes, within a few cache lines per layer and timestep.
    pub fn bytes(network: *const Network) u64 {
        var all: u64 = network.chunk * network.perTimestep() + network.joined + network.intake;
        for (network.layers) |layer| {
            if (layer.op == .Neuron) all += 4 * @as(u64, layer.out.elements());
        }
        return all;
    }
};
