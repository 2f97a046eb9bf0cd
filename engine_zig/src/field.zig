//! Receptive fields: which inputs the outputs of a Conv or a Linear see, and how they are summed.
//!
//! Three kernels give one answer, since sums may be formed in any order (see Accumulator). Which
//! one is the fastest is chosen by how many inputs are not zero, see `choose`.

const std = @import("std");
const dense = @import("dense.zig");
const gather = @import("gather.zig");
const limits = @import("limits.zig");
const scatter = @import("scatter.zig");
const simd = @import("simd.zig");
const tiles = @import("tiles.zig");
const Scratch = @import("scratch.zig").Scratch;
const Shape = @import("tensor.zig").Shape;
const Tensor = @import("scratch.zig").Tensor;
const Window = @import("window.zig").Window;
const Child = std.meta.Child;

pub const Kernel = enum {
    /// Each non-zero input adds its weights to all outputs that see it.
    scatter,
    /// Each output adds the weights of the non-zero inputs that it sees.
    gather,
    /// Each output adds all of its products, of which several share a load of weights.
    dense,
};

pub const Field = struct {
    in: Shape,
    out: Shape,
    window: Window,
    groups: u32 = 1,

    /// All inputs seen by every output.
    pub fn whole(inputs: u32, out: Shape) Field {
        return .{
            .in = .{ .channels = inputs },
            .out = out,
            .window = .{ .size = @splat(1), .stride = @splat(1), .padding = @splat(0) },
        };
    }

    pub fn taps(self: *const Field) u32 {
        return self.window.size[0] * self.window.size[1];
    }

    /// Input channels that an output sees, output channels that see an input.
    pub fn shareIn(self: *const Field) u32 {
        return self.in.channels / self.groups;
    }

    pub fn shareOut(self: *const Field) u32 {
        return self.out.channels / self.groups;
    }

    /// Operations per timestep if every input were non-zero.
    pub fn work(self: *const Field) u64 {
        return @as(u64, self.taps()) * self.shareIn() *| self.out.elements();
    }

    /// Whether one input meets neighbouring outputs in one run of weights.
    pub fn adjoining(self: *const Field) bool {
        return self.groups == 1 and self.window.stride[0] == 1 and self.window.stride[1] == 1;
    }

    /// The kernel that is likely to be the fastest one for `count` non-zeros in `frames` inputs, of
    /// sums formed as numbers A. What is compared are about cycles, measured on Zen 4 and alike for
    /// all widths of vectors, since they count operations on these.
    pub fn choose(
        self: *const Field,
        comptime A: type,
        scattered: bool,
        count: u64,
        frames: u64,
    ) Kernel {
        const lanes = comptime simd.lanes(A);
        const rows = self.window.size[0];
        const tile = tiles.padded(A, self.shareOut());
        const positions = @as(u64, self.in.positions()) * frames;
        const inputs = positions * self.in.channels;
        const products = self.work() * frames / lanes;
        const filled = products * tile.width / self.shareOut();
        const visits = self.out.positions() * frames * tile.count;
        const lines = if (self.adjoining()) rows else self.taps();
        const stores = @as(u64, self.out.elements()) * frames / lanes;
        const each = filled * 9 / 8 + 2 * inputs / lanes;
        const some = filled * count / inputs + 8 * visits * rows + 2 * count + 4 * positions;
        const few = 2 * (products * count / inputs + stores) + 6 * count * lines;
        const gathered = self.groups == 1;
        if (scattered and few <= each and (few <= some or !gathered)) return .scatter;
        return if (gathered and some < each) .gather else .dense;
    }

    /// What the outputs see of `source`, numbers E, summed up into `sums`: for each timestep one
    /// for each output. `s` are the synapses.
    pub fn run(
        self: *const Field,
        comptime E: type,
        s: anytype,
        scratch: *Scratch,
        source: *const Tensor,
        sums: []const [*]Child(@TypeOf(s)).Sum,
    ) void {
        const A = Child(@TypeOf(s)).Sum;
        var count: u64 = 0;
        for (0..sums.len) |t| count += source.at(t).count;
        const kernel = self.choose(A, s.runs.len > 0, count, sums.len);
        self.runBy(kernel, E, s, scratch, source, sums);
    }

    /// As `run`, by `kernel`, which must be one that the layer has.
    pub fn runBy(
        self: *const Field,
        kernel: Kernel,
        comptime E: type,
        s: anytype,
        scratch: *Scratch,
        source: *const Tensor,
        sums: []const [*]Child(@TypeOf(s)).Sum,
    ) void {
        const S = Child(@TypeOf(s));
        const A = S.Sum;
        var ones = true;
        for (0..sums.len) |t| ones = ones and source.at(t).ones;
        ones = ones or s.spiking;
        var inputs: [limits.chunk][*]const A = undefined;
        const bordered = kernel == .dense;
        if (kernel == .dense or (kernel == .gather and !ones)) {
            for (inputs[0..sums.len], 0..) |*x, t| {
                const here: []const E = source.at(t).values(E)[0..self.in.elements()];
                x.* = self.shown(A, E, s.spiking, bordered, scratch, here, t);
            }
        }
        const values = inputs[0..sums.len];
        switch (kernel) {
            .scatter => for (sums, 0..) |into, t| {
                const to = into[0..self.out.elements()];
                if (ones) {
                    scatter.run(E, true, self, s, source.at(t), to);
                } else scatter.run(E, false, self, s, source.at(t), to);
            },
            .gather => if (ones) {
                gather.run(true, self, s, scratch, source, &.{}, sums);
            } else gather.run(false, self, s, scratch, source, values, sums),
            .dense => dense.run(self, s, values, sums),
        }
    }

    /// An input as the accumulator's numbers, and, if `bordered`, with its padding around it, so
    /// that kernels have neither conversions nor borders: it may be as it stands already.
    fn shown(
        self: *const Field,
        comptime A: type,
        comptime E: type,
        spiking: bool,
        bordered: bool,
        scratch: *const Scratch,
        values: []const E,
        t: usize,
    ) [*]const A {
        const shape = if (bordered) self.window.padded(self.in) else self.in;
        const alike = shape.elements() == values.len;
        if (E == A and alike and !spiking) return values.ptr;
        const into = scratch.border(A, t, shape.elements());
        if (alike) put(A, E, spiking, into, values) else self.pad(A, E, spiking, into, values);
        return into.ptr;
    }

    fn put(comptime A: type, comptime E: type, spiking: bool, to: []A, from: []const E) void {
        if (!spiking) return simd.convert(A, E, to, from);
        for (to, from) |*one, value| one.* = @intFromBool(value != 0);
    }

    fn pad(
        self: *const Field,
        comptime A: type,
        comptime E: type,
        spiking: bool,
        into: []A,
        values: []const E,
    ) void {
        const channels: usize = self.in.channels;
        const line = self.in.width * channels;
        const left = self.window.padding[1] * channels;
        const padded = line + 2 * left;
        const top = self.window.padding[0] * padded;
        simd.fill(A, into[0..top], 0);
        simd.fill(A, into[into.len - top ..], 0);
        for (0..self.in.height) |y| {
            const row = into[top + y * padded ..][0..padded];
            simd.fill(A, row[0..left], 0);
            simd.fill(A, row[left + line ..], 0);
            put(A, E, spiking, row[left..][0..line], values[y * line ..][0..line]);
        }
    }
};
