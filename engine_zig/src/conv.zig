//! Convolution (cross-correlation) in one and two dimensions, with stride, padding and groups.

const std = @import("std");
const fixed = @import("fixed.zig");
const limits = @import("limits.zig");
const synapses = @import("synapses.zig");
const Array = @import("array.zig").Array;
const Error = @import("failure.zig").Error;
const Field = @import("field.zig").Field;
const Record = @import("record.zig").Record;
const Shape = @import("tensor.zig").Shape;
const Sums = @import("finish.zig").Sums;
const Window = @import("window.zig").Window;

pub const Conv = struct {
    field: Field,
    synapses: synapses.Either = undefined,
    /// If quantised, what is formed of the kernels' sums.
    sums: ?Sums = null,

    pub const scattered = true;

    /// `x` is known of a quantised input.
    pub fn read(record: *Record, in: Shape, x: ?fixed.Range, arena: std.mem.Allocator) Error!Conv {
        const kind: Array.Kind = if (x == null) .float else .whole;
        const weight = try Array.read(record, "weight", in.rank + 1, kind);
        const kernel: [2]u32 = if (in.rank == 3) weight.dims[2..4].* else .{ 1, weight.dims[2] };
        const window = try Window.read(record, in, kernel);
        const groups: u32 = @intCast(try record.integer("groups", 1, limits.activations));
        const outputs = weight.dims[0];
        if (@as(u64, weight.dims[1]) * groups != in.channels or outputs % groups != 0)
            return record.failure.refuse(
                .invalid,
                "{s}: a weight of {d} from {d} channels in {d} groups does not fit input {f}",
                .{ record.place, outputs, weight.dims[1], groups, in },
            );
        const out = try window.out(record, in, outputs);
        const field: Field = .{ .in = in, .out = out, .window = window, .groups = groups };
        var self: Conv = .{ .field = field };
        self.synapses, self.sums = try synapses.Either.read(record, self, weight, x, arena);
        return self;
    }
};
