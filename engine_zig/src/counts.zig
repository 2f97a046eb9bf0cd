//! What event execution took of each operation, by the names that clocked execution has for them.

const std = @import("std");
const msgpack = @import("msgpack.zig");
const Name = @import("counters.zig").Name;
const Stage = @import("wiring.zig").Stage;
const Tally = @import("stream.zig").Tally;
const Wiring = @import("wiring.zig").Wiring;

const Counts = std.enums.EnumArray(Name, u64);

/// Of a Conv or Linear: events add its weights to potentials, and silent timesteps its biases.
fn synapses(stage: *const Stage, tally: Tally) Counts {
    const operations = tally.synaptic_operations;
    var counts: Counts = .initFill(0);
    counts.set(.events_in, tally.events_in);
    counts.set(.synaptic_operations, operations);
    counts.set(.weight_reads, operations);
    counts.set(.potential_reads, operations);
    counts.set(.potential_writes, operations);
    if (stage.biased()) counts.set(.bias_reads, tally.silent);
    return counts;
}

/// Of a Neuron: a potential that a weight was added to is compared, and once more after a spike
/// where another may follow; silent timesteps read it, and write it.
fn neurons(stage: *const Stage, tally: Tally) Counts {
    var counts: Counts = .initFill(0);
    const again = if (stage.repeats()) tally.events_out else 0;
    counts.set(.events_out, tally.events_out);
    counts.set(.resets, tally.events_out);
    counts.set(.comparisons, tally.synaptic_operations +| again);
    counts.set(.potential_reads, tally.silent);
    counts.set(.potential_writes, tally.silent);
    if (stage.leaky()) counts.set(.leaks, tally.silent);
    return counts;
}

/// Room for what `write` writes.
pub fn bytes(wiring: *const Wiring) u64 {
    var each: u64 = 16;
    for (std.enums.values(Name)) |name| each += @tagName(name).len + 12;
    var size: u64 = 16;
    for (wiring.stages) |stage| size += stage.name.len + stage.synapses.len + 2 * each;
    return size;
}

/// {layer: {name: n}}
pub fn write(writer: *msgpack.Writer, wiring: *const Wiring, tallies: []const Tally) void {
    writer.map(2 * wiring.stages.len);
    for (wiring.stages, tallies) |*stage, tally| {
        layer(writer, stage.synapses, synapses(stage, tally));
        layer(writer, stage.name, neurons(stage, tally));
    }
}

fn layer(writer: *msgpack.Writer, name: []const u8, counts: Counts) void {
    writer.text(name);
    writer.map(Counts.len);
    for (std.enums.values(Name)) |key| {
        writer.text(@tagName(key));
        writer.unsigned(counts.get(key));
    }
}
