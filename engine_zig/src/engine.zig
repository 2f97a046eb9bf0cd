//! One engine: at most one network, its threads' memory, its last reply.

const std = @import("std");
const batch = @import("batch.zig");
const cpu = @import("cpu.zig");
const limits = @import("limits.zig");
const live = @import("live.zig");
const msgpack = @import("msgpack.zig");
const run = @import("run.zig");

const Crew = @import("crew.zig").Crew;
const Error = @import("failure.zig").Error;
const Execution = @import("execution.zig").Execution;
const Failure = @import("failure.zig").Failure;
const Live = live.Live;
const Network = @import("network.zig").Network;
const Record = @import("record.zig").Record;
const Sample = @import("clocked.zig").Sample;
const Wiring = @import("wiring.zig").Wiring;

/// A network and all that was allocated for it.
pub const Loaded = struct {
    arena: std.heap.ArenaAllocator,
    network: Network,
    sample: *const Sample,
    level: cpu.Level,
    crew: Crew,
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
        const op = try record.choice(Operation, "op");
        if (self.frames != null and op != .run)
            return self.failure.refuse(.invalid, "request: frames came with it: not a 'run'", .{});
        return switch (op) {
            .load => self.load(&record),
            .run => run.answer(self, try self.clocked(), &record),
            .unload => self.forget(&record),
            .events => live.events(self, try self.asynchronous(), &record),
            .samples => batch.samples(self, try self.asynchronous(), &record),
            .state => live.state(self, try self.asynchronous(), &record),
            .counters => live.counters(self, try self.asynchronous(), &record),
            .reset => live.reset(self, try self.asynchronous(), &record),
        };
    }

    fn clocked(self: *Engine) Error!*Loaded {
        const loaded = self.loaded orelse
            return self.failure.refuse(.state, "run: no network is loaded", .{});
        if (loaded.live == null) return loaded;
        return self.failure.refuse(
            .state,
            "run: the network is loaded for event execution",
            .{},
        );
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
};
