//! What takes the time of event execution: weights are added to strips of potentials, and it is
//! found out which of them are at the threshold afterwards.
//!
//! Strips of a few vectors, as convolutions have them, are unrolled, one kernel for each length.
//! Of each there are two that give one answer. `peak` keeps the highest potential that it has seen,
//! and `scan` looks for the neurons and resets them only if that is at the threshold: for
//! populations that hardly ever fire. `bits` does all at once.

const std = @import("std");
const simd = @import("simd.zig");

pub const Way = enum { peak, scan, bits };

/// Potentials S, weights W.
pub fn Strip(comptime S: type, comptime W: type) type {
    const width = @min(64, simd.lanes(S));
    const Bits = @Int(.unsigned, width);
    const V = @Vector(width, S);
    const Lanes = @Vector(width, bool);

    return struct {
        /// What all events of a population have in common. The next row is `down` neurons further,
        /// its weights `across`.
        pub const Field = struct {
            low: S,
            high: S,
            threshold: S,
            /// A neuron that fires loses the threshold, or else gets this value.
            subtract: bool,
            value: S,
            /// From here on it may fire again.
            again: S,
            down: u32,
            across: u32,
            words: [*]u64,
        };

        /// Whether neurons have fired, and whether one of them is at its threshold still.
        pub const Fired = struct { any: bool, again: bool = false };

        /// `rows` strips of `length` neurons. The bits in `words` tell which have fired, in as many
        /// words for each row as it takes; except if the way is `peak`.
        const Add = fn (*const Field, [*]S, [*]const W, u32, u32) Fired;

        /// Neurons of one step of unrolling, and how many steps are unrolled at most.
        const unit = @max(16, width);
        const most = if (S == f32 or S == i16) 192 / unit else 0;

        const kernels = blk: {
            var all: [3][most][2]*const Add = undefined;
            for (std.enums.values(Way)) |way| {
                for (0..most) |n| all[@intFromEnum(way)][n] = .{
                    Rows(way, n + 1, false).add,
                    Rows(way, n + 1, true).add,
                };
            }
            break :blk all;
        };

        pub inline fn run(
            way: Way,
            field: *const Field,
            v: [*]S,
            w: [*]const W,
            rows: u32,
            length: u32,
        ) Fired {
            const units = (length + unit - 1) / unit;
            if (most > 0 and units <= most) {
                const ragged = @intFromBool(length % unit != 0);
                return kernels[@intFromEnum(way)][units - 1][ragged](field, v, w, rows, length);
            }
            return switch (way) {
                inline else => |known| long(known, field, v, w, rows, length),
            };
        }

        /// Of `units` units in a row, the last of which is not full if `ragged`.
        fn Rows(comptime way: Way, comptime units: u32, comptime ragged: bool) type {
            return struct {
                const words = (units * unit + 63) / 64;
                const vectors = units * unit / width;

                fn add(
                    given: *const Field,
                    neurons: [*]S,
                    weights: [*]const W,
                    rows: u32,
                    length: u32,
                ) Fired {
                    const field = given.*;
                    const rest: usize = if (ragged) length % unit else 0;
                    var v, var w, var into = .{ neurons, weights, field.words };
                    var seen: Seen(way) = .{};
                    for (0..rows) |_| {
                        inline for (0..words) |k| {
                            seen.open();
                            inline for (0..64 / width) |j| {
                                const n = k * (64 / width) + j;
                                if (n >= vectors) continue;
                                const inside = n * width % unit;
                                const last = ragged and n * width >= (units - 1) * unit;
                                const valid = if (last) lanes(rest -| inside) else null;
                                seen.step(j, field, v + n * width, w + n * width, valid);
                            }
                            seen.close(&into[k]);
                        }
                        v += field.down;
                        if (way != .scan) w += field.across;
                        if (way != .peak) into += words;
                    }
                    return seen.result(field);
                }
            };
        }

        /// Of any length.
        fn long(
            comptime way: Way,
            given: *const Field,
            neurons: [*]S,
            weights: [*]const W,
            rows: u32,
            length: u32,
        ) Fired {
            const field = given.*;
            const words = (length + 63) / 64;
            var v, var w, var into = .{ neurons, weights, field.words };
            var seen: Seen(way) = .{};
            for (0..rows) |_| {
                for (0..words) |k| {
                    seen.open();
                    inline for (0..64 / width) |j| {
                        const at = 64 * k + j * width;
                        if (at + width <= length) {
                            seen.step(j, field, v + at, w + at, null);
                        } else if (at < length) {
                            seen.step(j, field, v + at, w + at, lanes(length - at));
                        }
                    }
                    seen.close(&into[k]);
                }
                v += field.down;
                w += field.across;
                into += words;
            }
            return seen.result(field);
        }

        const lowest = if (S == f32) -std.math.inf(f32) else std.math.minInt(S);

        /// The first `count` lanes.
        inline fn lanes(count: usize) Lanes {
            const until: @Vector(width, u8) = @splat(@intCast(@min(count, width)));
            return std.simd.iota(u8, width) < until;
        }

        /// What has been seen of the potentials so far.
        fn Seen(comptime way: Way) type {
            return struct {
                /// Several, so that none waits for the other.
                peaks: [2]V = @splat(@splat(lowest)),
                word: u64 = 0,
                any: u64 = 0,
                again: Lanes = @splat(false),

                const Self = @This();

                inline fn open(self: *Self) void {
                    self.word = 0;
                }

                inline fn close(self: *Self, into: *u64) void {
                    if (way == .peak) return;
                    into.* = self.word;
                    self.any |= self.word;
                }

                /// One vector of neurons, of which those in `valid` take part (null: all).
                inline fn step(
                    self: *Self,
                    comptime j: u32,
                    field: Field,
                    v: [*]S,
                    w: [*]const W,
                    valid: ?Lanes,
                ) void {
                    const before: V = v[0..width].*;
                    const after = if (way == .scan) before else charged(field, before, w);
                    const now = if (valid) |some| @select(S, some, after, before) else after;
                    if (way == .peak) {
                        v[0..width].* = now;
                        // Neurons beside those that take part may be seen; a scan finds them not.
                        const peak = &self.peaks[j % self.peaks.len];
                        peak.* = @select(S, now > peak.*, now, peak.*);
                        return;
                    }
                    const threshold: V = @splat(field.threshold);
                    const none: Lanes = @splat(false);
                    const high = now >= threshold;
                    const fired = if (valid) |some| @select(bool, some, high, none) else high;
                    const less = if (S == f32) now - threshold else now -% threshold;
                    const subtract: Lanes = @splat(field.subtract);
                    const left = @select(S, subtract, less, @as(V, @splat(field.value)));
                    v[0..width].* = @select(S, fired, left, now);
                    const more = @select(bool, fired, left >= @as(V, @splat(field.again)), none);
                    self.again = @select(bool, more, more, self.again);
                    self.word |= @as(u64, @as(Bits, @bitCast(fired))) << (j * width);
                }

                inline fn result(self: *const Self, field: Field) Fired {
                    if (way != .peak)
                        return .{ .any = self.any != 0, .again = @reduce(.Or, self.again) };
                    const a, const b = self.peaks;
                    const peak = @select(S, a > b, a, b);
                    return .{ .any = @reduce(.Or, peak >= @as(V, @splat(field.threshold))) };
                }
            };
        }

        inline fn charged(field: Field, before: V, w: [*]const W) V {
            const added: V = @as(@Vector(width, W), w[0..width].*);
            const low: V = @splat(field.low);
            if (S == f32) {
                const sum = before + added;
                return @select(f32, low > sum, low, sum);
            }
            const sum = if (S == i16) before +| added else before + added;
            return @min(@max(sum, low), @as(V, @splat(field.high)));
        }
    };
}

/// Additions, thresholds and resets one by one.
fn plain(comptime K: type, field: *const K.Field, v: anytype, w: anytype, length: usize) u64 {
    var bits: u64 = 0;
    for (0..length) |i| {
        v[i] = @max(v[i] + w[i], field.low);
        if (v[i] < field.threshold) continue;
        v[i] -= field.threshold;
        bits |= @as(u64, 1) << @intCast(i);
    }
    return bits;
}

test "every way, at every length, does the same as one by one" {
    const K = Strip(f32, f32);
    var random = std.Random.DefaultPrng.init(3);
    for (1..64) |length| for ([_]Way{ .peak, .bits }) |way| {
        var words: [1]u64 = undefined;
        const field: K.Field = .{
            .low = -1,
            .high = 0,
            .threshold = 1,
            .subtract = true,
            .value = 0,
            .again = 1,
            .down = 0,
            .across = 0,
            .words = &words,
        };
        var v: [128]f32 = @splat(0.5);
        var w: [128]f32 = undefined;
        for (&w) |*one| one.* = @floatFromInt(random.random().intRangeAtMost(i32, -2, 1));
        var right = v;
        const bits = plain(K, &field, &right, &w, length);
        var fired = K.run(way, &field, &v, &w, 1, @intCast(length));
        if (way == .peak and fired.any) fired = K.run(.scan, &field, &v, &w, 1, @intCast(length));
        try std.testing.expectEqual(bits != 0, fired.any);
        if (fired.any) try std.testing.expectEqual(bits, words[0]);
        try std.testing.expectEqualSlices(f32, &right, &v);
    };
}
