//! Layers that look at one element, one channel or one position at a time.

const std = @import("std");
const Array = @import("array.zig").Array;
const Error = @import("failure.zig").Error;
const Record = @import("record.zig").Record;
const Shape = @import("tensor.zig").Shape;

/// y = scale·x + shift per channel: a product and a sum, each rounded.
pub const BatchNorm = struct {
    scale: []f32,
    shift: []f32,

    pub fn read(record: *Record, in: Shape, arena: std.mem.Allocator) Error!BatchNorm {
        return .{
            .scale = try copy(record, "scale", in.channels, arena),
            .shift = try copy(record, "shift", in.channels, arena),
        };
    }

    pub fn run(self: *const BatchNorm, x: []const f32, y: []f32) void {
        const channels = self.scale.len;
        var start: usize = 0;
        while (start < x.len) : (start += channels) {
            const from = x[start..][0..channels];
            const to = y[start..][0..channels];
            for (to, from, self.scale, self.shift) |*value, v, scale, shift| {
                const product = scale * v;
                value.* = product + shift;
            }
        }
    }
};

fn copy(record: *Record, key: []const u8, count: u32, arena: std.mem.Allocator) Error![]f32 {
    const array = try Array.vector(record, key, count) orelse
        return record.refuse(.invalid, key, "is missing");
    const into = try arena.alloc(f32, count);
    for (into, 0..) |*value, i| value.* = array.at(i);
    return into;
}

/// The sum over all positions of each channel, in their order.
pub fn globalSum(comptime A: type, x: []const f32, sums: []A) void {
    std.debug.assert(x.len % sums.len == 0);
    @memset(sums, 0);
    var start: usize = 0;
    while (start < x.len) : (start += sums.len) {
        for (sums, x[start..][0..sums.len]) |*sum, value| sum.* += value;
    }
}

/// y = max(x, 0); a NaN stays one.
pub fn relu(x: []const f32, y: []f32) void {
    for (y, x) |*to, value| to.* = if (value < 0) 0 else value;
}

/// From memory order to document order, which is what Flatten means.
pub fn flatten(shape: Shape, x: []const f32, y: []f32) void {
    const channels = shape.channels;
    const positions = shape.positions();
    for (0..positions) |p| {
        for (x[p * channels ..][0..channels], 0..) |value, c| y[c * positions + p] = value;
    }
}

/// From document order to memory order; the numbers may stand at any alignment.
pub fn unflatten(shape: Shape, bytes: []const u8, y: []f32) void {
    const channels = shape.channels;
    const positions = shape.positions();
    std.debug.assert(bytes.len == 4 * y.len);
    for (0..channels) |c| {
        for (0..positions) |p| {
            const word = std.mem.readInt(u32, bytes[4 * (c * positions + p) ..][0..4], .little);
            y[p * channels + c] = @bitCast(word);
        }
    }
}
