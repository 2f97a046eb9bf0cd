//! The machine's own limit for what event execution does: v[i] += w[i], of numbers that stay in the
//! first cache. Compiled by benchmarks/events.py for the processor that it runs on.

const width = @import("std").simd.suggestVectorLength(f32) orelse 4;
const Vector = @Vector(width, f32);
const count = 2048;
const unroll = 4;

/// Apart by other than a multiple of 4 KiB, or loads of the one would wait for stores to the other.
var memory: [2 * count + 528]f32 align(64) = @splat(0);

/// `rounds` times; the number of additions.
export fn add(rounds: usize) callconv(.c) usize {
    const v: [*]Vector = @ptrCast(&memory);
    const w: [*]const Vector = @ptrCast(@alignCast(memory[count + 528 ..]));
    for (0..rounds) |_| {
        var i: usize = 0;
        while (i < count / width) : (i += unroll) {
            inline for (0..unroll) |j| v[i + j] += w[i + j];
        }
        // Each round is to be done, and on its own.
        asm volatile ("" ::: .{ .memory = true });
    }
    return rounds * count;
}
