//! The edges of a document: which layer reads what, in which order.

const std = @import("std");
const limits = @import("limits.zig");
const msgpack = @import("msgpack.zig");
const Error = @import("failure.zig").Error;
const Failure = @import("failure.zig").Failure;
const Layer = @import("network.zig").Layer;
const Refused = @import("failure.zig").Refused;

/// The sources of every layer, as nodes: 0 is the input, i + 1 is layer i.
pub fn connect(
    layers: []Layer,
    edges: msgpack.Items,
    arena: std.mem.Allocator,
    failure: *Failure,
) Error!void {
    var nodes: std.StringHashMapUnmanaged(u32) = .empty;
    try nodes.put(arena, "input", 0);
    for (layers, 1..) |layer, node| {
        const entry = try nodes.getOrPut(arena, layer.name);
        if (entry.found_existing)
            return failure.refuse(.invalid, "layer '{s}': not a unique name", .{layer.name});
        entry.value_ptr.* = @intCast(node);
    }
    const sources = try arena.alloc(std.ArrayList(u32), layers.len);
    @memset(sources, .empty);
    const feeds = try arena.alloc(bool, layers.len + 1);
    @memset(feeds, false);
    var items = edges;
    while (items.count > 0) {
        const ends = try pair(&items, failure);
        const from = nodes.get(ends[0]) orelse return unknown(failure, ends[0]);
        const to = nodes.get(ends[1]) orelse return unknown(failure, ends[1]);
        if (from >= to) return failure.refuse(
            .invalid,
            "layer '{s}': it comes before its input '{s}'",
            .{ ends[1], ends[0] },
        );
        feeds[from] = true;
        try sources[to - 1].append(arena, from);
    }
    for (layers, sources, 1..) |*layer, list, node| {
        layer.sources = list.items;
        if (!feeds[node] and node < layers.len) return failure.refuse(
            .invalid,
            "layer '{s}': it feeds no other, and is not the last",
            .{layer.name},
        );
    }
}

/// That the edges lead through all layers, one after another.
pub fn path(layers: []const Layer, edges: msgpack.Items, failure: *Failure) Refused!void {
    var items = edges;
    while (items.count > 0) {
        const from, const to = try pair(&items, failure);
        for (layers, 0..) |layer, i| {
            if (!std.mem.eql(u8, layer.name, to)) continue;
            const before = if (i == 0) "input" else layers[i - 1].name;
            if (std.mem.eql(u8, from, before)) break;
            return failure.refuse(
                .unsupported,
                "layer '{s}': it reads '{s}', not the layer before it; event execution takes" ++
                    " sequential networks",
                .{ to, from },
            );
        }
    }
}

fn pair(items: *msgpack.Items, failure: *Failure) Refused![2][]const u8 {
    read: {
        const edge = items.next() orelse break :read;
        var ends = edge.array() orelse break :read;
        if (ends.count != 2) break :read;
        const from = (ends.next() orelse break :read).text() orelse break :read;
        const to = (ends.next() orelse break :read).text() orelse break :read;
        return .{ from, to };
    }
    return failure.refuse(.invalid, "network: an edge is not a pair of names", .{});
}

fn unknown(failure: *Failure, name: []const u8) Refused {
    const short = name[0..@min(name.len, limits.name_bytes)];
    return failure.refuse(.invalid, "network: an edge names '{s}', no layer", .{short});
}
