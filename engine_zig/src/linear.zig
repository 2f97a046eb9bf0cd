//! Fully connected layers: one receptive field that sees everything.

const std = @import("std");
const fixed = @import("fixed.zig");
const synapses = @import("synapses.zig");
const Array = @import("array.zig").Array;
const Error = @import("failure.zig").Error;
const Field = @import("field.zig").Field;
const Record = @import("record.zig").Record;
const Shape = @import("tensor.zig").Shape;
const Sums = @import("finish.zig").Sums;

pub const Linear = struct {
    field: Field,
    synapses: synapses.Either = undefined,
    /// If quantised, what is formed of the kernels' sums.
    sums: ?Sums = null,

    /// Each weight is read once for all that is done at a time: scattering could not do better.
    pub const scattered = false;

    /// `x` is known of a quantised input.
    pub fn read(
        record: *Record,
        in: Shape,
        x: ?fixed.Range,
        arena: std.mem.Allocator,
    ) Error!Linear {
        const kind: Array.Kind = if (x == null) .float else .whole;
        const weight = try Array.read(record, "weight", 2, kind);
        const outputs, const inputs = weight.dims[0..2].*;
        const out: Shape = .{ .channels = outputs };
        if (in.rank != 1 or inputs != in.channels) return record.failure.refuse(
            .invalid,
            "{s}: a weight of {d} × {d} does not fit input {f}",
            .{ record.place, outputs, inputs, in },
        );
        if (!out.bounded())
            return record.failure.refuse(.limit, "{s}: too many outputs", .{record.place});
        var self: Linear = .{ .field = .whole(inputs, out) };
        self.synapses, self.sums = try synapses.Either.read(record, self, weight, x, arena);
        return self;
    }
};
