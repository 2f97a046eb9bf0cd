//! Weights in the precision that they are accumulated in.

const std = @import("std");
const Array = @import("array.zig").Array;
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;

/// Every product and every sum of a layer is formed in this, then stored as float32. A document is
/// made such that it holds all of its sums exactly: hence their order is free, and zeros may be
/// skipped.
pub const Accumulator = enum { float32, float64 };

/// A layer's weights in the order that its kernels want, and a bias per output channel (zeros
/// where there is none: adding them changes no sum).
pub fn Synapses(comptime A: type) type {
    return struct {
        weights: []align(64) A,
        bias: []align(64) A,

        const Self = @This();

        pub fn create(arena: std.mem.Allocator, count: usize, bias: ?Array, outputs: u32) !Self {
            const self: Self = .{
                .weights = try arena.alignedAlloc(A, .@"64", count),
                .bias = try arena.alignedAlloc(A, .@"64", outputs),
            };
            @memset(self.bias, 0);
            if (bias) |given| {
                for (self.bias, 0..) |*slot, i| slot.* = given.at(i);
            }
            return self;
        }
    };
}

pub const Either = union(Accumulator) {
    float32: Synapses(f32),
    float64: Synapses(f64),
};

/// The accumulator that the record asks for; integers are documented, but not executed yet.
pub fn accumulator(record: *Record) Refused!Accumulator {
    const key = "accumulator";
    const name = try record.text(key);
    if (std.mem.eql(u8, name, "int32") or std.mem.eql(u8, name, "int64"))
        return record.refuse(.unsupported, key, "is an integer; float32 and float64 are executed");
    return std.meta.stringToEnum(Accumulator, name) orelse
        record.refuse(.invalid, key, "is not float32, float64, int32 or int64");
}
