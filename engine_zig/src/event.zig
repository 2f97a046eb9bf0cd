//! Event execution: v += w; v = max(v, floor); while v ≥ threshold: emit, v -= threshold.
//!
//! Populations take their events in the order in which they were emitted, one population after
//! another, a chunk of input events at a time. As each depends on nothing but what the one before
//! it has emitted, neither the chunk nor how full a queue may become changes a result.
//!
//! This file and what it calls are compiled once per level of processor, see build.zig.

const std = @import("std");
const limits = @import("limits.zig");
const strip = @import("strip.zig");
const Queue = @import("stream.zig").Queue;
const Reach = @import("reach.zig").Reach;
const Shape = @import("tensor.zig").Shape;
const Stage = @import("wiring.zig").Stage;
const Stream = @import("stream.zig").Stream;
const Wiring = @import("wiring.zig").Wiring;

/// From this share of events that make something fire on, in percent, `bits` is the faster kernel.
const loud_percent = 50;

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
                .charge = charge,
                .states = stream.states(C.State, l),
                .in = &stream.queues[l],
                .out = &stream.queues[l + 1],
            };
            population.run();
        },
    }
}

fn Population(comptime C: type) type {
    const S = C.State;
    const Kernel = strip.Strip(S, C.Weight);

    return struct {
        wiring: *const Wiring,
        stream: *Stream,
        l: usize,
        stage: *const Stage,
        charge: *const C,
        states: []align(64) S,
        in: *const Queue,
        out: *Queue,

        const Self = @This();

        fn run(self: *const Self) void {
            const in, const out = .{ self.in, self.out };
            out.first, out.count = .{ in.first, 0 };
            var from: u32 = 0;
            for (in.ends[0..in.events], in.first..) |end, event| {
                const e: u32 = @intCast(event);
                if (from < end) {
                    const spikes = in.spikes[from..end];
                    if (self.charge.leak != null and self.concerns(spikes)) self.elapse(e);
                    self.take(spikes, e);
                    if (self.stream.stop != .none) return;
                    from = end;
                }
                out.ends[e - out.first] = out.count;
            }
            self.choose();
            if (in.events > 0) self.deliver(in.first + in.events - 1);
        }

        /// Hand on what has been emitted, of input events up to `e`.
        fn deliver(self: *const Self, e: u32) void {
            const out = self.out;
            out.ends[e - out.first] = out.count;
            out.events = e - out.first + 1;
            if (out.count > 0) {
                self.stream.tallies[self.l].events_out += out.count;
                self.stream.tire(limits.single_work * @as(u64, out.count));
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

        /// The faster kernel for the next queue: events that made something fire, in this one.
        fn choose(self: *const Self) void {
            const stream = self.stream;
            const many = 100 * @as(u64, stream.loud[self.l]) > loud_percent * self.in.count;
            stream.ways[self.l] = if (many) .bits else .peak;
            stream.loud[self.l] = 0;
        }

        /// Whether one of these spikes is not dropped at the edge of a pool.
        fn concerns(self: *const Self, spikes: []const u32) bool {
            for (spikes) |spike| {
                if (self.stage.reaches[self.stage.channels.quotient(spike)].lost == 0) return true;
            }
            return false;
        }

        /// Make up for the timesteps that have passed until input event `e`.
        fn elapse(self: *const Self, e: u32) void {
            const now = self.stream.records.time(e) / self.wiring.execution.dt_us.?;
            const over = &self.stream.steps[self.l];
            if (now <= over.*) return;
            const neurons = self.stage.out.elements();
            const most = self.stream.left / limits.single_work;
            const done = self.charge.leak.?.pass(self.states[0..neurons], now - over.*, most);
            self.stream.tire(if (done == most) self.stream.left else limits.single_work * done);
            const tally = &self.stream.tallies[self.l];
            tally.silent +|= (now - over.*) *| neurons;
            over.* = now;
        }

        /// Spikes that input event `e` has caused.
        noinline fn take(self: *const Self, spikes: []const u32, e: u32) void {
            const stage, const out = .{ self.stage, self.out };
            const fields = self.common();
            const channel = stage.layout.channel();
            const channels, const by = .{ stage.source.channels, stage.channels };
            const states, const weights = .{ self.states.ptr, self.charge.weights.ptr };
            const reaches = stage.reaches.ptr;
            const way = self.stream.ways[self.l];
            const plain = stage.layout.groups == 1 and self.wiring.execution.order == .hwc;
            const latest = out.spikes.len - stage.fanout;
            var operations: u64 = 0;
            var lost: u64 = 0;
            var loud: u32 = 0;
            for (spikes) |spike| {
                if (out.count > latest) self.deliver(e);
                const position = by.quotient(spike);
                const reach = reaches[position];
                if (reach.rows == 0) {
                    lost += reach.lost;
                    continue;
                }
                operations += reach.neurons();
                if (operations > self.stream.left) break;
                const place = spike - position * channels;
                const v = states + reach.state;
                const w = weights + reach.weight + place * channel;
                if (plain) {
                    const fired = add(way, &fields, v, w, reach);
                    if (!fired.any) continue;
                    loud += 1;
                    if (fired.again) self.fireAgain(reach, e) else self.fire(reach);
                } else loud += self.addAndSort(way, &fields, v, w, reach, place, e);
            }
            const tally = &self.stream.tallies[self.l];
            tally.synaptic_operations += operations;
            self.stream.tire(operations);
            tally.events_in += spikes.len - lost;
            self.stream.loud[self.l] += loud;
        }

        fn common(self: *const Self) Kernel.Field {
            const charge = self.charge;
            const never = if (S == f32) std.math.inf(f32) else std.math.maxInt(S);
            return .{
                .low = charge.low,
                .high = charge.high,
                .threshold = charge.threshold,
                .subtract = charge.reset == .subtract,
                .value = charge.value,
                .again = if (charge.repeats()) charge.threshold else never,
                .down = self.stage.out.width * self.stage.out.channels,
                .across = self.stage.layout.row(),
                .words = self.stream.words[self.l].ptr,
            };
        }

        /// Add the weights; neurons that fire are reset, and told by bits.
        inline fn add(
            way: strip.Way,
            fields: *const Kernel.Field,
            v: [*]S,
            w: [*]const C.Weight,
            reach: Reach,
        ) Kernel.Fired {
            const fired = Kernel.run(way, fields, v, w, reach.rows, reach.length);
            if (way == .bits or !fired.any) return fired;
            return Kernel.run(.scan, fields, v, w, reach.rows, reach.length);
        }

        /// As `add`, and emit: in another order than that of memory, or of a convolution in groups,
        /// where each column of taps is added on its own.
        fn addAndSort(
            self: *const Self,
            way: strip.Way,
            fields: *const Kernel.Field,
            neurons: [*]S,
            weights: [*]const C.Weight,
            reach: Reach,
            channel: u32,
            e: u32,
        ) u32 {
            const layout = self.stage.layout;
            const share = layout.share();
            var v, var w = .{ neurons, weights };
            if (layout.groups > 1) v += channel / (layout.in.channels / layout.groups) * share;
            var count: usize = 0;
            for (0..reach.columns) |_| {
                if (add(way, fields, v, w, reach).any)
                    count = self.list(@intCast(v - self.states.ptr), reach, count);
                v += layout.out.channels;
                w += share;
            }
            if (count == 0) return 0;
            const fired = self.stream.fired[self.l][0..count];
            switch (self.wiring.execution.order) {
                .hwc => std.sort.pdq(u32, fired, {}, std.sort.asc(u32)),
                .chw => std.sort.pdq(u32, fired, self.stage.out, before),
            }
            for (fired) |neuron| self.emit(neuron, e);
            return 1;
        }

        fn before(shape: Shape, a: u32, b: u32) bool {
            return shape.first(a) < shape.first(b);
        }

        /// Append the neurons whose bits are set to the list of those that fire; its length.
        fn list(self: *const Self, start: u32, reach: Reach, length: usize) usize {
            const fired = self.stream.fired[self.l];
            const per_row = (reach.length + 63) / 64;
            const down = self.stage.out.width * self.stage.out.channels;
            var count = length;
            for (0..reach.rows) |row| {
                const first = start + @as(u32, @intCast(row)) * down;
                for (self.stream.words[self.l][row * per_row ..][0..per_row], 0..) |bits, k| {
                    var word = bits;
                    while (word != 0) : (word &= word - 1) {
                        fired[count] = first + @as(u32, @intCast(64 * k)) + @ctz(word);
                        count += 1;
                    }
                }
            }
            return count;
        }

        /// Emit the neurons whose bits are set once, in the order of memory: y, x, channel.
        fn fire(self: *const Self, reach: Reach) void {
            const out = self.out;
            const per_row = (reach.length + 63) / 64;
            const down = self.stage.out.width * self.stage.out.channels;
            var words = self.stream.words[self.l].ptr;
            var spikes = out.spikes.ptr + out.count;
            var first = reach.state;
            for (0..reach.rows) |_| {
                for (0..per_row) |k| {
                    const start = first + @as(u32, @intCast(64 * k));
                    // Two at once, there or not, without a branch that nobody can foresee.
                    var word = words[k];
                    const count = @popCount(word);
                    inline for (0..2) |i| {
                        spikes[i] = start + @ctz(word);
                        word &= word -% 1;
                    }
                    var next = spikes + 2;
                    while (word != 0) : (word &= word - 1) {
                        next[0] = start + @ctz(word);
                        next += 1;
                    }
                    spikes += count;
                }
                first += down;
                words += per_row;
            }
            out.count = @intCast(spikes - out.spikes.ptr);
        }

        /// As `fire`, if some of them fire more than once.
        fn fireAgain(self: *const Self, reach: Reach, e: u32) void {
            const per_row = (reach.length + 63) / 64;
            const down = self.stage.out.width * self.stage.out.channels;
            for (0..reach.rows) |row| {
                const first = reach.state + @as(u32, @intCast(row)) * down;
                for (0..per_row) |k| {
                    var word = self.stream.words[self.l][row * per_row + k];
                    while (word != 0) : (word &= word - 1)
                        self.emit(first + @as(u32, @intCast(64 * k)) + @ctz(word), e);
                }
            }
        }

        /// The events of one neuron, which has been reset once.
        fn emit(self: *const Self, neuron: u32, e: u32) void {
            const threshold = self.charge.threshold;
            self.push(neuron);
            if (!self.charge.repeats()) return;
            var now = self.states[neuron];
            // What the threshold does not change would fire for ever.
            while (now >= threshold and now - threshold != now) {
                if (self.out.spikes.len - self.out.count <= self.stage.fanout) self.deliver(e);
                if (self.stream.stop != .none) break;
                self.push(neuron);
                now -= threshold;
            }
            self.states[neuron] = now;
        }

        inline fn push(self: *const Self, neuron: u32) void {
            self.out.spikes[self.out.count] = neuron;
            self.out.count += 1;
        }
    };
}
