//! The executable: the messages of the C ABI over standard input and output, or a Unix socket.

const std = @import("std");
const builtin = @import("builtin");
const limits = @import("limits.zig");
const serve = @import("serve.zig").serve;
const Io = std.Io;

const usage =
    \\usage: snn-engine serve [--socket PATH]
    \\       snn-engine --version
    \\
    \\Answers the messages of docs/engine_abi.md, each after its length as a u32, little-endian:
    \\those of standard input on standard output, or those of every connection to a Unix socket,
    \\which has an engine of its own.
    \\
;

const gpa = if (builtin.link_libc) std.heap.c_allocator else std.heap.smp_allocator;

/// The library's own functions, root.zig.
const abi = struct {
    extern fn snn_abi_version() callconv(.c) u32;
    extern fn snn_open(out: *?*anyopaque) callconv(.c) c_int;
    extern fn snn_call(
        handle: ?*anyopaque,
        request: [*]const u8,
        length: usize,
        reply: *[*]const u8,
        reply_length: *usize,
    ) callconv(.c) c_int;
    extern fn snn_close(handle: ?*anyopaque) callconv(.c) void;
};

const Engine = struct {
    handle: *anyopaque,

    fn open() error{OutOfMemory}!Engine {
        var handle: ?*anyopaque = null;
        if (abi.snn_open(&handle) != 0) return error.OutOfMemory;
        return .{ .handle = handle.? };
    }

    /// The reply, valid until the next one.
    pub fn call(self: Engine, request: []const u8) []const u8 {
        var reply: [*]const u8 = undefined;
        var length: usize = 0;
        const result = abi.snn_call(self.handle, request.ptr, request.len, &reply, &length);
        std.debug.assert(result == 0); // not busy, nothing null
        return reply[0..length];
    }
};

const wrong = 1;
const failed = 2;

pub fn main(init: std.process.Init) u8 {
    var arguments = std.process.Args.Iterator.initAllocator(init.minimal.args, gpa) catch
        return say(init.io, failed, "out of memory", .{});
    defer arguments.deinit();
    _ = arguments.skip();
    const verb = arguments.next() orelse return say(init.io, wrong, usage, .{});
    if (std.mem.eql(u8, verb, "--version")) return version(init.io);
    if (!std.mem.eql(u8, verb, "serve")) return say(init.io, wrong, usage, .{});
    const option = arguments.next() orelse return pipe(init.io);
    const path = arguments.next();
    if (!std.mem.eql(u8, option, "--socket") or path == null or arguments.next() != null)
        return say(init.io, wrong, usage, .{});
    return listen(init.io, path.?);
}

/// What people call it, where they can do something about it.
fn words(err: anyerror) []const u8 {
    return switch (err) {
        error.OutOfMemory => "out of memory",
        error.Truncated => "the stream ended within a message",
        error.TooLong => "a message is announced that is longer than any may be",
        error.AddressInUse => "somebody listens there already, or it is no socket",
        error.FileNotFound => "its folder does not exist",
        error.NotDir => "a part of its path is no folder",
        error.AccessDenied, error.PermissionDenied => "nothing may be made there",
        error.ReadOnlyFileSystem => "nothing can be made there",
        else => @errorName(err),
    };
}

/// A line to standard error; the exit status.
fn say(io: Io, status: u8, comptime format: []const u8, args: anytype) u8 {
    var buffer: [1024]u8 = undefined;
    var out = Io.File.stderr().writerStreaming(io, &buffer);
    out.interface.print(format ++ "\n", args) catch {};
    out.interface.flush() catch {}; // there is nobody left to tell
    return status;
}

fn version(io: Io) u8 {
    var buffer: [64]u8 = undefined;
    var out = Io.File.stdout().writerStreaming(io, &buffer);
    const number = abi.snn_abi_version();
    out.interface.print("snn-engine, ABI version {d}\n", .{number}) catch return failed;
    out.interface.flush() catch return failed;
    return 0;
}

fn pipe(io: Io) u8 {
    var in_buffer: [limits.part_bytes]u8 = undefined;
    var out_buffer: [limits.part_bytes]u8 = undefined;
    var in = Io.File.stdin().readerStreaming(io, &in_buffer);
    var out = Io.File.stdout().writerStreaming(io, &out_buffer);
    const engine = Engine.open() catch |err|
        return say(io, failed, "snn-engine: {s}", .{words(err)});
    defer abi.snn_close(engine.handle);
    serve(engine, gpa, &in.interface, &out.interface) catch |err|
        return say(io, failed, "snn-engine: standard input or output: {s}", .{words(err)});
    return 0;
}

fn listen(io: Io, path: []const u8) u8 {
    if (!Io.net.has_unix_sockets)
        return say(io, failed, "snn-engine: this system has no Unix sockets", .{});
    const address = Io.net.UnixAddress.init(path) catch
        return say(io, wrong, "snn-engine: {s}: longer than a socket's path may be", .{path});
    var server = address.listen(io, .{}) catch |err| again: {
        if (err == error.AddressInUse and abandoned(io, address)) {
            if (address.listen(io, .{})) |server| break :again server else |_| {}
        }
        return say(io, failed, "snn-engine: {s}: {s}", .{ path, words(err) });
    };
    defer server.deinit(io);
    var free: Io.Semaphore = .{ .permits = limits.connections };
    while (true) {
        free.waitUncancelable(io);
        const caller = server.accept(io) catch |err| switch (err) {
            error.ConnectionAborted => {
                free.post(io);
                continue;
            },
            else => return say(io, failed, "snn-engine: {s}: {s}", .{ path, words(err) }),
        };
        const thread = std.Thread.spawn(.{}, connection, .{ io, caller, &free }) catch {
            connection(io, caller, &free); // then one after the other
            continue;
        };
        thread.detach();
    }
}

/// Whether a socket that nobody listens to lay there; it is removed.
fn abandoned(io: Io, address: Io.net.UnixAddress) bool {
    const cwd = Io.Dir.cwd();
    const found = cwd.statFile(io, address.path, .{}) catch return false;
    if (found.kind != .unix_domain_socket) return false;
    if (address.connect(io)) |answered| {
        answered.close(io);
        return false;
    } else |_| {}
    cwd.deleteFile(io, address.path) catch return false;
    return true;
}

/// What goes wrong with one caller is no matter of the others.
fn connection(io: Io, caller: Io.net.Stream, free: *Io.Semaphore) void {
    defer free.post(io);
    defer caller.close(io);
    var in_buffer: [limits.part_bytes]u8 = undefined;
    var out_buffer: [limits.part_bytes]u8 = undefined;
    var in = caller.reader(io, &in_buffer);
    var out = caller.writer(io, &out_buffer);
    const engine = Engine.open() catch |err| {
        _ = say(io, failed, "snn-engine: a connection: {s}", .{words(err)});
        return;
    };
    defer abi.snn_close(engine.handle);
    serve(engine, gpa, &in.interface, &out.interface) catch |err| {
        _ = say(io, failed, "snn-engine: a connection: {s}", .{words(err)});
    };
}
