//! Samples in clocked execution: the request `run` and its reply.

const std = @import("std");
const clocked = @import("clocked.zig");
const counters = @import("counters.zig");
const crew = @import("crew.zig");
const fixed = @import("fixed.zig");
const limits = @import("limits.zig");
const msgpack = @import("msgpack.zig");
const Engine = @import("engine.zig").Engine;
const Error = @import("failure.zig").Error;
const Failure = @import("failure.zig").Failure;
const Frames = @import("frames.zig").Frames;
const Layer = @import("network.zig").Layer;
const Loaded = @import("engine.zig").Loaded;
const Network = @import("network.zig").Network;
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;
const Tally = @import("scratch.zig").Tally;

/// What is asked for, as far as the network can do it.
const Asked = struct {
    samples: u64,
    threads: u64,
    spikes: bool,
    counters: bool,
    frames: Frames,

    /// `beside`: frames that came with the request, if any did.
    fn read(record: *Record, network: *const Network, beside: ?[]const u8) Refused!Asked {
        const samples = try record.integer("samples", 1, limits.samples);
        const threads = try record.integer("threads", 1, limits.threads);
        const bytes = try shown(record, beside);
        const self: Asked = .{
            .samples = samples,
            .threads = @min(threads, samples),
            .spikes = try record.boolean("spikes", null),
            .counters = try record.boolean("counters", false),
            .frames = .{ .bytes = bytes, .raw = try record.boolean("raw", false) },
        };
        try record.finish();
        if (self.frames.raw and !network.raw) return record.refuse(
            .unsupported,
            "raw",
            "is asked of a network with an input format that float32 cannot hold",
        );
        if (bytes.len != samples *| network.frameBytes()) return record.failure.refuse(
            .frames,
            "run: {d} bytes of frames for {d} samples of {d} bytes each",
            .{ bytes.len, samples, network.frameBytes() },
        );
        if (samples *| network.work > limits.work) return record.failure.refuse(
            .limit,
            "run: {d} samples of {d} operations exceed {d}; ask for fewer samples",
            .{ samples, network.work, limits.work },
        );
        return self;
    }
};

/// The frames, of which a request has either its own or such as came with it.
fn shown(record: *Record, beside: ?[]const u8) Refused![]const u8 {
    const given = try record.take("frames");
    const own = given.blob();
    if (own == null and !given.nil())
        return record.refuse(.invalid, "frames", "is neither binary nor nil");
    if (own != null and beside != null)
        return record.refuse(.invalid, "frames", "is not nil, and others came with the request");
    return own orelse beside orelse
        record.refuse(.invalid, "frames", "is nil, and none came with the request");
}

/// {"op": "run", "samples": N, "threads": n, "spikes": bool, "counters": bool, "raw": bool,
/// "frames": bin or nil}
pub fn answer(engine: *Engine, loaded: *Loaded, record: *Record) Error![]const u8 {
    const network = &loaded.network;
    var asked: Asked = try .read(record, network, engine.frames);
    const samples = asked.samples;
    const bits = try engine.gpa.alloc([]u8, network.layers.len);
    defer engine.gpa.free(bits);
    const counted_layers = if (asked.counters) network.layers.len else 0;
    const columns = try engine.gpa.alloc(counters.Columns, counted_layers);
    defer engine.gpa.free(columns);
    const members = try loaded.crew.hire(network, asked.threads);
    const extra = if (asked.counters) counters.replyBytes(network, samples) else 0;
    var writer = try engine.allocate(replyBytes(network, samples, asked.spikes) +| extra);
    writer.map(3 + @as(usize, @intFromBool(asked.spikes)) + @intFromBool(asked.counters));
    writer.text("ok");
    writer.boolean(true);
    writer.text("logits");
    const logits = writer.blob(@intCast(samples * 4 * network.readout().out.elements()));
    @memset(bits, &.{});
    if (asked.spikes) spikes(&writer, network, samples, bits);
    if (asked.counters) counters.place(&writer, network, samples, columns);
    const job: clocked.Job = .{
        .frames = &asked.frames,
        .logits = logits,
        .spikes = bits,
        .counters = columns,
    };
    crew.work(members, loaded.sample, network, &job, samples);
    if (asked.frames.unfit.load(.monotonic))
        return unfit(network.format.?, &asked.frames, &engine.failure);
    counts(&writer, network, members);
    return engine.reply[0..writer.at];
}

/// Why frames are none of a quantised network's.
fn unfit(format: fixed.Format, frames: *const Frames, failure: *Failure) Refused {
    if (frames.raw) return failure.refuse(
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
    return failure.refuse(
        .frames,
        "run: inputs from {d} to {d} do not fit into {d} bits",
        .{ low, high, format.bits },
    );
}

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
