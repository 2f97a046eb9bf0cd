//! Event execution: v += w; v = max(v, floor); while v ≥ threshold: emit, v -= threshold.
//!
//! Populations take their events in the order in which they were emitted, one population after
//! another, a chunk of input events at a time. As each depends on nothing but what the one before
//! it has emitted, neither the chunk nor how full a queue may become changes a result.
//!
//! This file and what it calls are compiled once per level of processor, see build.zig.

const std = @import("std");
const simd = @import("simd.zig");
const Queue = @import("stream.zig").Queue;
const Reach = @import("reach.zig").Reach;
const Shape = @import("tensor.zig").Shape;
const Stage = @import("wiring.zig").Stage;
const Stream = @import("stream.zig").Stream;
const Wiring = @import("wiring.zig").Wiring;

pub const Advance = fn (*const Wiring, *Stream) callconv(.c) void;

/// Take the input events of the first queue through all populations.
pub fn advance(wiring: *const Wiring, stream: *Stream) callconv(.c) void {
    pass(wiring, stream, 0);
}

fn pass(wiring: *const Wiring, stream: *Stream, l: usize) void {
    const stage = &wiring.stages[l];
    switch (stage.charge) {
        inline else => |*charge| {
            const C = @TypeOf(charge.*);
            const population: Population(C) = .{
                .wiring = wiring,
                .stream = stream,
                .l = l,
                .stage = stage,
                .charge = charge.*,
                .states = stream.states(C.State, l),
                .in = &stream.queues[l],
                .out = &stream.queues[l + 1],
            };
            switch (wiring.execution.order) {
                inline else => |order| if (stage.layout.groups == 1)
                    population.run(order == .chw, false)
                else
                    population.run(order == .chw, true),
            }
        },
    }
}

fn Population(comptime C: type) type {
    const S = C.State;
    const W = C.Weight;
    const width = @min(64, simd.lanes(S));
    const Bits = @Int(.unsigned, width);
    const V = @Vector(width, S);

    return struct {
        wiring: *const Wiring,
        stream: *Stream,
        l: usize,
        stage: *const Stage,
        charge: C,
        states: []align(64) S,
        in: *const Queue,
        out: *Queue,

        const Self = @This();

        fn run(self: Self, comptime sorted: bool, comptime grouped: bool) void {
            const in, const out = .{ self.in, self.out };
            out.first, out.count = .{ in.first, 0 };
            var from: u32 = 0;
            for (in.ends[0..in.events], in.first..) |end, event| {
                const e: u32 = @intCast(event);
                if (from < end) {
                    if (self.charge.leak != null) self.elapse(e);
                    for (in.spikes[from..end]) |spike| {
                        if (out.spikes.len - out.count < self.stage.fanout) self.deliver(e);
                        self.touch(sorted, grouped, spike, e);
                    }
                    if (self.stream.stop != .none) return;
                    from = end;
                }
                out.ends[e - out.first] = out.count;
            }
            self.stream.tallies[self.l].events_in += in.count;
            if (in.events > 0) self.deliver(in.first + in.events - 1);
        }

        /// Hand on what has been emitted, of input events up to `e`.
        fn deliver(self: Self, e: u32) void {
            const out = self.out;
            out.ends[e - out.first] = out.count;
            out.events = e - out.first + 1;
            if (out.count > 0) {
                self.stream.tallies[self.l].events_out += out.count;
                self.stream.tire();
                const sink = &self.stream.sinks[self.l];
                if (sink.wanted) sink.take(self.stream.gpa, out, self.stream.records) catch {
                    self.stream.stop = .memory;
                };
                const stages = self.wiring.stages.len;
                if (self.l + 1 < stages and self.stream.stop == .none)
                    pass(self.wiring, self.stream, self.l + 1);
            }
            out.first, out.count = .{ e, 0 };
        }

        /// Make up for the timesteps that have passed until input event `e`.
        fn elapse(self: Self, e: u32) void {
            const now = self.stream.records.time(e) / self.wiring.execution.dt_us.?;
            const over = &self.stream.steps[self.l];
            if (now <= over.*) return;
            const neurons = self.stage.out.elements();
            self.charge.leak.?.pass(self.states[0..neurons], now - over.*);
            const tally = &self.stream.tallies[self.l];
            tally.leaks +|= (now - over.*) *| neurons;
            over.* = now;
            self.stream.tire();
        }

        inline fn touch(
            self: Self,
            comptime sorted: bool,
            comptime grouped: bool,
            spike: u32,
            e: u32,
        ) void {
            const stage = self.stage;
            const channel = spike % stage.source.channels;
            const reach = stage.reaches[spike / stage.source.channels];
            self.stream.tallies[self.l].synaptic_operations += reach.neurons();
            const walk: Walk = .of(stage, reach, channel, grouped);
            if (self.add(grouped, walk) == 0) return;
            if (sorted) self.sort(grouped, walk, e) else self.emit(grouped, walk, e);
        }

        /// Add the weights; which neurons now fire, as bits in words. 0: none.
        inline fn add(self: Self, comptime grouped: bool, walk: Walk) u64 {
            const words = self.stream.words[self.l];
            const stage = self.stage;
            var at: usize = 0;
            var any: u64 = 0;
            for (0..walk.rows) |row| {
                const v = self.states.ptr + walk.state + row * walk.down;
                const w = self.charge.weights.ptr + walk.weight + row * stage.layout.row();
                if (grouped) {
                    for (0..walk.columns) |column| {
                        const share = stage.layout.share();
                        const there = v + column * stage.out.channels;
                        any |= self.strip(there, w + column * share, walk.length, words[at..]);
                        at += walk.words;
                    }
                } else {
                    any |= self.strip(v, w, walk.length, words[at..]);
                    at += walk.words;
                }
            }
            return any;
        }

        /// One contiguous run of neurons.
        inline fn strip(self: Self, v: [*]S, w: [*]const W, length: u32, words: []u64) u64 {
            const vectors = 64 / width;
            var any: u64 = 0;
            var i: u32 = 0;
            while (i + 64 <= length) : (i += 64) {
                var word: u64 = 0;
                inline for (0..vectors) |j| {
                    const bits = self.step(v + i + j * width, w + i + j * width, null);
                    word |= @as(u64, bits) << (j * width);
                }
                words[i / 64] = word;
                any |= word;
            }
            if (i == length) return any;
            var word: u64 = 0;
            const from = i;
            while (i + width <= length) : (i += width) {
                word |= @as(u64, self.step(v + i, w + i, null)) << @intCast(i - from);
            }
            if (i < length) {
                const bits = self.step(v + i, w + i, length - i);
                word |= @as(u64, bits) << @intCast(i - from);
            }
            words[from / 64] = word;
            return any | word;
        }

        /// One vector of neurons, of which the first `valid` take part (null: all).
        inline fn step(self: Self, v: [*]S, w: [*]const W, valid: ?u32) Bits {
            const charge = self.charge;
            const before: V = v[0..width].*;
            const added: V = @as(@Vector(width, W), w[0..width].*);
            const low: V = @splat(charge.low);
            var after: V = undefined;
            if (S == f32) {
                const sum = before + added;
                after = @select(f32, sum < low, low, sum);
            } else {
                const sum = if (S == i16) before +| added else before + added;
                after = @min(@max(sum, low), @as(V, @splat(charge.high)));
            }
            var fired = after >= @as(V, @splat(charge.threshold));
            if (valid) |count| {
                const until: @Vector(width, u8) = @splat(@intCast(count));
                const lanes = std.simd.iota(u8, width) < until;
                after = @select(S, lanes, after, before);
                fired = @select(bool, lanes, fired, @as(@Vector(width, bool), @splat(false)));
            }
            v[0..width].* = after;
            return @bitCast(fired);
        }

        /// Emit what fires, in the order of memory: y, x, channel.
        fn emit(self: Self, comptime grouped: bool, walk: Walk, e: u32) void {
            var found: Found = .of(self, grouped, walk);
            while (found.next()) |neuron| self.fire(neuron, e);
        }

        /// Emit what fires, in the order channel, y, x.
        fn sort(self: Self, comptime grouped: bool, walk: Walk, e: u32) void {
            const list = self.stream.fired[self.l];
            var count: usize = 0;
            var found: Found = .of(self, grouped, walk);
            while (found.next()) |neuron| : (count += 1) list[count] = neuron;
            std.sort.pdq(u32, list[0..count], self.stage.out, first);
            for (list[0..count]) |neuron| self.fire(neuron, e);
        }

        fn first(shape: Shape, a: u32, b: u32) bool {
            return shape.first(a) < shape.first(b);
        }

        /// One neuron at its threshold.
        inline fn fire(self: Self, neuron: u32, e: u32) void {
            const charge = self.charge;
            const v = &self.states[neuron];
            self.push(neuron);
            if (charge.reset == .value) {
                v.* = charge.value;
                return;
            }
            // What the threshold does not change would fire for ever.
            var stuck = v.* - charge.threshold == v.*;
            v.* -= charge.threshold;
            if (charge.single) return;
            while (v.* >= charge.threshold and !stuck and self.stream.stop == .none) {
                if (self.out.spikes.len - self.out.count <= self.stage.fanout) self.deliver(e);
                self.push(neuron);
                stuck = v.* - charge.threshold == v.*;
                v.* -= charge.threshold;
            }
        }

        inline fn push(self: Self, neuron: u32) void {
            self.out.spikes[self.out.count] = neuron;
            self.out.count += 1;
        }

        /// Goes through the bits that `add` has left.
        const Found = struct {
            words: []const u64,
            walk: Walk,
            /// Neurons from one run to the next in a row of runs.
            along: u32,
            columns: u32,
            at: usize = 0,
            row: u32 = 0,
            column: u32 = 0,
            word: u32 = 0,
            bits: u64,

            fn of(self: Self, comptime grouped: bool, walk: Walk) Found {
                const words = self.stream.words[self.l];
                return .{
                    .words = words,
                    .walk = walk,
                    .along = self.stage.out.channels,
                    .columns = if (grouped) walk.columns else 1,
                    .bits = words[0],
                };
            }

            fn next(self: *Found) ?u32 {
                while (self.bits == 0) {
                    self.at += 1;
                    self.word += 1;
                    if (self.word == self.walk.words) {
                        self.word = 0;
                        self.column += 1;
                        if (self.column == self.columns) {
                            self.column = 0;
                            self.row += 1;
                            if (self.row == self.walk.rows) return null;
                        }
                    }
                    self.bits = self.words[self.at];
                }
                defer self.bits &= self.bits - 1;
                const row = self.walk.state + self.row * self.walk.down;
                return row + self.column * self.along + 64 * self.word + @ctz(self.bits);
            }
        };
    };
}

/// What one event touches, as places in memory.
const Walk = struct {
    state: u32,
    weight: u32,
    rows: u32,
    columns: u32,
    length: u32,
    /// From row to row of neurons, and words of bits for each run.
    down: u32,
    words: u32,

    inline fn of(stage: *const Stage, reach: Reach, channel: u32, comptime grouped: bool) Walk {
        const layout = stage.layout;
        var state = reach.state;
        if (grouped) state += channel / (layout.in.channels / layout.groups) * layout.share();
        return .{
            .state = state,
            .weight = reach.weight + channel * layout.channel(),
            .rows = reach.rows,
            .columns = reach.columns,
            .length = reach.length,
            .down = stage.out.width * stage.out.channels,
            .words = (reach.length + 63) / 64,
        };
    }
};
