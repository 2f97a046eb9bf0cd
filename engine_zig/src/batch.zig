//! Independent samples of events on several threads, each sample from rest, each thread with a
//! stream of its own: neither their number nor their pace can change a result.

const std = @import("std");
const counts = @import("counts.zig");
const limits = @import("limits.zig");
const live = @import("live.zig");
const Engine = @import("engine.zig").Engine;
const Error = @import("failure.zig").Error;
const Live = live.Live;
const Record = @import("record.zig").Record;
const Records = @import("stream.zig").Records;
const Stop = @import("stream.zig").Stop;
const Stream = @import("stream.zig").Stream;
const Tally = @import("stream.zig").Tally;

/// One thread's stream, and what it counted and emitted.
const Member = struct {
    stream: Stream,
    totals: []Tally,
    emitted: std.ArrayList(u8) = .empty,

    fn create(gpa: std.mem.Allocator, found: *const Live) !*Member {
        const self = try gpa.create(Member);
        errdefer gpa.destroy(self);
        const totals = try gpa.alloc(Tally, found.wiring.stages.len);
        errdefer gpa.free(totals);
        @memset(totals, .{});
        self.* = .{ .stream = try .create(gpa, &found.wiring), .totals = totals };
        const sinks = self.stream.sinks;
        sinks[sinks.len - 1].wanted = true;
        return self;
    }

    fn destroy(self: *Member, gpa: std.mem.Allocator) void {
        self.stream.deinit();
        self.emitted.deinit(gpa);
        gpa.free(self.totals);
        gpa.destroy(self);
    }
};

/// Where the output of one sample stands.
const Found = struct { member: u32 = 0, start: usize = 0, length: usize = 0 };

/// What the members share: whoever is free takes the next sample.
const Shift = struct {
    live: *const Live,
    gpa: std.mem.Allocator,
    records: Records,
    offsets: []const u64,
    found: []Found,
    next: std.atomic.Value(usize) = .init(0),
    work: std.atomic.Value(u64) = .init(0),
    stop: std.atomic.Value(Stop) = .init(.none),

    fn run(self: *Shift, member: *Member, number: u32) void {
        const stream = &member.stream;
        while (self.stop.load(.monotonic) == .none) {
            const i = self.next.fetchAdd(1, .monotonic);
            if (i >= self.found.len) return;
            stream.reset(&self.live.wiring);
            stream.begin();
            const records = self.records.slice(self.offsets[i], self.offsets[i + 1]);
            live.run(self.live.advance, &self.live.wiring, stream, records);
            const out = stream.sinks[stream.sinks.len - 1].records.items;
            self.found[i] = .{
                .member = number,
                .start = member.emitted.items.len,
                .length = out.len / Records.size,
            };
            member.emitted.appendSlice(self.gpa, out) catch self.stop.store(.memory, .monotonic);
            for (member.totals, stream.tallies) |*total, tally| total.add(tally);
            const done = limits.event_work - stream.left;
            const before = self.work.fetchAdd(done, .monotonic);
            if (before +| done > limits.event_work) self.stop.store(.work, .monotonic);
            if (stream.stop != .none) self.stop.store(stream.stop, .monotonic);
        }
    }
};

/// {"op": "samples", "records": bin, "offsets": bin, "threads": n, "sorted": bool}
pub fn samples(engine: *Engine, found: *Live, record: *Record) Error![]const u8 {
    const gpa, const failure = .{ engine.gpa, &engine.failure };
    const records: Records = .{ .bytes = (try record.take("records")).blob() orelse
        return record.refuse(.invalid, "records", "is not binary") };
    const ends = (try record.take("offsets")).blob() orelse
        return record.refuse(.invalid, "offsets", "is not binary");
    const threads = try record.integer("threads", 1, limits.threads);
    const sorted = try live.sortedness(record);
    try record.finish();
    const offsets = try split(engine, records, ends);
    defer gpa.free(offsets);
    for (offsets[0 .. offsets.len - 1], offsets[1..]) |from, to|
        _ = try found.check(records.slice(from, to), from, sorted, 0, failure);
    const places = try gpa.alloc(Found, offsets.len - 1);
    defer gpa.free(places);
    @memset(places, .{});
    var members: std.ArrayList(*Member) = .empty;
    defer {
        for (members.items) |member| member.destroy(gpa);
        members.deinit(gpa);
    }
    const room = limits.scratch_bytes / (found.stream.arena.queryCapacity() + 1);
    const wanted: usize = @intCast(@max(1, @min(threads, places.len, room)));
    try members.ensureTotalCapacity(gpa, wanted);
    for (0..wanted) |_| members.appendAssumeCapacity(try .create(gpa, found));
    var shift: Shift = .{
        .live = found,
        .gpa = gpa,
        .records = records,
        .offsets = offsets,
        .found = places,
    };
    work(&shift, members.items);
    switch (shift.stop.load(.monotonic)) {
        .none => {},
        .memory => return error.OutOfMemory,
        .work => return live.tired(failure),
    }
    return answer(engine, found, members.items, places);
}

/// Where each sample begins, and the end of the last.
fn split(engine: *Engine, records: Records, ends: []const u8) Error![]u64 {
    const failure = &engine.failure;
    try live.whole(records, limits.sample_events, failure);
    if (ends.len < 8 or ends.len % 8 != 0 or ends.len / 8 - 1 > limits.samples)
        return failure.refuse(.events, "samples: 'offsets' are not one u64 more than samples", .{});
    const offsets = try engine.gpa.alloc(u64, ends.len / 8);
    errdefer engine.gpa.free(offsets);
    for (offsets, 0..) |*to, i| to.* = std.mem.readInt(u64, ends[8 * i ..][0..8], .little);
    var rising = offsets[0] == 0 and offsets[offsets.len - 1] == records.count();
    for (offsets[0 .. offsets.len - 1], offsets[1..]) |from, to| rising = rising and from <= to;
    if (!rising) return failure.refuse(
        .events,
        "samples: 'offsets' do not rise from 0 to the {d} records",
        .{records.count()},
    );
    return offsets;
}

/// Run all samples; this thread takes part. A thread that cannot be started is done without.
fn work(shift: *Shift, members: []*Member) void {
    var threads: [limits.threads]std.Thread = undefined;
    var count: usize = 0;
    std.debug.assert(members.len >= 1 and members.len <= limits.threads);
    for (members[1..], 1..) |member, number| {
        const taken = .{ shift, member, @as(u32, @intCast(number)) };
        threads[count] = std.Thread.spawn(.{}, Shift.run, taken) catch break;
        count += 1;
    }
    shift.run(members[0], 0);
    for (threads[0..count]) |thread| thread.join();
}

fn answer(
    engine: *Engine,
    found: *const Live,
    members: []*Member,
    places: []const Found,
) Error![]const u8 {
    var total: u64 = 0;
    for (members) |member| total += member.emitted.items.len;
    const size = total + 8 * (places.len + 1) + counts.bytes(&found.wiring) + 128;
    var writer = try engine.allocate(size);
    writer.map(4);
    writer.text("ok");
    writer.boolean(true);
    writer.text("offsets");
    const offsets = writer.blob(8 * (places.len + 1));
    var end: u64 = 0;
    for (places, 1..) |place, i| {
        end += place.length;
        std.mem.writeInt(u64, offsets[8 * i ..][0..8], end, .little);
    }
    writer.text("records");
    const into = writer.blob(@intCast(total));
    var at: usize = 0;
    for (places) |place| {
        const bytes = Records.size * place.length;
        const from = members[place.member].emitted.items[place.start..][0..bytes];
        @memcpy(into[at..][0..bytes], from);
        at += bytes;
    }
    for (members[1..]) |member| {
        for (members[0].totals, member.totals) |*sum, tally| sum.add(tally);
    }
    writer.text("counters");
    counts.write(&writer, &found.wiring, members[0].totals);
    return engine.reply[0..writer.at];
}
