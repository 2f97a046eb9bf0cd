//! What one stream of events changes: potentials, queues between populations, counts, and what is
//! emitted. Several streams of one network know nothing of each other.

const std = @import("std");
const arrivals = @import("arrivals.zig");
const limits = @import("limits.zig");
const strip = @import("strip.zig");
const Shape = @import("tensor.zig").Shape;
const Stage = @import("wiring.zig").Stage;
const Wiring = @import("wiring.zig").Wiring;

/// Input events that go through all populations together. The number changes no result.
pub const chunk = 256;

/// Events of one message as they come: x, y, t, p, little-endian u32.
pub const Records = struct {
    bytes: []const u8,
    t0_us: u64 = 0,

    pub const size = 16;

    pub fn count(self: Records) usize {
        return self.bytes.len / size;
    }

    pub fn word(self: Records, index: usize, field: enum { x, y, t, p }) u32 {
        const at = size * index + 4 * @as(usize, @intFromEnum(field));
        return std.mem.readInt(u32, self.bytes[at..][0..4], .little);
    }

    pub fn time(self: Records, index: usize) u64 {
        return self.t0_us + self.word(index, .t);
    }

    pub fn slice(self: Records, from: usize, to: usize) Records {
        return .{ .bytes = self.bytes[size * from .. size * to], .t0_us = self.t0_us };
    }
};

/// Spikes between two populations, as places in memory (y, x, channel), in the order in which they
/// were emitted. Those of input event `first + e` end at `ends[e]`.
pub const Queue = struct {
    spikes: []u32,
    ends: []u32,
    first: u32 = 0,
    events: u32 = 0,
    count: u32 = 0,
};

/// What was done, in operations of a machine that works by events.
pub const Tally = struct {
    events_in: u64 = 0,
    events_out: u64 = 0,
    synaptic_operations: u64 = 0,
    /// Timesteps without an event that were made up for, neuron by neuron.
    silent: u64 = 0,

    pub fn add(self: *Tally, other: Tally) void {
        inline for (std.meta.fields(Tally)) |field| {
            @field(self, field.name) +|= @field(other, field.name);
        }
    }

    /// Undo `add`.
    pub fn take(self: *Tally, other: Tally) void {
        inline for (std.meta.fields(Tally)) |field| {
            @field(self, field.name) -|= @field(other, field.name);
        }
    }
};

/// What one population emits, as records, if somebody wants it.
pub const Sink = struct {
    wanted: bool = false,
    /// By name, for the reply.
    asked: bool = false,
    shape: Shape,
    records: std.ArrayList(u8) = .empty,

    /// Take what stands in `queue`; times are those of `records`.
    pub fn take(self: *Sink, gpa: std.mem.Allocator, queue: *const Queue, records: Records) !void {
        const room = try self.records.addManyAsSlice(gpa, Records.size * queue.count);
        const shape = self.shape;
        var at: usize = 0;
        var from: u32 = 0;
        for (queue.ends[0..queue.events], queue.first..) |end, e| {
            const t = records.word(e, .t);
            for (queue.spikes[from..end]) |spike| {
                const position = spike / shape.channels;
                const x = position % shape.width;
                const y = position / shape.width;
                for ([4]u32{ x, y, t, spike % shape.channels }) |word| {
                    std.mem.writeInt(u32, room[at..][0..4], word, .little);
                    at += 4;
                }
            }
            from = end;
        }
    }
};

pub const Stop = enum(u8) { none, work, memory };

pub const Stream = struct {
    gpa: std.mem.Allocator,
    arena: std.heap.ArenaAllocator,
    /// Of all populations, one after another; and as they were before the request at hand.
    potentials: []align(64) u8,
    kept: []align(64) u8,
    offsets: []usize,
    /// Before each population, and one behind the last.
    queues: []Queue,
    /// Per population: which of the reached neurons fire, as bits and as indices.
    words: [][]u64,
    fired: [][]u32,
    /// Per population: the kernel for its next queue, and how many events made something fire.
    ways: []strip.Way,
    loud: []u32,
    sinks: []Sink,
    /// Timesteps that are over for each population, and those before the request at hand.
    steps: []u64,
    steps_kept: []u64,
    /// Of the request at hand.
    tallies: []Tally,
    records: Records = .{ .bytes = &.{} },
    stop: Stop = .none,
    /// Operations that it may still do.
    left: u64 = 0,

    pub fn create(gpa: std.mem.Allocator, wiring: *const Wiring) !Stream {
        var arena: std.heap.ArenaAllocator = .init(gpa);
        errdefer arena.deinit();
        const in = arena.allocator();
        const stages = wiring.stages;
        const offsets = try in.alloc(usize, stages.len + 1);
        offsets[0] = 0;
        for (stages, 0..) |*stage, l| offsets[l + 1] = offsets[l] + room(stage);
        var self: Stream = .{
            .gpa = gpa,
            .arena = undefined,
            .potentials = try in.alignedAlloc(u8, .@"64", offsets[stages.len]),
            .kept = try in.alignedAlloc(u8, .@"64", offsets[stages.len]),
            .offsets = offsets,
            .queues = try in.alloc(Queue, stages.len + 1),
            .words = try in.alloc([]u64, stages.len),
            .fired = try in.alloc([]u32, stages.len),
            .ways = try in.alloc(strip.Way, stages.len),
            .loud = try in.alloc(u32, stages.len),
            .sinks = try in.alloc(Sink, stages.len),
            .steps = try in.alloc(u64, stages.len),
            .steps_kept = try in.alloc(u64, stages.len),
            .tallies = try in.alloc(Tally, stages.len),
        };
        for (self.queues, 0..) |*queue, l| queue.* = .{
            .spikes = try places(in, if (l == 0) chunk else capacity(&stages[l - 1])),
            .ends = try in.alloc(u32, chunk),
        };
        for (stages, self.words, self.fired, self.sinks) |*stage, *words, *fired, *sink| {
            words.* = try in.alloc(u64, stage.words());
            const listed = wiring.execution.order == .chw or stage.layout.groups > 1;
            fired.* = try in.alloc(u32, if (listed) stage.fanout else 0);
            sink.* = .{ .shape = stage.out };
        }
        @memset(self.ways, .bits);
        @memset(self.loud, 0);
        self.arena = arena;
        self.reset(wiring);
        return self;
    }

    pub fn deinit(self: *Stream) void {
        for (self.sinks) |*sink| sink.records.deinit(self.gpa);
        self.arena.deinit();
    }

    /// Two more than can be emitted: places are written before it is known whether they count.
    fn places(arena: std.mem.Allocator, count: usize) ![]u32 {
        return (try arena.alloc(u32, count + 2))[0..count];
    }

    /// All that one event can add, and enough to be worth a call.
    fn capacity(stage: *const Stage) usize {
        return 2 * @as(usize, stage.fanout) + 1024;
    }

    fn room(stage: *const Stage) usize {
        const all = (stage.out.elements() + arrivals.slack) * stage.charge.bytes();
        return std.mem.alignForward(usize, all, 64);
    }

    /// The potentials of population `l`, with slack behind them.
    pub fn states(self: *const Stream, comptime S: type, l: usize) []align(64) S {
        const all = self.potentials[self.offsets[l]..self.offsets[l + 1]];
        return @alignCast(std.mem.bytesAsSlice(S, all));
    }

    /// All potentials to rest, at time 0.
    pub fn reset(self: *Stream, wiring: *const Wiring) void {
        for (wiring.stages, 0..) |*stage, l| switch (stage.charge) {
            inline else => |*charge| @memset(
                self.states(@TypeOf(charge.*).State, l),
                charge.start,
            ),
        };
        @memset(self.steps, 0);
    }

    /// Before a request: whatever comes of it can be taken back.
    pub fn begin(self: *Stream) void {
        @memcpy(self.kept, self.potentials);
        @memcpy(self.steps_kept, self.steps);
        @memset(self.tallies, .{});
        for (self.sinks) |*sink| sink.records.clearRetainingCapacity();
        self.stop = .none;
        self.left = limits.event_work;
    }

    pub fn back(self: *Stream) void {
        @memcpy(self.potentials, self.kept);
        @memcpy(self.steps, self.steps_kept);
    }

    /// Count operations of the request at hand, which may do so many and no more.
    pub fn tire(self: *Stream, operations: u64) void {
        self.left -|= operations;
        if (self.left == 0) self.stop = .work;
    }
};
