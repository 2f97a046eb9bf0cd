//! Arrays of a network document: {"dtype", "shape", "data"}, little-endian, channels first.

const std = @import("std");
const limits = @import("limits.zig");
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;

/// float32 of known shape, at any alignment.
pub const Array = struct {
    dims: [4]u32,
    rank: u32,
    data: []const u8,

    pub fn count(self: Array) usize {
        return self.data.len / 4;
    }

    pub fn at(self: Array, index: usize) f32 {
        return @bitCast(std.mem.readInt(u32, self.data[4 * index ..][0..4], .little));
    }

    /// The array `key`, of `rank` axes, all finite.
    pub fn read(record: *Record, key: []const u8, rank: u32) Refused!Array {
        var buffer: [2 * limits.name_bytes + 16]u8 = undefined;
        const place = std.fmt.bufPrint(&buffer, "{s}: '{s}'", .{ record.place, key }) catch key;
        var inner = try Record.read(try record.take(key), place, record.failure);
        const dtype = try inner.text("dtype");
        if (!std.mem.eql(u8, dtype, "<f4"))
            return inner.refuse(.unsupported, "dtype", "is not '<f4', which alone is executed");
        var self: Array = .{ .dims = @splat(1), .rank = rank, .data = undefined };
        try inner.extents("shape", 1, limits.synapses, self.dims[0..rank]);
        self.data = (try inner.take("data")).blob() orelse
            return inner.refuse(.invalid, "data", "is not binary");
        try inner.finish();
        var bytes: u64 = 4;
        for (self.dims[0..rank]) |n| {
            bytes *= n;
            if (bytes > 4 * limits.synapses)
                return inner.refuse(.limit, "shape", "has too many elements");
        }
        if (bytes != self.data.len)
            return inner.refuse(.invalid, "data", "is not as long as dtype and shape say");
        for (0..self.count()) |i| {
            if (!std.math.isFinite(self.at(i)))
                return inner.refuse(.invalid, "data", "holds a number that is not finite");
        }
        return self;
    }

    /// The array `key` of exactly `length` numbers, null where the document says nil.
    pub fn vector(record: *Record, key: []const u8, length: u32) Refused!?Array {
        if ((try record.take(key)).nil()) return null;
        const self = try read(record, key, 1);
        if (self.dims[0] != length) return record.failure.refuse(
            .invalid,
            "{s}: '{s}' has {d} numbers for {d} channels",
            .{ record.place, key, self.dims[0], length },
        );
        return self;
    }
};
