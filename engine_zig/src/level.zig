//! The kernels once more, compiled for one level of processor under a name of its own.

const clocked = @import("clocked.zig");
const options = @import("options");

comptime {
    @export(&clocked.sample, .{ .name = options.symbol, .visibility = .hidden });
}
