//! One engine: at most one network, its threads' memory, its last reply.

const std = @import("std");
const batch = @import("batch.zig");
const clocked = @import("clocked.zig");
const counters = @import("counters.zig");
const cpu = @import("cpu.zig");
const crew = @import("crew.zig");
const fixed = @import("fixed.zig");
const limits = @import("limits.zig");
const live = @import("live.zig");
const msgpack = @import("msgpack.zig");

const Error = @import("failure.zig").Error;
const Execution = @import("execution.zig").Execution;
const Failure = @import("failure.zig").Failure;
const Frames = @import("frames.zig").Frames;
const Layer = @import("network.zig").Layer;
const Live = live.Live;
const Network = @import("network.zig").Network;
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;
const Tally = @import("scratch.zig").Tally;
const Wiring = @import("wiring.zig").Wiring;

/// A network and all that was allocated for it.
const Loaded = struct {
    arena: std.heap.ArenaAllocator,
    network: Network,
    sample: *const clocked.Sample,
    level: cpu.Level,
    crew: crew.Crew,
    /// In event execution.
    live: ?Live = null,
};

const Operation = enum { load, unload, run, events, samples, state, counters, reset };

pub const Engine = struct {
    gpa: std.mem.Allocator,
    failure: Failure = .{},
    loaded: ?*Loaded = null,
    reply: []u8 = &.{},
    /// What came beside the request at hand.
    frames: ?[]const u8 = null,

    pub fn deinit(self: *Engine) void {
        self.unload();
        self.gpa.free(self.reply);
        self.* = undefined;
    }

    /// Answer one request. The reply is valid until the next call.
    pub fn call(self: *Engine, request: []const u8) []const u8 {
        return self.callWith(request, null);
    }

    /// As `call`, with frames beside the request.
    pub fn callWith(self: *Engine, request: []const u8, frames: ?[]const u8) []const u8 {
        self.gpa.free(self.reply);
        self.reply = &.{};
        self.frames = frames;
        defer self.frames = null;
        return self.answer(request) catch |err| {
            if (err == error.OutOfMemory) self.failure.note(.memory, "out of memory", .{});
            return self.failure.reply();
        };
    }

    fn answer(self: *Engine, request: []const u8) Error![]const u8 {
        if (request.len > limits.message_bytes) return self.failure.refuse(
            .limit,
            "request: {d} bytes exceed {d}",
            .{ request.len, limits.message_bytes },
        );
        const message = msgpack.check(request) catch |err| return self.failure.refuse(
            if (err == error.TooMany or err == error.TooDeep) .limit else .malformed,
            "request: {s}",
            .{switch (err) {
                error.Truncated => "the message ends too early",
                error.Malformed => "not one msgpack map of documented types",
                error.TooDeep => "nested too deeply",
                error.TooMany => "too many values",
            }},
        );
        var record = try Record.read(message, "request", &self.failure);
        return switch (try record.choice(Operation, "op")) {
            .load => self.load(&record),
            .run => self.run(&record),
            .unload => self.forget(&record),
            .events => live.events(self, try self.asynchronous(), &record),
            .samples => batch.samples(self, try self.asynchronous(), &record),
            .state => live.state(self, try self.asynchronous(), &record),
            .counters => live.counters(self, try self.asynchronous(), &record),
            .reset => live.reset(self, try self.asynchronous(), &record),
        };
    }

    fn asynchronous(self: *Engine) Error!*Live {
        const loaded = self.loaded orelse
            return self.failure.refuse(.state, "request: no network is loaded", .{});
        if (loaded.live) |*found| return found;
        return self.failure.refuse(
            .state,
            "request: the network is loaded for clocked execution (load: 'execution')",
            .{},
        );
    }

    pub fn allocate(self: *Engine, size: u64) Error!msgpack.Writer {
        if (size > limits.reply_bytes) return self.failure.refuse(
            .limit,
            "reply: {d} bytes exceed {d}; ask for fewer samples",
            .{ size, limits.reply_bytes },
        );
        self.reply = try self.gpa.alloc(u8, @intCast(size));
        return .{ .bytes = self.reply };
    }

    fn load(self: *Engine, record: *Record) Error![]const u8 {
        if (self.loaded != null)
            return self.failure.refuse(.state, "load: a network is loaded already", .{});
        const document = try record.take("network");
        const highest = cpu.detect();
        const wanted: cpu.Level =
            if (record.optional("cpu") == null) highest else try record.choice(cpu.Level, "cpu");
        const execution = if (record.optional("execution")) |asked|
            try Execution.read(asked, &self.failure)
        else
            null;
        try record.finish();
        if (@intFromEnum(wanted) > @intFromEnum(highest))
            return record.refuse(.unsupported, "cpu", "is more than this processor can");
        const kernels = cpu.kernels(wanted) orelse
            return record.refuse(.unsupported, "cpu", "is another kind of processor");
        const loaded = try self.gpa.create(Loaded);
        errdefer self.gpa.destroy(loaded);
        loaded.* = .{
            .arena = .init(self.gpa),
            .network = undefined,
            .level = wanted,
            .sample = kernels.sample,
            .crew = .{ .gpa = self.gpa },
        };
        errdefer loaded.arena.deinit();
        loaded.network = try .read(document, loaded.arena.allocator(), &self.failure);
        errdefer loaded.crew.deinit();
        if (execution) |asked| {
            const arena = loaded.arena.allocator();
            const wiring: Wiring =
                try .read(document, &loaded.network, asked, arena, &self.failure);
            loaded.live = try .create(self.gpa, arena, wiring, kernels.advance);
        } else _ = try loaded.crew.hire(&loaded.network, 1);
        errdefer if (loaded.live) |*made| made.deinit();
        var writer = try self.allocate(256);
        self.loaded = loaded;
        const shape = loaded.network.readout().out;
        writer.map(8);
        writer.text("ok");
        writer.boolean(true);
        writer.text("raw");
        writer.boolean(loaded.network.raw);
        inline for (.{
            .{ "frame_bytes", loaded.network.frameBytes() },
            .{ "outputs", shape.elements() },
            .{ "timesteps", loaded.network.timesteps },
            .{ "synapses", loaded.network.synapses },
            .{ "work", loaded.network.work },
        }) |entry| {
            writer.text(entry[0]);
            writer.unsigned(entry[1]);
        }
        writer.text("cpu");
        writer.text(@tagName(loaded.level));
        return self.reply[0..writer.at];
    }

    fn forget(self: *Engine, record: *Record) Error![]const u8 {
        try record.finish();
        var writer = try self.allocate(16);
        self.unload();
        writer.map(1);
        writer.text("ok");
        writer.boolean(true);
        return self.reply[0..writer.at];
    }

    fn unload(self: *Engine) void {
        const loaded = self.loaded orelse return;
        loaded.crew.deinit();
        if (loaded.live) |*made| made.deinit();
        loaded.arena.deinit();
        self.gpa.destroy(loaded);
        self.loaded = null;
    }

    fn run(self: *Engine, record: *Record) Error![]const u8 {
        const loaded = self.loaded orelse
            return self.failure.refuse(.state, "run: no network is loaded", .{});
        if (loaded.live != null) return self.failure.refuse(
            .state,
            "run: the network is loaded for event execution",
            .{},
        );
        const network = &loaded.network;
        const samples = try record.integer("samples", 1, limits.samples);
        const threads = try record.integer("threads", 1, limits.threads);
        const wanted = (try record.take("spikes")).boolean() orelse
            return record.refuse(.invalid, "spikes", "is not a boolean");
        const counting = if (record.optional("counters")) |value| value.boolean() orelse
            return record.refuse(.invalid, "counters", "is not a boolean") else false;
        const raw = if (record.optional("raw")) |value| value.boolean() orelse
            return record.refuse(.invalid, "raw", "is not a boolean") else false;
        const given = try record.take("frames");
        const bytes = given.blob() orelse bytes: {
            if (!given.nil()) return record.refuse(.invalid, "frames", "is neither binary nor nil");
            break :bytes self.frames orelse
                return record.refuse(.invalid, "frames", "is nil, and none came with the request");
        };
        try record.finish();
        if (raw and !network.raw) return record.refuse(
            .unsupported,
            "raw",
            "is asked of a network with an input format that float32 cannot hold",
        );
        if (bytes.len != samples *| network.frameBytes()) return self.failure.refuse(
            .frames,
            "run: {d} bytes of frames for {d} samples of {d} bytes each",
            .{ bytes.len, samples, network.frameBytes() },
        );
        if (samples *| network.work > limits.work) return self.failure.refuse(
            .limit,
            "run: {d} samples of {d} operations exceed {d}; ask for fewer samples",
            .{ samples, network.work, limits.work },
        );
        const bits = try self.gpa.alloc([]u8, network.layers.len);
        defer self.gpa.free(bits);
        const counted_layers = if (counting) network.layers.len else 0;
        const columns = try self.gpa.alloc(counters.Columns, counted_layers);
        defer self.gpa.free(columns);
        const members = try loaded.crew.hire(network, @min(threads, samples));
        const extra = if (counting) counters.replyBytes(network, samples) else 0;
        var writer = try self.allocate(replyBytes(network, samples, wanted) +| extra);
        writer.map(3 + @as(usize, @intFromBool(wanted)) + @intFromBool(counting));
        writer.text("ok");
        writer.boolean(true);
        writer.text("logits");
        const logits = writer.blob(@intCast(samples * 4 * network.readout().out.elements()));
        @memset(bits, &.{});
        if (wanted) spikes(&writer, network, samples, bits);
        if (counting) counters.place(&writer, network, samples, columns);
        var frames: Frames = .{ .bytes = bytes, .raw = raw };
        const job: clocked.Job = .{
            .frames = &frames,
            .logits = logits,
            .spikes = bits,
            .counters = columns,
        };
        crew.work(members, loaded.sample, network, &job, samples);
        if (frames.unfit.load(.monotonic)) return self.unfit(network.format.?, &frames);
        counts(&writer, network, members);
        return self.reply[0..writer.at];
    }

    /// Tell why frames are none of a quantised network's.
    fn unfit(self: *Engine, format: fixed.Format, frames: *const Frames) Refused {
        if (frames.raw) return self.failure.refuse(
            .frames,
            "run: frames hold a NaN, for which no integer stands",
            .{},
        );
        var low: i32 = 0;
        var high: i32 = 0;
        for (std.mem.bytesAsSlice(i32, frames.bytes)) |n| {
            low = @min(low, n);
            high = @max(high, n);
        }
        return self.failure.refuse(
            .frames,
            "run: inputs from {d} to {d} do not fit into {d} bits",
            .{ low, high, format.bits },
        );
    }
};

/// Room for the reply of a run: at most 64 bytes beside names, logits and bits of each layer.
fn replyBytes(network: *const Network, samples: u64, wanted: bool) u64 {
    var size: u64 = 64 +| samples *| (4 * @as(u64, network.readout().out.elements()));
    for (network.layers) |layer| {
        size +|= 2 * layer.name.len + 64;
        if (wanted and layer.op == .Neuron)
            size +|= samples *| network.timesteps *| clocked.packedBytes(layer.out.elements());
    }
    return size;
}

/// Room for the bits of every population, to be filled in by the run.
fn spikes(writer: *msgpack.Writer, network: *const Network, samples: u64, bits: [][]u8) void {
    var populations: usize = 0;
    for (network.layers) |layer| populations += @intFromBool(layer.op == .Neuron);
    writer.text("spikes");
    writer.map(populations);
    for (network.layers, bits) |layer, *into| {
        if (layer.op != .Neuron) continue;
        const rows = samples * network.timesteps;
        writer.text(layer.name);
        into.* = writer.blob(@intCast(rows * clocked.packedBytes(layer.out.elements())));
    }
}

/// Spikes of every population, non-zero inputs of every layer with synapses, non-zero outputs of
/// every Relu.
fn counts(writer: *msgpack.Writer, network: *const Network, members: anytype) void {
    var layers: usize = 0;
    for (network.layers) |*layer| layers += @intFromBool(counted(layer) != null);
    writer.text("counts");
    writer.map(layers);
    for (network.layers, 0..) |*layer, l| {
        const what = counted(layer) orelse continue;
        const total = crew.tally(members, l);
        writer.text(layer.name);
        writer.map(1);
        writer.text(@tagName(what));
        writer.unsigned(switch (what) {
            inline else => |tag| @field(total, @tagName(tag)),
        });
    }
}

/// What is counted of a layer, by the name that it has in replies.
fn counted(layer: *const Layer) ?std.meta.FieldEnum(Tally) {
    return switch (layer.op) {
        .Conv, .Linear => .inputs,
        .Relu => .outputs,
        .Neuron => .spikes,
        .Pool, .GlobalSum, .BatchNorm, .Flatten, .Add => null,
    };
}
