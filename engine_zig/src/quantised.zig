//! A layer of a quantised network, as it is read: what comes before and after what it computes.

const std = @import("std");
const fixed = @import("fixed.zig");
const population = @import("population.zig");
const Error = @import("failure.zig").Error;
const Finish = @import("finish.zig").Finish;
const Layer = @import("network.zig").Layer;
const Put = @import("network.zig").Put;
const Record = @import("record.zig").Record;
const Slot = @import("network.zig").Slot;
const Sums = @import("finish.zig").Sums;
const Type = @import("network.zig").Type;

/// What is known of the inputs, once they are put into the formats that the layer asks for.
pub fn admit(
    layer: *Layer,
    kind: Type,
    record: *Record,
    slots: *std.ArrayList(Slot),
    arena: std.mem.Allocator,
) Error![]fixed.Range {
    const ranges = try arena.alloc(fixed.Range, layer.sources.len);
    const formats = try arena.alloc(?fixed.Format, layer.sources.len);
    @memset(formats, null);
    if (kind != .Flatten) try fixed.Format.list(record, formats);
    var puts: std.ArrayList(Put) = .empty;
    for (layer.sources, formats, ranges) |*source, format, *range| {
        const before = slots.items[source.*].range;
        const how = try before.put(format, record);
        range.* = before.after(format, how);
        if (how == null) continue;
        // Spikes stay where they are, and what one is worth is known already.
        if ((kind == .Conv or kind == .Linear) and range.spike != 0) continue;
        const from = source.*;
        source.* = @intCast(slots.items.len);
        try slots.append(arena, .{ .elements = layer.in.elements(), .range = range.* });
        const finish: Finish = try .create(arena, .{ .range = before }, how);
        try puts.append(arena, .{ .from = from, .to = source.*, .finish = finish });
    }
    layer.puts = puts.items;
    return ranges;
}

/// What is done to what a quantised layer forms, and what is known of what it puts out.
pub fn quantise(
    layer: *Layer,
    record: *Record,
    ranges: []const fixed.Range,
    arena: std.mem.Allocator,
) Error!fixed.Range {
    const sums: Sums = switch (layer.op) {
        .Flatten => return ranges[0],
        .Neuron => {
            const law: population.Law = try .read(record);
            const paid = law.paid();
            const format = try fixed.Format.read(record, "format");
            const range = paid.after(format, try paid.put(format, record));
            layer.op.Neuron = .{ .whole = try .read(record, &law, ranges[0], range.spike) };
            return range;
        },
        .Relu => .{ .range = ranges[0].positive() },
        .BatchNorm => |norm| norm.whole.sums,
        inline .Conv, .Linear, .Pool, .GlobalSum, .Add => |op| op.sums.?,
    };
    const format = try fixed.Format.read(record, "format");
    const how = try sums.range.put(format, record);
    layer.finish = try .create(arena, sums, how);
    return sums.range.after(format, how);
}
