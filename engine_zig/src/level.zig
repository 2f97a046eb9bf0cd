//! The kernels once more, compiled for one level of processor under names of their own.

const clocked = @import("clocked.zig");
const event = @import("event.zig");
const options = @import("options");

comptime {
    @export(&clocked.sample, .{ .name = "snn_sample_" ++ options.level, .visibility = .hidden });
    @export(&event.advance, .{ .name = "snn_advance_" ++ options.level, .visibility = .hidden });
}
