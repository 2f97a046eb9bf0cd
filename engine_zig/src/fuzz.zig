//! The engine under damaged messages: no crash, no hang, no leak, and only replies as documented.
//!
//! Sessions of some messages each, drawn from a corpus of good ones and mutated; every session has
//! a seed of its own, so that it can be run once more by itself.

const std = @import("std");
const msgpack = @import("msgpack.zig");
const Code = @import("failure.zig").Code;
const Engine = @import("engine.zig").Engine;
const Mutator = @import("mutation.zig").Mutator;
const Io = std.Io;

const usage =
    \\usage: fuzz CORPUS MESSAGES SEED [SESSION]
    \\  CORPUS    a folder of good messages, one per file
    \\  MESSAGES  how many are made of them
    \\  SEED      decides which
    \\  SESSION   run this one alone
    \\
;

/// Messages of one session, which share an engine.
const session_messages = 32;

/// Memory that an engine may have; more is refused, as if the machine had none.
const memory_bytes = 1 << 25;

/// The largest message that is made.
const message_bytes = 1 << 16;

/// Frames that may come beside it, and what they are made of.
const frames_max = 16 * 9;
const numbers = [_]f32{ 0, 0, 0, 1, 1, -0.0, 0.3, -7, 1e-42, std.math.inf(f32), std.math.nan(f32) };

/// Operations of a sample that are still run; heavier networks are unloaded.
const work_max = 1 << 22;

/// A message that takes longer hangs: in time of the processor, which others do not take from it,
/// or in all, for what waits for ever takes none.
const patience_s = 30;
const patience_wall_s = 1200;

/// Memory that counts, is bounded, and can be made to fail.
const Memory = struct {
    child: std.mem.Allocator,
    live: std.atomic.Value(usize) = .init(0),
    /// How many more allocations succeed.
    left: std.atomic.Value(usize) = .init(std.math.maxInt(usize)),

    fn allocator(self: *Memory) std.mem.Allocator {
        return .{ .ptr = self, .vtable = &.{
            .alloc = alloc,
            .resize = std.mem.Allocator.noResize,
            .remap = std.mem.Allocator.noRemap,
            .free = free,
        } };
    }

    fn alloc(context: *anyopaque, size: usize, alignment: std.mem.Alignment, at: usize) ?[*]u8 {
        const self: *Memory = @ptrCast(@alignCast(context));
        if (self.left.load(.monotonic) == 0) return null;
        _ = self.left.fetchSub(1, .monotonic);
        const live = self.live.fetchAdd(size, .monotonic) + size;
        const found = if (live > memory_bytes) null else self.child.rawAlloc(size, alignment, at);
        if (found == null) _ = self.live.fetchSub(size, .monotonic);
        return found;
    }

    fn free(context: *anyopaque, memory: []u8, alignment: std.mem.Alignment, at: usize) void {
        const self: *Memory = @ptrCast(@alignCast(context));
        _ = self.live.fetchSub(memory.len, .monotonic);
        self.child.rawFree(memory, alignment, at);
    }
};

/// Where the campaign stands, for whoever has to tell of a crash or a hang.
var seed: u64 = 0;
var session: std.atomic.Value(u64) = .init(0);
var message: std.atomic.Value(u64) = .init(0);

pub const panic = std.debug.FullPanic(crashed);

fn crashed(text: []const u8, at: ?usize) noreturn {
    place("crash");
    std.debug.defaultPanic(text, at);
}

fn place(what: []const u8) void {
    std.debug.print("{s}: seed {d}, session {d}, message {d}\n", .{
        what,
        seed,
        session.load(.monotonic),
        message.load(.monotonic),
    });
}

/// What an engine is ready for.
const Stage = enum {
    empty,
    clocked,
    event,

    /// Whether a request is one for it.
    fn takes(self: Stage, asked: []const u8) bool {
        if (std.mem.eql(u8, asked, "load")) return self == .empty;
        if (std.mem.eql(u8, asked, "run")) return self == .clocked;
        return self == .event and !std.mem.eql(u8, asked, "unload");
    }
};

fn stage(engine: *const Engine) Stage {
    const loaded = engine.loaded orelse return .empty;
    return if (loaded.live == null) .clocked else .event;
}

/// What happened in a campaign.
const Tally = struct {
    messages: u64 = 0,
    granted: u64 = 0,
    refused: std.EnumArray(Code, u64) = .initFill(0),
    slowest_us: u64 = 0,
};

const Campaign = struct {
    io: Io,
    corpus: []const []const u8,
    /// Those of the corpus that mean something to an engine that is ready for this.
    apt: std.EnumArray(Stage, []const []const u8),
    /// Whether every message is told before it is sent.
    tells: bool = false,
    tally: Tally = .{},
    memory: Memory = .{ .child = std.heap.smp_allocator },
    room: [message_bytes]u8 = undefined,
    /// What comes beside messages, and how much of it.
    frames: [frames_max]f32 = undefined,
    shown: usize = 0,

    fn play(self: *Campaign, number: u64) !void {
        session.store(number, .monotonic);
        message.store(0, .monotonic);
        var prng = std.Random.DefaultPrng.init(seed *% 0x9e37_79b9_7f4a_7c15 +% number);
        const draw = prng.random();
        var mutator: Mutator = .{ .draw = draw, .bytes = &self.room };
        const scarce = draw.uintLessThan(u32, 4) == 0;
        for (&self.frames) |*value| value.* = numbers[draw.uintLessThan(usize, numbers.len)];
        {
            var engine: Engine = .{ .gpa = self.memory.allocator() };
            defer engine.deinit();
            for (0..session_messages) |i| {
                message.store(i + 1, .monotonic);
                const first = i % 8 == 0;
                if (first) try self.ask(&engine, unload);
                const sensible = draw.uintLessThan(u32, 16) > 0;
                const from = if (sensible) self.apt.get(stage(&engine)) else self.corpus;
                const good = from[draw.uintLessThan(usize, from.len)];
                const other = self.corpus[draw.uintLessThan(usize, self.corpus.len)];
                const whole = draw.uintLessThan(u32, if (first) 2 else 6) == 0;
                const asked = if (whole) good else mutator.mutate(good, other);
                // Frames in the corpus are of sixteen numbers. Half of the runs bring their own.
                const runs = std.mem.eql(u8, op(asked), "run");
                const apart = draw.uintLessThan(u32, if (runs) 2 else 32) == 0;
                self.shown = if (apart) 16 * draw.uintAtMost(usize, frames_max / 16) else 0;
                if (scarce) self.memory.left.store(draw.uintLessThan(usize, 24), .monotonic);
                try self.ask(&engine, asked);
                self.memory.left.store(std.math.maxInt(usize), .monotonic);
            }
        }
        if (self.memory.live.load(.monotonic) != 0) return error.Leak;
    }

    fn ask(self: *Campaign, engine: *Engine, request: []const u8) !void {
        const number = message.load(.monotonic);
        if (self.tells) std.debug.print("message {d}: {s}\n", .{ number, op(request) });
        const start = Io.Clock.awake.now(self.io);
        const frames = std.mem.sliceAsBytes(self.frames[0..self.shown]);
        const reply = engine.callWith(request, if (frames.len > 0) frames else null);
        const took = start.durationTo(Io.Clock.awake.now(self.io)).toMicroseconds();
        self.tally.slowest_us = @max(self.tally.slowest_us, @as(u64, @intCast(took)));
        self.tally.messages += 1;
        const answer = msgpack.check(reply) catch return error.BrokenReply;
        const ok = (field(answer, "ok") orelse return error.BrokenReply).boolean() orelse
            return error.BrokenReply;
        if (!ok) {
            const name = field(answer, "code").?.text() orelse return error.BrokenReply;
            const code = std.meta.stringToEnum(Code, name) orelse return error.BrokenReply;
            if (field(answer, "error").?.text().?.len == 0) return error.BrokenReply;
            self.tally.refused.getPtr(code).* += 1;
            return;
        }
        self.tally.granted += 1;
        if (field(answer, "work")) |work| {
            if (work.unsigned().? > work_max) try self.ask(engine, unload);
        }
    }
};

/// What a request asks for, as far as it can be told.
fn op(request: []const u8) []const u8 {
    const value = field(msgpack.check(request) catch return "", "op") orelse return "";
    return value.text() orelse "";
}

const unload = "\x81\xa2op\xa6unload";

fn field(map: msgpack.Value, key: []const u8) ?msgpack.Value {
    var items = map.map() orelse return null;
    while (items.next()) |found| {
        const value = items.next() orelse return null;
        if (std.mem.eql(u8, found.text() orelse "", key)) return value;
    }
    return null;
}

/// Ends the process where one message takes too long.
fn watch(io: Io) void {
    var last: [2]u64 = .{ 0, 0 };
    var since: u32 = 0;
    var start = Io.Clock.cpu_process.now(io);
    while (true) {
        Io.Clock.Duration.sleep(.{ .raw = .fromSeconds(1), .clock = .awake }, io) catch return;
        const now: [2]u64 = .{ session.load(.monotonic), message.load(.monotonic) };
        since += 1;
        if (!std.meta.eql(now, last)) {
            last = now;
            since = 0;
            start = Io.Clock.cpu_process.now(io);
        }
        const taken = start.durationTo(Io.Clock.cpu_process.now(io)).toSeconds();
        if (taken < patience_s and since < patience_wall_s) continue;
        place("hang");
        std.process.exit(3);
    }
}

fn read(io: Io, arena: std.mem.Allocator, folder: []const u8) ![]const []const u8 {
    var found: std.ArrayList([]const u8) = .empty;
    var names: std.ArrayList([]const u8) = .empty;
    const dir = try Io.Dir.cwd().openDir(io, folder, .{ .iterate = true });
    var iterator = dir.iterate();
    while (try iterator.next(io)) |entry| try names.append(arena, try arena.dupe(u8, entry.name));
    std.mem.sort([]const u8, names.items, {}, alphabetic);
    for (names.items) |name| {
        const limit: Io.Limit = .limited(message_bytes);
        try found.append(arena, try dir.readFileAlloc(io, name, arena, limit));
    }
    return found.items;
}

fn alphabetic(_: void, a: []const u8, b: []const u8) bool {
    return std.mem.lessThan(u8, a, b);
}

pub fn main(init: std.process.Init) !u8 {
    const arena = init.arena.allocator();
    const arguments = try init.minimal.args.toSlice(arena);
    if (arguments.len < 4 or arguments.len > 5) {
        std.debug.print(usage, .{});
        return 1;
    }
    const corpus = try read(init.io, arena, arguments[1]);
    const messages = try std.fmt.parseInt(u64, arguments[2], 10);
    seed = try std.fmt.parseInt(u64, arguments[3], 10);
    const sessions = messages / session_messages + 1;
    const only = if (arguments.len == 5) try std.fmt.parseInt(u64, arguments[4], 10) else null;
    // A single session is run to look into it: this one tells where what leaks was allocated.
    var telling: std.heap.DebugAllocator(.{}) = .init;
    defer _ = telling.deinit();
    const campaign = try arena.create(Campaign);
    campaign.* = .{ .io = init.io, .corpus = corpus, .apt = .initUndefined() };
    for (std.enums.values(Stage)) |ready| {
        var list: std.ArrayList([]const u8) = .empty;
        for (corpus) |good| {
            if (ready.takes(op(good))) try list.append(arena, good);
        }
        campaign.apt.set(ready, list.items);
    }
    if (only != null) {
        campaign.memory.child = telling.allocator();
        campaign.tells = true;
    }
    (try std.Thread.spawn(.{}, watch, .{init.io})).detach();
    for (only orelse 0..if (only) |one| one + 1 else sessions) |number| {
        campaign.play(number) catch |err| {
            place(@errorName(err));
            return 2;
        };
    }
    return report(init.io, &campaign.tally);
}

fn report(io: Io, tally: *const Tally) !u8 {
    var buffer: [1024]u8 = undefined;
    var out = Io.File.stdout().writerStreaming(io, &buffer);
    const to = &out.interface;
    try to.print("seed {d}: {d} messages, {d} granted, slowest {d} us", .{
        seed,
        tally.messages,
        tally.granted,
        tally.slowest_us,
    });
    for (std.enums.values(Code)) |code| {
        try to.print(", {t} {d}", .{ code, tally.refused.get(code) });
    }
    try to.writeAll("\n");
    try to.flush();
    return 0;
}
