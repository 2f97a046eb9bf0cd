//! Which neurons one position of a map reaches, and through which weights.

const std = @import("std");
const Shape = @import("tensor.zig").Shape;
const Window = @import("window.zig").Window;

/// What an event at one position touches: `rows` × `columns` runs of `length` neurons, each of
/// which is contiguous in the potentials and in the weights. Borders, strides and pools are in it,
/// so that they cost nothing later.
pub const Reach = struct {
    state: u32 = 0,
    weight: u32 = 0,
    rows: u32 = 0,
    columns: u32 = 0,
    length: u32 = 0,
    /// 1 where a pool drops what comes from there: the remainder at its edge.
    lost: u32 = 0,

    pub fn neurons(self: Reach) u64 {
        return @as(u64, self.rows) * self.columns * self.length;
    }
};

/// How weights stand in memory: [input channel][tap y][tap x][output channel of the group]. Taps of
/// one axis are sorted by their remainder after division by the stride, then descending: so those
/// through which one input meets successive outputs stand side by side.
pub const Layout = struct {
    window: Window,
    in: Shape,
    out: Shape,
    groups: u32,

    /// Output channels that share their input channels.
    pub fn share(self: Layout) u32 {
        return self.out.channels / self.groups;
    }

    /// From one row of taps to the next, and from one input channel to the next.
    pub fn row(self: Layout) u32 {
        return self.window.size[1] * self.share();
    }

    pub fn channel(self: Layout) u32 {
        return self.window.size[0] * self.row();
    }

    /// Where the weight stands through which output channel `o` sees input channel `i`.
    pub fn place(self: Layout, i: u32, ky: u32, kx: u32, o: u32) usize {
        const y: usize = self.slot(0, ky);
        const x: usize = self.slot(1, kx);
        const first = i * @as(usize, self.channel()) + y * self.row();
        return first + x * self.share() + o % self.share();
    }

    /// The place of tap `k` among those of its axis.
    fn slot(self: Layout, axis: u1, k: u32) u32 {
        const stride = self.window.stride[axis];
        return self.before(axis, k % stride) + (self.highest(axis, k % stride) - k) / stride;
    }

    /// How many taps have a smaller remainder.
    fn before(self: Layout, axis: u1, remainder: u32) u32 {
        const size, const stride = .{ self.window.size[axis], self.window.stride[axis] };
        return remainder * (size / stride) + @min(remainder, size % stride);
    }

    fn highest(self: Layout, axis: u1, remainder: u32) u32 {
        const size, const stride = .{ self.window.size[axis], self.window.stride[axis] };
        return remainder + (size - 1 - remainder) / stride * stride;
    }

    const Contact = struct { output: u32 = 0, slot: u32 = 0, count: u32 = 0 };

    /// The outputs along one axis that see position `at`, and the first of their taps.
    fn contact(self: Layout, axis: u1, at: u32) Contact {
        const stride = self.window.stride[axis];
        const outputs = if (axis == 0) self.out.height else self.out.width;
        const from = at + self.window.padding[axis];
        const remainder = from % stride;
        if (remainder >= self.window.size[axis]) return .{};
        const taps = self.highest(axis, remainder) / stride + 1;
        // Of the last tap; before the first output, where it is negative.
        const first = @as(i64, from / stride) - (taps - 1);
        const skipped: u32 = @intCast(@max(0, -first));
        const end = @min(@as(i64, taps), outputs - first);
        if (end <= skipped) return .{};
        return .{
            .output = @intCast(first + skipped),
            .slot = self.before(axis, remainder) + skipped,
            .count = @as(u32, @intCast(end)) - skipped,
        };
    }

    /// What input position y, x reaches; of the first input channel.
    pub fn reach(self: Layout, y: u32, x: u32) Reach {
        const down = self.contact(0, y);
        const along = self.contact(1, x);
        if (down.count == 0 or along.count == 0) return .{};
        const position = down.output * self.out.width + along.output;
        return .{
            .state = position * self.out.channels,
            .weight = down.slot * self.row() + along.slot * self.share(),
            .rows = down.count,
            .columns = if (self.groups == 1) 1 else along.count,
            .length = if (self.groups == 1) along.count * self.share() else self.share(),
        };
    }
};

fn brute(layout: Layout, axis: u1, at: u32) !void {
    const outputs = if (axis == 0) layout.out.height else layout.out.width;
    const window = layout.window;
    const found = layout.contact(axis, at);
    var count: u32 = 0;
    for (0..outputs) |o| {
        for (0..window.size[axis]) |k| {
            if (window.start(axis, @intCast(o)) + @as(i64, @intCast(k)) != at) continue;
            try std.testing.expectEqual(found.output + count, o);
            try std.testing.expectEqual(found.slot + count, layout.slot(axis, @intCast(k)));
            count += 1;
        }
    }
    try std.testing.expectEqual(count, found.count);
}

test "what a position reaches is what sees it" {
    for (1..6) |size| for (1..5) |stride| for (0..4) |padding| for (1..9) |n| {
        if (n + 2 * padding < size) continue;
        const outputs = (n + 2 * padding - size) / stride + 1;
        const layout: Layout = .{
            .window = .{
                .size = @splat(@intCast(size)),
                .stride = @splat(@intCast(stride)),
                .padding = @splat(@intCast(padding)),
            },
            .in = .{ .channels = 1, .height = @intCast(n), .width = @intCast(n) },
            .out = .{
                .channels = 1,
                .height = @intCast(outputs),
                .width = @intCast(outputs),
            },
            .groups = 1,
        };
        for (0..n) |at| try brute(layout, 1, @intCast(at));
    };
}
