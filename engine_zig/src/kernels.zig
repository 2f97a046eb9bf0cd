//! Tests of what sums up inputs: every kernel, forced, against sums by the letter.

const std = @import("std");
const gather = @import("gather.zig");
const simd = @import("simd.zig");
const Array = @import("array.zig").Array;
const Field = @import("field.zig").Field;
const Frame = @import("scratch.zig").Frame;
const Kernel = @import("field.zig").Kernel;
const Reading = @import("reading.zig").Reading;
const Scratch = @import("scratch.zig").Scratch;
const Synapses = @import("synapses.zig").Synapses;
const Tensor = @import("scratch.zig").Tensor;

const testing = std.testing;
/// Timesteps at a time.
const steps = 3;

fn room(arena: std.mem.Allocator, size: usize) ![]align(64) u8 {
    const memory = try arena.alignedAlloc(u8, .@"64", size);
    // A lane that is read but does not count may hold anything.
    @memset(memory, 0xff);
    return memory;
}

/// A convolution of up to 67 channels, or, with a map of 1×1, what a linear layer is.
fn draw(random: std.Random) Field {
    const side = random.intRangeAtMost(u32, 1, 6);
    const size = random.intRangeAtMost(u32, 1, @min(side, 3));
    const groups: u32 = if (random.uintLessThan(u8, 4) == 0) 3 else 1;
    const most: u32 = if (groups > 1) 6 else if (side == 1) 500 else 67;
    var field: Field = .{
        .in = .{
            .channels = groups * random.intRangeAtMost(u32, 1, most),
            .height = side,
            .width = side,
        },
        .out = .{ .channels = groups * random.intRangeAtMost(u32, 1, 67) },
        .window = .{ .size = @splat(size), .stride = undefined, .padding = undefined },
        .groups = groups,
    };
    for (0..2) |axis| {
        const stride = random.intRangeAtMost(u32, 1, 3);
        const padding = random.intRangeAtMost(u32, 0, 2);
        field.window.stride[axis] = stride;
        field.window.padding[axis] = padding;
        const out = (side + 2 * padding - size) / stride + 1;
        if (axis == 0) field.out.height = out else field.out.width = out;
    }
    return field;
}

/// The sum of output `o` at a position; weights are int8, [output][channel of the group][tap].
fn letter(field: *const Field, weight: []const i8, x: []const i32, o: u32, y: u32, c: u32) i32 {
    const share = field.shareIn();
    const first = o / field.shareOut() * share;
    const size, const stride, const padding =
        .{ field.window.size, field.window.stride, field.window.padding };
    var sum: i32 = 0;
    for (0..share) |i| {
        for (0..size[0]) |ky| {
            for (0..size[1]) |kx| {
                const row = @as(i64, y * stride[0]) + @as(i64, @intCast(ky)) - padding[0];
                const column = @as(i64, c * stride[1]) + @as(i64, @intCast(kx)) - padding[1];
                if (row < 0 or row >= field.in.height) continue;
                if (column < 0 or column >= field.in.width) continue;
                const at: usize = @intCast(row * field.in.width + column);
                const w = weight[((o * share + i) * size[0] + ky) * size[1] + kx];
                sum += w * x[at * field.in.channels + first + i];
            }
        }
    }
    return sum;
}

fn number(comptime A: type, value: i32) A {
    return if (@typeInfo(A) == .float) @floatFromInt(value) else @intCast(value);
}

/// One field, with numbers E between layers and sums of A, by `kernel`.
fn compare(
    comptime E: type,
    comptime A: type,
    comptime W: type,
    kernel: Kernel,
    field: *const Field,
    weight: []const i8,
    inputs: *const [steps][]i32,
    arena: std.mem.Allocator,
) !void {
    const S = Synapses(A, W);
    const floats = try arena.alloc(f32, weight.len);
    for (floats, weight) |*to, w| to.* = @floatFromInt(w);
    const whole = @typeInfo(W) == .int;
    var s: S = try .arrange(arena, field, true, .{
        .dims = @splat(1),
        .rank = 1,
        .dtype = if (whole) .@"|i1" else .@"<f4",
        .data = if (whole) std.mem.sliceAsBytes(weight) else std.mem.sliceAsBytes(floats),
    });
    for (s.start[0..field.out.channels], 0..) |*start, o| {
        start.* = number(A, @intCast(o % 5));
    }
    var scratch: Scratch = undefined;
    const padded = field.window.padded(field.in).elements();
    scratch.padded = try room(arena, @sizeOf(A) * steps * padded);
    scratch.begins = try room(arena, @intCast(4 * steps * gather.places(S, field)));
    var frames: [steps]Frame = undefined;
    var sums: [steps][*]A = undefined;
    for (&frames, &sums, inputs) |*frame, *into, x| {
        frame.* = .{
            .memory = try room(arena, @sizeOf(E) * x.len),
            .list = try arena.alloc(u32, x.len + simd.slack),
        };
        const values = frame.values(E)[0..x.len];
        for (values, x) |*to, v| to.* = if (E == f32) @floatFromInt(v) else v;
        frame.look(E, values);
        const memory = try room(arena, @sizeOf(A) * field.out.elements());
        into.* = @ptrCast(@alignCast(memory.ptr));
    }
    const source: Tensor = .{ .frames = &frames };
    var reading: Reading(E, S) = undefined;
    reading.open(kernel, field, &s, &scratch, &source, steps);
    // All rows at once, or one after another.
    const height = if (whole) 1 else field.out.height;
    var first: u32 = 0;
    while (first < field.out.height) : (first += height) {
        var into = sums;
        for (&into) |*to| to.* += first * field.out.line();
        reading.run(.{ .first = first, .end = first + height }, 0, &into);
    }
    for (sums, inputs) |made, x| {
        var at: usize = 0;
        for (0..field.out.height) |y| {
            for (0..field.out.width) |c| {
                for (0..field.out.channels) |o| {
                    const sum = letter(field, weight, x, @intCast(o), @intCast(y), @intCast(c));
                    const right = sum + @as(i32, @intCast(o % 5));
                    try testing.expectEqual(number(A, right), made[at]);
                    at += 1;
                }
            }
        }
    }
}

test "every kernel gives the sums by the letter" {
    var prng = std.Random.DefaultPrng.init(7);
    const random = prng.random();
    for (0..12) |_| {
        var own: std.heap.ArenaAllocator = .init(testing.allocator);
        defer own.deinit();
        const arena = own.allocator();
        const field = draw(random);
        const weight =
            try arena.alloc(i8, field.taps() * field.shareIn() * field.out.channels);
        for (weight) |*w| w.* = random.intRangeAtMost(i8, -9, 9);
        const share = random.float(f32);
        const most = random.intRangeAtMost(i32, 1, 2);
        var inputs: [steps][]i32 = undefined;
        for (&inputs) |*x| {
            x.* = try arena.alloc(i32, field.in.elements());
            for (x.*) |*value| {
                const shown = random.float(f32) < share * share;
                value.* = if (shown) random.intRangeAtMost(i32, 1, most) else 0;
            }
        }
        for ([_]Kernel{ .scatter, .gather, .dense }) |kernel| {
            if (kernel == .gather and field.groups > 1) continue;
            try compare(f32, f32, f32, kernel, &field, weight, &inputs, arena);
            try compare(f32, f64, f32, kernel, &field, weight, &inputs, arena);
            try compare(i32, i16, i8, kernel, &field, weight, &inputs, arena);
            try compare(i32, i32, i8, kernel, &field, weight, &inputs, arena);
            try compare(i32, i32, i16, kernel, &field, weight, &inputs, arena);
            try compare(i64, i64, i32, kernel, &field, weight, &inputs, arena);
        }
    }
}
