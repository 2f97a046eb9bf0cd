//! The kernels of one execution once more, compiled for one level of processor under a name of
//! their own.

const std = @import("std");
const clocked = @import("clocked.zig");
const event = @import("event.zig");
const options = @import("options");

comptime {
    if (std.mem.eql(u8, options.execution, "clocked")) {
        @export(&clocked.sample, .{ .name = "snn_sample_" ++ options.level, .visibility = .hidden });
    } else {
        @export(&event.advance, .{ .name = "snn_advance_" ++ options.level, .visibility = .hidden });
    }
}
