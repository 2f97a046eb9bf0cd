//! A network in event execution, and the requests that it answers: events, state, counters, reset.

const std = @import("std");
const counts = @import("counts.zig");
const event = @import("event.zig");
const limits = @import("limits.zig");
const Engine = @import("engine.zig").Engine;
const Error = @import("failure.zig").Error;
const Failure = @import("failure.zig").Failure;
const Record = @import("record.zig").Record;
const Records = @import("stream.zig").Records;
const Refused = @import("failure.zig").Refused;
const Stream = @import("stream.zig").Stream;
const Tally = @import("stream.zig").Tally;
const Wiring = @import("wiring.zig").Wiring;
const chunk = @import("stream.zig").chunk;

pub const Live = struct {
    wiring: Wiring,
    advance: *const event.Advance,
    stream: Stream,
    /// Since the last reset, per population; and the time of the newest event.
    totals: []Tally,
    now_us: u64 = 0,

    pub fn create(
        gpa: std.mem.Allocator,
        arena: std.mem.Allocator,
        wiring: Wiring,
        advance: *const event.Advance,
    ) error{OutOfMemory}!Live {
        const totals = try arena.alloc(Tally, wiring.stages.len);
        @memset(totals, .{});
        const stream: Stream = try .create(gpa, &wiring);
        return .{ .wiring = wiring, .advance = advance, .stream = stream, .totals = totals };
    }

    pub fn deinit(self: *Live) void {
        self.stream.deinit();
    }

    /// All that events have changed is as it was after loading.
    pub fn reset(self: *Live) void {
        self.stream.reset(&self.wiring);
        @memset(self.totals, .{});
        self.now_us = 0;
    }

    /// Take events through the network; what is emitted stands in the sinks of its stream.
    pub fn show(self: *Live, records: Records, failure: *Failure) Error!void {
        const stream = &self.stream;
        stream.begin();
        run(self.advance, &self.wiring, stream, records);
        if (stream.stop != .none) stream.back();
        switch (stream.stop) {
            .none => {},
            .memory => return error.OutOfMemory,
            .work => return tired(failure),
        }
        for (self.totals, stream.tallies) |*total, tally| total.add(tally);
    }

    /// That they are events of the network's input, and sorted if they must be; the newest time.
    pub fn check(
        self: *const Live,
        records: Records,
        /// The number of the first one, for the text.
        start: u64,
        sorted: bool,
        since: u64,
        failure: *Failure,
    ) Refused!u64 {
        const input = self.wiring.input;
        var newest = since;
        for (0..records.count()) |i| {
            inline for (.{
                .{ "x", records.word(i, .x), input.width },
                .{ "y", records.word(i, .y), input.height },
                .{ "p", records.word(i, .p), input.channels },
            }) |field| if (field[1] >= field[2]) return failure.refuse(
                .events,
                "events: record {d}: {s} is {d}, the input {f} has {d}",
                .{ start + i, field[0], field[1], input, field[2] },
            );
            const time = records.time(i);
            if (time < newest and sorted) return failure.refuse(
                .events,
                "events: record {d}: its time, {d} µs, is before {d} µs, of the event before it",
                .{ start + i, time, newest },
            );
            newest = @max(newest, time);
        }
        return newest;
    }
};

/// Chunk after chunk, until all is done or the stream has stopped.
pub fn run(
    advance: *const event.Advance,
    wiring: *const Wiring,
    stream: *Stream,
    records: Records,
) void {
    const input = wiring.input;
    var from: usize = 0;
    while (from < records.count() and stream.stop == .none) : (from += chunk) {
        const to = @min(from + chunk, records.count());
        stream.records = records.slice(from, to);
        const queue = &stream.queues[0];
        queue.first = 0;
        queue.events = @intCast(to - from);
        queue.count = queue.events;
        for (0..to - from) |i| {
            const part = stream.records;
            const position = part.word(i, .y) * input.width + part.word(i, .x);
            queue.spikes[i] = position * input.channels + part.word(i, .p);
            queue.ends[i] = @intCast(i + 1);
        }
        advance(wiring, stream);
    }
}

/// {"op": "events", "records": bin, "t0_us": n, "sorted": bool, "monitor": [name]}
pub fn events(engine: *Engine, live: *Live, record: *Record) Error![]const u8 {
    const failure = &engine.failure;
    const records: Records = .{
        .bytes = (try record.take("records")).blob() orelse
            return record.refuse(.invalid, "records", "is not binary"),
        .t0_us = try record.integer("t0_us", 0, limits.t_us),
    };
    const sorted = try sortedness(record);
    try monitor(live, record);
    try record.finish();
    try whole(records, limits.events, failure);
    const now = try live.check(records, 0, sorted, live.now_us, failure);
    try live.show(records, failure);
    const before = live.now_us;
    live.now_us = now;
    return answer(engine, live) catch |err| {
        live.stream.back();
        live.now_us = before;
        for (live.totals, live.stream.tallies) |*total, tally| total.take(tally);
        return err;
    };
}

/// Whether events must be sorted by time: yes, unless the request says no.
pub fn sortedness(record: *Record) Refused!bool {
    return record.boolean("sorted", true);
}

/// That there are whole records, and not too many.
pub fn whole(records: Records, most: u64, failure: *Failure) Refused!void {
    if (records.bytes.len % Records.size != 0) return failure.refuse(
        .events,
        "events: {d} bytes are not whole records of {d}",
        .{ records.bytes.len, Records.size },
    );
    if (records.count() > most) return failure.refuse(
        .limit,
        "events: {d} records exceed {d}; send them in several messages",
        .{ records.count(), most },
    );
}

pub fn tired(failure: *Failure) Refused {
    return failure.refuse(
        .limit,
        "events: more than {d} operations follow from them; ask for fewer at once",
        .{limits.event_work},
    );
}

/// Which populations are listened to: the last one always.
fn monitor(live: *Live, record: *Record) Refused!void {
    const sinks = live.stream.sinks;
    for (sinks) |*sink| sink.* = .{ .shape = sink.shape, .records = sink.records };
    sinks[sinks.len - 1].wanted = true;
    var names = (record.optional("monitor") orelse return).array() orelse
        return record.refuse(.invalid, "monitor", "is not a list");
    while (names.next()) |name| {
        const text = name.text() orelse
            return record.refuse(.invalid, "monitor", "is not a list of names");
        const l = live.wiring.find(text) orelse return unknown(live, record.failure, text);
        sinks[l].wanted = true;
        sinks[l].asked = true;
    }
}

fn unknown(_: *const Live, failure: *Failure, name: []const u8) Refused {
    const short = name[0..@min(name.len, limits.name_bytes)];
    return failure.refuse(.invalid, "request: '{s}' is no layer of neurons", .{short});
}

fn answer(engine: *Engine, live: *Live) Error![]const u8 {
    const sinks = live.stream.sinks;
    const last = &sinks[sinks.len - 1];
    var size: u64 = 64 + last.records.items.len + counts.bytes(&live.wiring);
    var asked: usize = 0;
    for (sinks, live.wiring.stages) |sink, stage| if (sink.asked) {
        size += sink.records.items.len + stage.name.len + 16;
        asked += 1;
    };
    var writer = try engine.allocate(size);
    writer.map(4);
    writer.text("ok");
    writer.boolean(true);
    writer.text("records");
    writer.bytesOf(last.records.items);
    writer.text("monitors");
    writer.map(asked);
    for (sinks, live.wiring.stages) |sink, stage| if (sink.asked) {
        writer.text(stage.name);
        writer.bytesOf(sink.records.items);
    };
    writer.text("counters");
    counts.write(&writer, &live.wiring, live.stream.tallies);
    return engine.reply[0..writer.at];
}

/// {"op": "counters"}
pub fn counters(engine: *Engine, live: *Live, record: *Record) Error![]const u8 {
    try record.finish();
    var writer = try engine.allocate(64 + counts.bytes(&live.wiring));
    writer.map(2);
    writer.text("ok");
    writer.boolean(true);
    writer.text("counters");
    counts.write(&writer, &live.wiring, live.totals);
    return engine.reply[0..writer.at];
}

/// {"op": "state", "layer": name}
pub fn state(engine: *Engine, live: *Live, record: *Record) Error![]const u8 {
    const name = try record.text("layer");
    try record.finish();
    const l = live.wiring.find(name) orelse return unknown(live, &engine.failure, name);
    const stage = &live.wiring.stages[l];
    const shape = stage.out;
    var writer = try engine.allocate(128 + 8 * @as(u64, shape.elements()));
    writer.map(4);
    writer.text("ok");
    writer.boolean(true);
    writer.text("shape");
    writer.array(shape.rank);
    writer.unsigned(shape.channels);
    if (shape.rank > 2) writer.unsigned(shape.height);
    if (shape.rank > 1) writer.unsigned(shape.width);
    writer.text("fraction");
    switch (stage.charge) {
        inline else => |*charge| {
            const S = @TypeOf(charge.*).State;
            if (S == f32) writer.nil() else writer.signed(charge.fraction);
            const Word = if (S == f32) u32 else u64;
            writer.text("values");
            const into = writer.blob(@sizeOf(Word) * @as(usize, shape.elements()));
            const all = try settled(S, engine.gpa, live, l, &engine.failure);
            defer engine.gpa.free(all);
            for (all, 0..) |v, i| {
                const word: Word = if (S == f32) @bitCast(v) else @bitCast(@as(i64, v));
                const at = @sizeOf(Word) * @as(usize, shape.first(@intCast(i)));
                std.mem.writeInt(Word, into[at..][0..@sizeOf(Word)], word, .little);
            }
        },
    }
    return engine.reply[0..writer.at];
}

/// The potentials of population `l`, all timesteps up to the newest event made up for.
fn settled(
    comptime S: type,
    gpa: std.mem.Allocator,
    live: *Live,
    l: usize,
    failure: *Failure,
) Error![]S {
    const stage = &live.wiring.stages[l];
    const all = try gpa.dupe(S, live.stream.states(S, l)[0..stage.out.elements()]);
    switch (stage.charge) {
        inline else => |charge| if (@TypeOf(charge).State == S) {
            const silent = charge.leak orelse return all;
            const now = live.now_us / live.wiring.execution.dt_us.?;
            const most = limits.event_work / limits.single_work;
            if (silent.pass(all, now -| live.stream.steps[l], most) == most) {
                gpa.free(all);
                return tired(failure);
            }
        },
    }
    return all;
}

/// {"op": "reset"}
pub fn reset(engine: *Engine, live: *Live, record: *Record) Error![]const u8 {
    try record.finish();
    var writer = try engine.allocate(16);
    live.reset();
    writer.map(1);
    writer.text("ok");
    writer.boolean(true);
    return engine.reply[0..writer.at];
}
