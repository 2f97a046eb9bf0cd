//! Arrays of a network document: {"dtype", "shape", "data"}, little-endian, channels first.

const std = @import("std");
const limits = @import("limits.zig");
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;

const Dtype = enum {
    @"<f4",
    @"|i1",
    @"<i2",
    @"<i4",
    @"<i8",

    fn size(self: Dtype) u64 {
        return switch (self) {
            .@"|i1" => 1,
            .@"<i2" => 2,
            .@"<f4", .@"<i4" => 4,
            .@"<i8" => 8,
        };
    }
};

/// float32, or integers, of known shape, at any alignment.
pub const Array = struct {
    dims: [4]u32,
    rank: u32,
    dtype: Dtype,
    data: []const u8,

    /// What a layer wants an array of.
    pub const Kind = enum { float, whole };

    pub fn count(self: Array) usize {
        return self.data.len / @as(usize, @intCast(self.dtype.size()));
    }

    /// The number at `index`, which must be of the kind of T, and fit into it.
    pub fn at(self: Array, comptime T: type, index: usize) T {
        if (@typeInfo(T) == .float) {
            std.debug.assert(self.dtype == .@"<f4");
            return @floatCast(@as(f32, @bitCast(self.word(u32, index))));
        }
        return @intCast(switch (self.dtype) {
            .@"<f4" => unreachable,
            .@"|i1" => @as(i64, self.word(i8, index)),
            .@"<i2" => self.word(i16, index),
            .@"<i4" => self.word(i32, index),
            .@"<i8" => self.word(i64, index),
        });
    }

    fn word(self: Array, comptime T: type, index: usize) T {
        return std.mem.readInt(T, self.data[@sizeOf(T) * index ..][0..@sizeOf(T)], .little);
    }

    /// Whether every integer has at most `bits` bits, the sign included.
    pub fn fits(self: Array, bits: u6) bool {
        const high = @as(i64, 1) << (bits - 1);
        for (0..self.count()) |i| {
            const n = self.at(i64, i);
            if (n < -high or n >= high) return false;
        }
        return true;
    }

    /// The array `key`, of `rank` axes, all finite.
    pub fn read(record: *Record, key: []const u8, rank: u32, kind: Kind) Refused!Array {
        var buffer: [2 * limits.name_bytes + 16]u8 = undefined;
        const place = std.fmt.bufPrint(&buffer, "{s}: '{s}'", .{ record.place, key }) catch key;
        var inner = try Record.read(try record.take(key), place, record.failure);
        var self: Array = .{
            .dims = @splat(1),
            .rank = rank,
            .dtype = try typed(&inner, kind),
            .data = undefined,
        };
        try inner.extents("shape", 1, limits.synapses, self.dims[0..rank]);
        self.data = (try inner.take("data")).blob() orelse
            return inner.refuse(.invalid, "data", "is not binary");
        try inner.finish();
        const size = self.dtype.size();
        var bytes: u64 = size;
        for (self.dims[0..rank]) |n| {
            bytes *= n;
            if (bytes > size * limits.synapses)
                return inner.refuse(.limit, "shape", "has too many elements");
        }
        if (bytes != self.data.len)
            return inner.refuse(.invalid, "data", "is not as long as dtype and shape say");
        if (kind == .float) for (0..self.count()) |i| {
            if (!std.math.isFinite(self.at(f32, i)))
                return inner.refuse(.invalid, "data", "holds a number that is not finite");
        };
        return self;
    }

    fn typed(record: *Record, kind: Kind) Refused!Dtype {
        const found = std.meta.stringToEnum(Dtype, try record.text("dtype"));
        const floats = "is not '<f4', which alone is executed in a network of floats";
        const wholes = "is not '|i1', '<i2', '<i4' or '<i8', as that of a quantised layer must be";
        const dtype = found orelse
            return record.refuse(.unsupported, "dtype", if (kind == .float) floats else wholes);
        if ((dtype == .@"<f4") != (kind == .float))
            return record.refuse(.unsupported, "dtype", if (kind == .float) floats else wholes);
        return dtype;
    }

    /// The array `key` of exactly `length` numbers, null where the document says nil.
    pub fn vector(record: *Record, key: []const u8, length: u32, kind: Kind) Refused!?Array {
        if ((try record.take(key)).nil()) return null;
        const self = try read(record, key, 1, kind);
        if (self.dims[0] != length) return record.failure.refuse(
            .invalid,
            "{s}: '{s}' has {d} numbers for {d} channels",
            .{ record.place, key, self.dims[0], length },
        );
        return self;
    }
};
