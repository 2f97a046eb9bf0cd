//! Weights, and the precision that they are accumulated in.

const std = @import("std");
const fixed = @import("fixed.zig");
const limits = @import("limits.zig");
const scatter = @import("scatter.zig");
const tiles = @import("tiles.zig");
const Array = @import("array.zig").Array;
const Error = @import("failure.zig").Error;
const Field = @import("field.zig").Field;
const Record = @import("record.zig").Record;
const Refused = @import("failure.zig").Refused;
const Sums = @import("finish.zig").Sums;

/// Every product and every sum of a layer is formed in this, then stored as what tensors hold. A
/// document is made such that it holds all of its sums exactly: hence their order is free, and
/// zeros may be skipped.
pub const Accumulator = enum {
    float32,
    float64,
    int32,
    int64,

    pub fn Type(comptime self: Accumulator) type {
        return switch (self) {
            .float32 => f32,
            .float64 => f64,
            .int32 => i32,
            .int64 => i64,
        };
    }

    pub fn size(self: Accumulator) u64 {
        return if (self == .float64 or self == .int64) 8 else 4;
    }

    pub fn float(self: Accumulator) bool {
        return self == .float32 or self == .float64;
    }

    /// The narrowest integers that hold sums up to `peak`, and what the document names.
    pub fn of(record: *Record, peak: u128) Refused!Accumulator {
        const named = try read(record, .whole);
        if (peak < 1 << 31) return .int32;
        if (named == .int64) return .int64;
        return record.failure.refuse(
            .invalid,
            "{s}: sums reach {d}, beyond its int32",
            .{ record.place, peak },
        );
    }

    /// What the record names, for a layer of floats or of integers.
    pub fn read(record: *Record, kind: Array.Kind) Refused!Accumulator {
        const key = "accumulator";
        const self = std.meta.stringToEnum(Accumulator, try record.text(key)) orelse
            return record.refuse(.invalid, key, "is not float32, float64, int32 or int64");
        if (self.float() == (kind == .float)) return self;
        return record.refuse(.unsupported, key, if (kind == .float)
            "is an integer, in a network of floats"
        else
            "is of floats; that of a quantised layer is int32 or int64");
    }
};

/// A layer's weights in the orders that its kernels want, and with what the sum of each output
/// channel starts: its bias, zeros where there is none (adding them changes no sum), or where the
/// bias comes afterwards.
pub fn Synapses(comptime A: type, comptime W: type) type {
    return struct {
        /// As scatter.zig has them; none of a layer that is never scattered.
        runs: []align(64) W,
        /// As tiles.zig has them.
        tiles: []align(64) W,
        /// Filled up with zeros by what a tile may be wider than the channels.
        start: []align(64) A,
        /// Inputs are 0 or one value, which comes afterwards: they count as 1 here.
        spiking: bool = false,

        pub const Sum = A;
        pub const Weight = W;

        /// Sums start with 0.
        pub fn arrange(
            arena: std.mem.Allocator,
            field: *const Field,
            scattered: bool,
            weight: Array,
        ) error{OutOfMemory}!@This() {
            const runs = if (scattered) weight.count() else 0;
            const size: usize = @intCast(tiles.size(A, field));
            const spare = tiles.widths(A)[0];
            const made: @This() = .{
                .runs = try arena.alignedAlloc(W, .@"64", runs),
                .tiles = try arena.alignedAlloc(W, .@"64", size),
                .start = try arena.alignedAlloc(A, .@"64", field.out.channels + spare),
            };
            @memset(made.start, 0);
            if (scattered) scatter.arrange(W, field, made.runs, weight);
            tiles.arrange(A, W, field, made.tiles, weight);
            return made;
        }
    };
}

/// What sums and weights may be. Of integers, the narrowest that the bound of the sums allows.
pub const Either = union(enum) {
    float32: Synapses(f32, f32),
    float64: Synapses(f64, f32),
    int16: Synapses(i16, i8),
    int32: Synapses(i32, i8),
    int32_wide: Synapses(i32, i16),
    int64: Synapses(i64, i32),

    pub const Kind = std.meta.Tag(Either);

    /// The weights, put in order by `layer`, and their sums; `x` tells of a quantised input.
    pub fn read(
        record: *Record,
        layer: anytype,
        weight: Array,
        x: ?fixed.Range,
        arena: std.mem.Allocator,
    ) Error!struct { Either, ?Sums } {
        const outputs = layer.field.out.channels;
        const given = x orelse {
            const bias = try Array.vector(record, "bias", outputs, .float);
            switch (try Accumulator.read(record, .float)) {
                inline .float32, .float64 => |kind| {
                    const own = @field(Kind, @tagName(kind));
                    const made = try arrange(own, record, layer, weight, arena);
                    const start = @field(made, @tagName(kind)).start[0..outputs];
                    if (bias) |array| for (start, 0..) |*to, i| {
                        to.* = array.at(@TypeOf(to.*), i);
                    };
                    return .{ made, null };
                },
                else => unreachable,
            }
        };
        const bias = try Array.vector(record, "bias", outputs, .whole);
        var sums, const raw = try weigh(record, weight, "weight", bias, "bias", given, arena);
        _ = try Accumulator.of(record, sums.range.peak);
        const spiking = given.spike != 0;
        switch (narrowest(weight, raw, if (spiking) 1 else given.peak)) {
            .float32, .float64 => unreachable,
            inline else => |kind| {
                var self = try arrange(kind, record, layer, weight, arena);
                const made = &@field(self, @tagName(kind));
                made.spiking = spiking;
                // The bias costs nothing where sums may start with it.
                const A = @TypeOf(made.*).Sum;
                if (sums.factor == 1 and sums.range.peak <= std.math.maxInt(A)) {
                    if (sums.bias.len > 0) for (made.start[0..outputs], sums.bias) |*to, b| {
                        to.* = @intCast(b);
                    };
                    sums.bias = &.{};
                }
                return .{ self, sums };
            },
        }
    }

    fn arrange(
        comptime kind: Kind,
        record: *Record,
        layer: anytype,
        weight: Array,
        arena: std.mem.Allocator,
    ) Error!Either {
        const S = @FieldType(Either, @tagName(kind));
        const scattered = @TypeOf(layer).scattered;
        const size = tiles.size(S.Sum, &layer.field);
        if (size > limits.arranged) return record.failure.refuse(
            .limit,
            "{s}: {d} weights, filled up to whole tiles, exceed {d}",
            .{ record.place, size, limits.arranged },
        );
        const made: S = try .arrange(arena, &layer.field, scattered, weight);
        return @unionInit(Either, @tagName(kind), made);
    }

    /// For sums up to `raw` of inputs up to `peak`, neither of which may be the larger one. With
    /// weights of 8 bits, products have 16 wherever sums have 32.
    fn narrowest(weight: Array, raw: u64, peak: u64) Kind {
        const most = @max(raw, peak);
        if (most < 1 << 15 and weight.fits(8)) return .int16;
        if (most < 1 << 31 and peak < 1 << 8 and weight.fits(8)) return .int32;
        if (most < 1 << 31 and weight.fits(16)) return .int32_wide;
        return .int64;
    }
};

/// A = B + ΣW·X on the finer of the two grids: what is formed of inputs in `x`, and how large the
/// sums of products become before anything is done to them. `weight` is [output][…].
pub fn weigh(
    record: *Record,
    weight: Array,
    comptime weight_key: []const u8,
    bias: ?Array,
    comptime bias_key: []const u8,
    x: fixed.Range,
    arena: std.mem.Allocator,
) Error!struct { Sums, u64 } {
    const format = try fixed.Format.read(record, "weight_format") orelse
        return record.refuse(.invalid, "weight_format", "is missing");
    const own = try fixed.Format.read(record, "bias_format") orelse format;
    try holds(record, weight, weight_key, format);
    if (bias) |array| try holds(record, array, bias_key, own);
    const outputs = weight.dims[0];
    const share = weight.count() / outputs;
    const fine = format.fraction + x.fraction;
    const most = if (bias == null) fine else @max(fine, own.fraction);
    const biases = try arena.alloc(i64, if (bias == null) 0 else outputs);
    var raw: u64 = 0;
    var peak: u128 = 0;
    for (0..outputs) |o| {
        var reach: u64 = 0;
        for (o * share..(o + 1) * share) |i| reach += @abs(weight.at(i64, i));
        raw = @max(raw, reach);
        var total = @as(u128, reach) *| fixed.raised(x.peak, most - fine);
        if (bias) |array| {
            const b = array.at(i64, o);
            const there = fixed.raised(@abs(b), most - own.fraction);
            total +|= there;
            if (total < 1 << 62) biases[o] = std.math.sign(b) * @as(i64, @intCast(there));
        }
        peak = @max(peak, total);
    }
    try fixed.bounded(record, peak, most);
    const size: i64 = if (x.spike == 0) 1 else x.spike;
    const factor = if (raw == 0 or x.peak == 0) 0 else size << @intCast(most - fine);
    return .{
        .{
            .range = .{ .peak = @intCast(peak), .fraction = most },
            .factor = factor,
            .bias = biases,
        },
        if (x.spike == 0) raw * x.peak else raw,
    };
}

fn holds(
    record: *Record,
    array: Array,
    comptime key: []const u8,
    format: fixed.Format,
) Refused!void {
    if (array.fits(format.bits)) return;
    return record.failure.refuse(
        .invalid,
        "{s}: '{s}' is not integers of {d} bits",
        .{ record.place, key, format.bits },
    );
}
