//! The C ABI: five functions, one enum; include/snn_engine.h and docs/engine_abi.md tell the same.

const std = @import("std");
const builtin = @import("builtin");
const Engine = @import("engine.zig").Engine;

comptime {
    // Messages carry little-endian arrays, which are read in place; some take more than 4 GiB.
    if (builtin.cpu.arch.endian() != .little) @compileError("little-endian processors only");
    if (@bitSizeOf(usize) < 64) @compileError("processors of 64 bits only");
}

/// Raised by one whenever a message or a function changes its meaning.
const abi_version: u32 = 1;

pub const Result = enum(c_int) {
    /// There is a reply; whether it is "ok" is written in it.
    ok = 0,
    out_of_memory = 1,
    /// A null pointer.
    bad_argument = 2,
    /// Another thread is inside a call with this handle.
    busy = 3,
};

const Handle = struct {
    engine: Engine,
    busy: std.atomic.Value(bool) = .init(false),
};

const gpa = if (builtin.link_libc) std.heap.c_allocator else std.heap.smp_allocator;

export fn snn_abi_version() callconv(.c) u32 {
    return abi_version;
}

export fn snn_open(out: ?**Handle) callconv(.c) Result {
    const slot = out orelse return .bad_argument;
    const handle = gpa.create(Handle) catch return .out_of_memory;
    handle.* = .{ .engine = .{ .gpa = gpa } };
    slot.* = handle;
    return .ok;
}

export fn snn_call(
    handle: ?*Handle,
    request: ?[*]const u8,
    length: usize,
    reply: ?*[*]const u8,
    reply_length: ?*usize,
) callconv(.c) Result {
    return call(handle, request, length, null, reply, reply_length);
}

export fn snn_call_with_frames(
    handle: ?*Handle,
    request: ?[*]const u8,
    length: usize,
    frames: ?[*]const u8,
    frames_length: usize,
    reply: ?*[*]const u8,
    reply_length: ?*usize,
) callconv(.c) Result {
    const beside = frames orelse return .bad_argument;
    return call(handle, request, length, beside[0..frames_length], reply, reply_length);
}

fn call(
    handle: ?*Handle,
    request: ?[*]const u8,
    length: usize,
    frames: ?[]const u8,
    reply: ?*[*]const u8,
    reply_length: ?*usize,
) Result {
    const self = handle orelse return .bad_argument;
    const bytes = request orelse return .bad_argument;
    const into = reply orelse return .bad_argument;
    const into_length = reply_length orelse return .bad_argument;
    if (self.busy.swap(true, .acquire)) return .busy;
    defer self.busy.store(false, .release);
    const answer = self.engine.callWith(bytes[0..length], frames);
    into.* = answer.ptr;
    into_length.* = answer.len;
    return .ok;
}

export fn snn_close(handle: ?*Handle) callconv(.c) void {
    const self = handle orelse return;
    self.engine.deinit();
    gpa.destroy(self);
}

test {
    _ = @import("counters.zig");
    _ = @import("failure.zig");
    _ = @import("fixed.zig");
    _ = @import("frames.zig");
    _ = @import("grid.zig");
    _ = @import("kernels.zig");
    _ = @import("leak.zig");
    _ = @import("msgpack.zig");
    _ = @import("mutation.zig");
    _ = @import("neuron.zig");
    _ = @import("reach.zig");
    _ = @import("serve.zig");
    _ = @import("simd.zig");
    _ = @import("strip.zig");
    _ = @import("tensor.zig");
    _ = @import("window.zig");
    _ = @import("wiring.zig");
    _ = @import("tests.zig");
}
