//! The threads that run the samples of one request. Each has memory of its own, each sample has a
//! place of its own in the reply: so neither their number nor their pace can change a result.

const std = @import("std");
const clocked = @import("clocked.zig");
const limits = @import("limits.zig");
const Network = @import("network.zig").Network;
const Scratch = @import("scratch.zig").Scratch;
const Tally = @import("scratch.zig").Tally;

const Member = struct {
    arena: std.heap.ArenaAllocator,
    scratch: Scratch,
};

pub const Crew = struct {
    gpa: std.mem.Allocator,
    members: std.ArrayList(*Member) = .empty,

    pub fn deinit(self: *Crew) void {
        for (self.members.items) |member| self.dismiss(member);
        self.members.deinit(self.gpa);
    }

    fn dismiss(self: *Crew, member: *Member) void {
        member.arena.deinit();
        self.gpa.destroy(member);
    }

    /// At least one member; as many of `count` as memory and limits.scratch_bytes allow.
    pub fn hire(self: *Crew, network: *const Network, count: u64) error{OutOfMemory}![]*Member {
        const most = limits.scratch_bytes / @max(1, Scratch.bytes(network));
        const wanted: usize = @intCast(@max(1, @min(count, most)));
        while (self.members.items.len < wanted) {
            self.add(network) catch |err| {
                if (self.members.items.len == 0) return err;
                break;
            };
        }
        const hired = self.members.items[0..@min(wanted, self.members.items.len)];
        for (hired) |member| @memset(member.scratch.tallies, .{});
        return hired;
    }

    fn add(self: *Crew, network: *const Network) error{OutOfMemory}!void {
        try self.members.ensureUnusedCapacity(self.gpa, 1);
        const member = try self.gpa.create(Member);
        errdefer self.dismiss(member);
        member.arena = .init(self.gpa);
        member.scratch = try .create(member.arena.allocator(), network);
        self.members.appendAssumeCapacity(member);
    }
};

/// What the members share: whoever is free takes the next sample.
const Shift = struct {
    run: *const clocked.Sample,
    network: *const Network,
    job: *const clocked.Job,
    samples: u64,
    next: std.atomic.Value(u64) = .init(0),

    fn work(self: *Shift, member: *Member) void {
        while (true) {
            const index = self.next.fetchAdd(1, .monotonic);
            if (index >= self.samples or self.job.frames.unfit.load(.monotonic)) return;
            self.run(self.network, &member.scratch, self.job, index);
        }
    }
};

/// Run all samples; this thread takes part. A thread that cannot be started is done without.
pub fn work(
    members: []*Member,
    run: *const clocked.Sample,
    network: *const Network,
    job: *const clocked.Job,
    samples: u64,
) void {
    var shift: Shift = .{ .run = run, .network = network, .job = job, .samples = samples };
    var threads: [limits.threads]std.Thread = undefined;
    var count: usize = 0;
    std.debug.assert(members.len >= 1 and members.len <= limits.threads);
    for (members[1..]) |member| {
        threads[count] = std.Thread.spawn(.{}, Shift.work, .{ &shift, member }) catch break;
        count += 1;
    }
    shift.work(members[0]);
    for (threads[0..count]) |thread| thread.join();
}

/// What all members counted of layer `l`.
pub fn tally(members: []*Member, l: usize) Tally {
    var total: Tally = .{};
    for (members) |member| {
        total.inputs += member.scratch.tallies[l].inputs;
        total.outputs += member.scratch.tallies[l].outputs;
        total.spikes += member.scratch.tallies[l].spikes;
    }
    return total;
}
