//! The engine from request to reply, without a process around it: memory is counted, every
//! allocation is made to fail once, documents are damaged at random.

const std = @import("std");
const limits = @import("limits.zig");
const msgpack = @import("msgpack.zig");
const Engine = @import("engine.zig").Engine;

const testing = std.testing;

/// A writer with room for a request of this file.
const Message = struct {
    buffer: [8192]u8 = undefined,
    writer: msgpack.Writer = undefined,

    fn start(self: *Message) *msgpack.Writer {
        self.writer = .{ .bytes = &self.buffer };
        return &self.writer;
    }

    fn bytes(self: *const Message) []const u8 {
        return self.buffer[0..self.writer.at];
    }
};

fn number(w: *msgpack.Writer, key: []const u8, value: u64) void {
    w.text(key);
    w.unsigned(value);
}

fn name(w: *msgpack.Writer, key: []const u8, value: []const u8) void {
    w.text(key);
    w.text(value);
}

fn sizes(w: *msgpack.Writer, key: []const u8, values: []const u64) void {
    w.text(key);
    w.array(values.len);
    for (values) |value| w.unsigned(value);
}

fn nothing(w: *msgpack.Writer, key: []const u8) void {
    w.text(key);
    w.bytes[w.at] = 0xc0;
    w.at += 1;
}

/// A format, which is nearest to what it is given.
fn format(w: *msgpack.Writer, key: []const u8, bits: u64, fraction: u64) void {
    w.text(key);
    w.map(3);
    number(w, "bits", bits);
    number(w, "fraction", fraction);
    name(w, "rounding", "nearest");
}

/// An array of ones, float32 or int8.
fn ones(w: *msgpack.Writer, key: []const u8, whole: bool, shape: []const u64) void {
    w.text(key);
    w.map(3);
    name(w, "dtype", if (whole) "|i1" else "<f4");
    sizes(w, "shape", shape);
    w.text("data");
    var count: usize = 1;
    for (shape) |n| count *= @intCast(n);
    if (whole) return @memset(w.blob(count), 1);
    const data = w.blob(4 * count);
    for (0..count) |i| std.mem.writeInt(u32, data[4 * i ..][0..4], @bitCast(@as(f32, 1)), .little);
}

fn neuron(w: *msgpack.Writer, own: []const u8, whole: bool) void {
    w.map(if (whole) 17 else 13);
    name(w, "type", "Neuron");
    name(w, "name", own);
    inline for (.{ "threshold", "decay", "gain", "payload", "tau" }) |key| number(w, key, 1);
    inline for (.{ "bias", "value", "start", "rest" }) |key| number(w, key, 0);
    name(w, "reset", "subtract");
    name(w, "charge", "normal");
    if (!whole) return;
    number(w, "leak", 1);
    format(w, "state_format", 9, 2);
    format(w, "format", 6, 3);
    w.text("input_formats");
    w.array(1);
    w.map(3);
    number(w, "bits", 9);
    number(w, "fraction", 1);
    name(w, "rounding", "ceil");
}

/// What a quantised layer with weights has beside.
fn quantised(w: *msgpack.Writer) void {
    format(w, "weight_format", 8, 0);
    nothing(w, "bias_format");
    nothing(w, "format");
    w.text("input_formats");
    w.array(0);
}

/// A load request: input [1, 3, 3] – Conv 2×2 to two channels – Neuron – Flatten – Linear to
/// three – Relu, everything one, in `accumulator`, put on a grid of 1/16 in the end.
fn load(message: *Message, accumulator: []const u8) []const u8 {
    const whole = std.mem.startsWith(u8, accumulator, "int");
    const w = message.start();
    w.map(2);
    name(w, "op", "load");
    w.text("network");
    w.map(8);
    name(w, "format", "snn-network");
    number(w, "version", 1);
    number(w, "timesteps", 4);
    name(w, "mode", "static");
    sizes(w, "input_shape", &.{ 1, 3, 3 });
    if (whole) format(w, "input_format", 8, 0) else nothing(w, "input_format");
    w.text("edges");
    const path = [_][]const u8{ "input", "conv", "neuron", "flat", "linear", "relu" };
    w.array(path.len - 1);
    for (path[0 .. path.len - 1], path[1..]) |from, to| {
        w.array(2);
        w.text(from);
        w.text(to);
    }
    w.text("layers");
    w.array(5);
    w.map(if (whole) 12 else 8);
    name(w, "type", "Conv");
    name(w, "name", "conv");
    ones(w, "weight", whole, &.{ 2, 1, 2, 2 });
    ones(w, "bias", whole, &.{2});
    sizes(w, "stride", &.{ 1, 1 });
    sizes(w, "padding", &.{ 0, 1 });
    number(w, "groups", 1);
    name(w, "accumulator", accumulator);
    if (whole) quantised(w);
    neuron(w, "neuron", whole);
    w.map(2);
    name(w, "type", "Flatten");
    name(w, "name", "flat");
    w.map(if (whole) 9 else 5);
    name(w, "type", "Linear");
    name(w, "name", "linear");
    ones(w, "weight", whole, &.{ 3, 16 });
    nothing(w, "bias");
    name(w, "accumulator", accumulator);
    if (whole) quantised(w);
    w.map(if (whole) 4 else 3);
    name(w, "type", "Relu");
    name(w, "name", "relu");
    format(w, "format", 9, 4);
    if (whole) {
        w.text("input_formats");
        w.array(0);
    }
    return message.bytes();
}

/// `shown`: two numbers, or, if `raw`, the bits of two floats, in turn.
fn run(message: *Message, samples: u64, threads: u64, raw: bool, shown: [2]i32) []const u8 {
    const w = message.start();
    w.map(7);
    name(w, "op", "run");
    number(w, "samples", samples);
    number(w, "threads", threads);
    for ([_][]const u8{ "spikes", "counters" }) |asked| {
        w.text(asked);
        w.boolean(true);
    }
    w.text("raw");
    w.boolean(raw);
    w.text("frames");
    const frames = w.blob(@intCast(samples * 9 * 4));
    for (0..frames.len / 4) |i| {
        std.mem.writeInt(i32, frames[4 * i ..][0..4], shown[i % 2], .little);
    }
    return message.bytes();
}

fn field(reply: []const u8, key: []const u8) ?msgpack.Value {
    var items = (msgpack.check(reply) catch return null).map() orelse return null;
    while (items.next()) |found| {
        const value = items.next() orelse return null;
        if (std.mem.eql(u8, found.text() orelse "", key)) return value;
    }
    return null;
}

fn good(reply: []const u8) bool {
    return field(reply, "ok").?.boolean().?;
}

test "bias alone makes every neuron fire at every timestep" {
    for ([_][]const u8{ "float32", "float64", "int32", "int64" }) |accumulator| {
        var engine: Engine = .{ .gpa = testing.allocator };
        defer engine.deinit();
        var message: Message = .{};
        try testing.expect(good(engine.call(load(&message, accumulator))));
        try testing.expect(!good(engine.call(load(&message, accumulator))));
        const raw = accumulator[0] == 'i';
        const reply = engine.call(run(&message, 5, 3, raw, .{ 0, 0 }));
        try testing.expect(good(reply));
        const logits = field(reply, "logits").?.blob().?;
        try testing.expectEqual(5 * 3 * 4, logits.len);
        for (0..5 * 3) |i| {
            const bits = std.mem.readInt(u32, logits[4 * i ..][0..4], .little);
            // Sixteen inputs of one: the grid of nine bits ends below.
            try testing.expectEqual(15.9375, @as(f32, @bitCast(bits)));
        }
        const spikes = field(field(reply, "spikes").?.bytes, "neuron").?.blob().?;
        try testing.expectEqual(5 * 4 * 2, spikes.len);
        for (spikes) |byte| try testing.expectEqual(0xff, byte);
        const counts = field(reply, "counts").?.bytes;
        const inputs = field(field(counts, "linear").?.bytes, "inputs").?.unsigned();
        try testing.expectEqual(5 * 4 * 16, inputs);
        const outputs = field(field(counts, "relu").?.bytes, "outputs").?.unsigned();
        try testing.expectEqual(5 * 4 * 3, outputs);
        for ([_]struct { []const u8, []const u8, u64 }{
            .{ "conv", "events_in", 0 },
            .{ "conv", "bias_reads", 4 * 16 },
            .{ "neuron", "resets", 4 * 16 },
            .{ "neuron", "leaks", 0 },
            .{ "linear", "weight_reads", 4 * 16 * 3 },
            .{ "linear", "potential_reads", 4 * 16 * 3 + 4 * 3 },
        }) |expected| {
            const columns = field(field(reply, "counters").?.bytes, expected[0]).?.bytes;
            const column = field(columns, expected[1]).?.blob().?;
            for (0..5) |i| {
                const count = std.mem.readInt(u64, column[8 * i ..][0..8], .little);
                try testing.expectEqual(expected[2], count);
            }
        }
    }
}

fn session(gpa: std.mem.Allocator, accumulator: []const u8) !void {
    var engine: Engine = .{ .gpa = gpa };
    defer engine.deinit();
    var message: Message = .{};
    for ([_][]const u8{ load(&message, accumulator), "" }) |request| {
        const asked = if (request.len > 0) request else run(&message, 4, 1, true, .{ 0, 0 });
        const reply = engine.call(asked);
        if (good(reply)) continue;
        try testing.expectEqualStrings("memory", field(reply, "code").?.text().?);
        return error.OutOfMemory;
    }
}

test "without memory there is an error, no leak, and no half-loaded network" {
    for ([_][]const u8{ "float64", "int64" }) |accumulator| {
        try testing.checkAllAllocationFailures(testing.allocator, session, .{accumulator});
    }
}

/// Documents damaged at random; in Debug mode, which finds every sum that overflows.
fn damage(accumulator: []const u8, shown: [2]i32) !void {
    var random = std.Random.DefaultPrng.init(0);
    const draw = random.random();
    var engine: Engine = .{ .gpa = testing.allocator };
    defer engine.deinit();
    var message: Message = .{};
    var accepted: u32 = 0;
    for (0..30_000) |_| {
        const request = message.buffer[0..load(&message, accumulator).len];
        for (0..draw.intRangeAtMost(u32, 1, 5)) |_| {
            request[draw.uintLessThan(usize, request.len)] = draw.int(u8);
        }
        const cut = if (draw.boolean()) draw.uintAtMost(usize, request.len) else request.len;
        if (!good(engine.call(request[0..cut]))) continue;
        accepted += 1;
        for ([_]bool{ false, true }) |raw| {
            const reply = engine.call(run(&message, 1, 1, raw, shown));
            try testing.expect(field(reply, "ok") != null);
        }
        const w = message.start();
        w.map(1);
        name(w, "op", "unload");
        try testing.expect(good(engine.call(message.bytes())));
    }
    try testing.expect(accepted > 100);
    try testing.expect(good(engine.call(load(&message, accumulator))));
}

test "damaged documents are answered, and the engine works on" {
    try damage("float32", .{ 0, 0 });
}

test "damaged documents of integers are answered, and nothing overflows" {
    try damage("int32", .{ -128, 127 });
    try damage("int64", .{ -128, -128 });
}

/// A load request of one layer: a sum pool of windows of one, `padding` wide, over `shape`.
fn hostile(message: *Message, shape: [3]u64, padding: u64, timesteps: u64) []const u8 {
    const w = message.start();
    w.map(2);
    name(w, "op", "load");
    w.text("network");
    w.map(8);
    name(w, "format", "snn-network");
    number(w, "version", 1);
    number(w, "timesteps", timesteps);
    name(w, "mode", "static");
    sizes(w, "input_shape", &shape);
    nothing(w, "input_format");
    w.text("edges");
    w.array(1);
    w.array(2);
    w.text("input");
    w.text("pool");
    w.text("layers");
    w.array(1);
    w.map(8);
    name(w, "type", "Pool");
    name(w, "name", "pool");
    name(w, "how", "sum");
    sizes(w, "size", &.{ padding + 1, padding + 1 });
    sizes(w, "stride", &.{ 1, 1 });
    sizes(w, "padding", &.{ padding, padding });
    name(w, "accumulator", "float64");
    nothing(w, "format");
    return message.bytes();
}

test "what is too large is refused before memory is asked for" {
    for ([_]struct { [3]u64, u64, u64 }{
        .{ .{ 1 << 16, 1 << 16, 1 << 16 }, 0, 1 },
        .{ .{ 1 << 40, 1, 1 }, 0, 1 },
        .{ .{ 1, 1 << 13, 1 << 13 }, 0, 1 }, // twice 2^26 activations
        .{ .{ 1, 1, 1 }, 1 << 16, 1 },
        .{ .{ 64, 1, 1 }, 1 << 15, 1 },
        .{ .{ 1, 1, 1 }, 0, 1 << 40 },
    }) |case| {
        var counted: std.testing.FailingAllocator = .init(testing.allocator, .{});
        var engine: Engine = .{ .gpa = counted.allocator() };
        defer engine.deinit();
        var message: Message = .{};
        const reply = engine.call(hostile(&message, case[0], case[1], case[2]));
        try testing.expectEqualStrings("limit", field(reply, "code").?.text().?);
        try testing.expect(counted.allocated_bytes < 1 << 16);
    }
    var engine: Engine = .{ .gpa = testing.allocator };
    defer engine.deinit();
    var message: Message = .{};
    try testing.expect(good(engine.call(hostile(&message, .{ 1, 8, 8 }, 1, 1))));
}
