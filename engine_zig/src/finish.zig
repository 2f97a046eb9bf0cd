//! What is done to the sums of a quantised layer before others see them.

const std = @import("std");
const fixed = @import("fixed.zig");
const simd = @import("simd.zig");
const Child = std.meta.Child;

/// What a layer forms: sums·factor + bias, in `range`, in 53 bits.
pub const Sums = struct {
    range: fixed.Range,
    factor: i64 = 1,
    /// Per channel, or empty.
    bias: []const i64 = &.{},
};

/// From the sums of a layer to what it puts out.
pub const Finish = union(enum) {
    none,
    int32: Step(i32),
    int64: Step(i64),

    pub fn create(arena: std.mem.Allocator, sums: Sums, put: ?fixed.Put) !Finish {
        if (sums.factor == 1 and sums.bias.len == 0 and put == null) return .none;
        const peak = sums.range.peak;
        const narrow = if (put) |how| how.fits(i32, peak) else peak < 1 << 31;
        if (narrow) return .{ .int32 = try .create(arena, sums, put) };
        return .{ .int64 = try .create(arena, sums, put) };
    }

    /// `sums` may be the memory of `y`, and are if they are of the same type.
    pub fn run(self: *const Finish, comptime E: type, sums: anytype, y: []E) void {
        switch (self.*) {
            .none => if (Child(@TypeOf(sums)) != E) {
                simd.convert(E, Child(@TypeOf(sums)), y, sums);
            },
            inline else => |*step| step.run(E, sums, y),
        }
    }
};

/// Each operation of it in T.
fn Step(comptime T: type) type {
    return struct {
        factor: T,
        bias: []const T,
        put: ?fixed.Put,

        const Self = @This();

        fn create(arena: std.mem.Allocator, sums: Sums, how: ?fixed.Put) !Self {
            const bias = try arena.alloc(T, sums.bias.len);
            for (bias, sums.bias) |*to, from| to.* = @intCast(from);
            return .{ .factor = @intCast(sums.factor), .bias = bias, .put = how };
        }

        fn run(self: *const Self, comptime E: type, sums: anytype, y: []E) void {
            std.debug.assert(sums.len == y.len);
            const how = self.put orelse return self.rows(.none, E, sums, y);
            if (how.left > 0) self.rows(.left, E, sums, y) else self.rows(.right, E, sums, y);
        }

        fn rows(
            self: *const Self,
            comptime way: fixed.Way,
            comptime E: type,
            sums: anytype,
            y: []E,
        ) void {
            // Copies, which no store to `y` can change.
            const factor, const bias, const how = .{ self.factor, self.bias, self.put };
            const channels = if (bias.len > 0) bias.len else y.len;
            std.debug.assert(y.len % channels == 0);
            var start: usize = 0;
            while (start < y.len) : (start += channels) {
                var c: usize = 0;
                inline for (.{ simd.lanes(T), 1 }) |width| {
                    const V = @Vector(width, T);
                    while (c + width <= channels) : (c += width) {
                        const from: @Vector(width, Child(@TypeOf(sums))) =
                            sums[start + c ..][0..width].*;
                        var a: V = @intCast(from);
                        if (factor != 1) a *= @splat(factor);
                        if (bias.len > 0) a += @as(V, bias[c..][0..width].*);
                        if (way != .none) a = how.?.apply(way, T, width, a);
                        simd.put(E, width, y[start + c ..].ptr, simd.numbers(E, width, a));
                    }
                }
            }
        }
    };
}
