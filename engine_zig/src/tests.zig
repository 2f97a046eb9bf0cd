//! The engine from request to reply, without a process around it: memory is counted, every
//! allocation is made to fail once, documents are damaged at random.

const std = @import("std");
const limits = @import("limits.zig");
const msgpack = @import("msgpack.zig");
const Engine = @import("engine.zig").Engine;

const testing = std.testing;

/// A writer with room for a request of this file.
const Message = struct {
    buffer: [4096]u8 = undefined,
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

/// An array of ones.
fn ones(w: *msgpack.Writer, key: []const u8, shape: []const u64) void {
    w.text(key);
    w.map(3);
    name(w, "dtype", "<f4");
    sizes(w, "shape", shape);
    w.text("data");
    var count: usize = 1;
    for (shape) |n| count *= @intCast(n);
    const data = w.blob(4 * count);
    for (0..count) |i| std.mem.writeInt(u32, data[4 * i ..][0..4], @bitCast(@as(f32, 1)), .little);
}

fn neuron(w: *msgpack.Writer, own: []const u8) void {
    w.map(13);
    name(w, "type", "Neuron");
    name(w, "name", own);
    inline for (.{ "threshold", "decay", "gain", "payload", "tau" }) |key| number(w, key, 1);
    inline for (.{ "bias", "value", "start", "rest" }) |key| number(w, key, 0);
    name(w, "reset", "subtract");
    name(w, "charge", "normal");
}

/// A load request: input [1, 3, 3] – Conv 2×2 to two channels – Neuron – Flatten – Linear to three –
/// Relu, everything one, in `accumulator`, put on a grid of 1/16 in the end.
fn load(message: *Message, accumulator: []const u8) []const u8 {
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
    w.text("input_format");
    w.bytes[w.at] = 0xc0;
    w.at += 1;
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
    w.map(8);
    name(w, "type", "Conv");
    name(w, "name", "conv");
    ones(w, "weight", &.{ 2, 1, 2, 2 });
    ones(w, "bias", &.{2});
    sizes(w, "stride", &.{ 1, 1 });
    sizes(w, "padding", &.{ 0, 1 });
    number(w, "groups", 1);
    name(w, "accumulator", accumulator);
    neuron(w, "neuron");
    w.map(2);
    name(w, "type", "Flatten");
    name(w, "name", "flat");
    w.map(5);
    name(w, "type", "Linear");
    name(w, "name", "linear");
    ones(w, "weight", &.{ 3, 16 });
    w.text("bias");
    w.bytes[w.at] = 0xc0;
    w.at += 1;
    name(w, "accumulator", accumulator);
    w.map(3);
    name(w, "type", "Relu");
    name(w, "name", "relu");
    w.text("format");
    w.map(3);
    number(w, "bits", 9);
    number(w, "fraction", 4);
    name(w, "rounding", "nearest");
    return message.bytes();
}

fn run(message: *Message, samples: u64, threads: u64) []const u8 {
    const w = message.start();
    w.map(5);
    name(w, "op", "run");
    number(w, "samples", samples);
    number(w, "threads", threads);
    w.text("spikes");
    w.boolean(true);
    w.text("frames");
    @memset(w.blob(@intCast(samples * 9 * 4)), 0);
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
    for ([_][]const u8{ "float32", "float64" }) |accumulator| {
        var engine: Engine = .{ .gpa = testing.allocator };
        defer engine.deinit();
        var message: Message = .{};
        try testing.expect(good(engine.call(load(&message, accumulator))));
        try testing.expect(!good(engine.call(load(&message, accumulator))));
        const reply = engine.call(run(&message, 5, 3));
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
    }
}

fn session(gpa: std.mem.Allocator) !void {
    var engine: Engine = .{ .gpa = gpa };
    defer engine.deinit();
    var message: Message = .{};
    for ([_][]const u8{ load(&message, "float64"), "" }) |request| {
        const asked = if (request.len > 0) request else run(&message, 4, 1);
        const reply = engine.call(asked);
        if (good(reply)) continue;
        try testing.expectEqualStrings("memory", field(reply, "code").?.text().?);
        return error.OutOfMemory;
    }
}

test "without memory there is an error, no leak, and no half-loaded network" {
    try testing.checkAllAllocationFailures(testing.allocator, session, .{});
}

test "damaged documents are answered, and the engine works on" {
    var random = std.Random.DefaultPrng.init(0);
    const draw = random.random();
    var engine: Engine = .{ .gpa = testing.allocator };
    defer engine.deinit();
    var message: Message = .{};
    var accepted: u32 = 0;
    for (0..30_000) |_| {
        const request = message.buffer[0..load(&message, "float32").len];
        for (0..draw.intRangeAtMost(u32, 1, 5)) |_| {
            request[draw.uintLessThan(usize, request.len)] = draw.int(u8);
        }
        const cut = if (draw.boolean()) draw.uintAtMost(usize, request.len) else request.len;
        if (!good(engine.call(request[0..cut]))) continue;
        accepted += 1;
        const reply = engine.call(run(&message, 1, 1));
        try testing.expect(field(reply, "ok") != null);
        const w = message.start();
        w.map(1);
        name(w, "op", "reset");
        try testing.expect(good(engine.call(message.bytes())));
    }
    try testing.expect(accepted > 100);
    try testing.expect(good(engine.call(load(&message, "float32"))));
}
