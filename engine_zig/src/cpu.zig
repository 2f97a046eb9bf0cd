//! Which compilation of the kernels this processor runs.

const std = @import("std");
const builtin = @import("builtin");
const clocked = @import("clocked.zig");
const event = @import("event.zig");

pub const Level = enum { baseline, x86_64_v2, x86_64_v3, x86_64_v4 };

/// What is compiled once per level.
pub const Kernels = struct { sample: *const clocked.Sample, advance: *const event.Advance };

/// The kernels for `level`, null where this library has none of it.
pub fn kernels(level: Level) ?Kernels {
    if (level == .baseline) return .{ .sample = &clocked.sample, .advance = &event.advance };
    if (builtin.cpu.arch != .x86_64) return null;
    return switch (level) {
        .baseline => unreachable,
        inline else => |named| .{
            .sample = compiled(clocked.Sample, "snn_sample_", named),
            .advance = compiled(event.Advance, "snn_advance_", named),
        },
    };
}

fn compiled(comptime F: type, comptime what: []const u8, comptime level: Level) *const F {
    return @extern(*const F, .{ .name = what ++ @tagName(level) });
}

/// The highest level that processor and operating system support.
pub fn detect() Level {
    if (builtin.cpu.arch != .x86_64) return .baseline;
    if (cpuid(0, 0)[0] < 7) return .baseline;
    const one = cpuid(1, 0);
    const seven = cpuid(7, 0);
    const extended = cpuid(0x8000_0001, 0);
    // sse3, ssse3, cx16, sse4.1, sse4.2, popcnt; lahf
    const older = mask(&.{ 0, 9, 13, 19, 20, 23 });
    if (one[2] & older != older or extended[2] & mask(&.{0}) == 0) return .baseline;
    // osxsave, avx, fma, f16c, movbe, popcnt; bmi1, avx2, bmi2; lzcnt
    const base = mask(&.{ 27, 28, 12, 29, 22, 23 });
    if (one[2] & base != base) return .x86_64_v2;
    const wide = mask(&.{ 3, 5, 8 });
    if (seven[1] & wide != wide or extended[2] & mask(&.{5}) == 0) return .x86_64_v2;
    const saved = registers();
    if (saved & 0b110 != 0b110) return .x86_64_v2;
    // avx512 f, dq, cd, bw, vl; their registers saved on a switch of threads
    const widest = mask(&.{ 16, 17, 28, 30, 31 });
    if (seven[1] & widest != widest or saved & 0xe6 != 0xe6) return .x86_64_v3;
    return .x86_64_v4;
}

fn mask(comptime bits: []const u5) u32 {
    comptime var word: u32 = 0;
    inline for (bits) |bit| word |= 1 << bit;
    return word;
}

/// eax, ebx, ecx, edx
fn cpuid(leaf: u32, subleaf: u32) [4]u32 {
    var a: u32 = undefined;
    var b: u32 = undefined;
    var c: u32 = undefined;
    var d: u32 = undefined;
    asm volatile ("cpuid"
        : [_] "={eax}" (a),
          [_] "={ebx}" (b),
          [_] "={ecx}" (c),
          [_] "={edx}" (d),
        : [_] "{eax}" (leaf),
          [_] "{ecx}" (subleaf),
    );
    return .{ a, b, c, d };
}

/// Which registers the operating system saves (XCR0).
fn registers() u32 {
    return asm volatile (
        \\ xor %%ecx, %%ecx
        \\ xgetbv
        : [_] "={eax}" (-> u32),
        :
        : .{ .edx = true, .ecx = true });
}
