//! The kernels of one execution once more, compiled for one level of processor under a name of
//! their own.

const std = @import("std");
const clocked = @import("clocked.zig");
const event = @import("event.zig");
const options = @import("options");

comptime {
    const events = std.mem.eql(u8, options.execution, "event");
    const kernel = if (events) &event.advance else &clocked.sample;
    const prefix = if (events) "snn_advance_" else "snn_sample_";
    @export(kernel, .{ .name = prefix ++ options.level, .visibility = .hidden });
}
