//! Receptive fields: which inputs the outputs of a Conv or a Linear see, and by which kernel they
//! are summed.
//!
//! Three kernels give one answer, since sums may be formed in any order (see Accumulator). Which
//! one is the fastest is chosen by how many inputs are not zero, see `choose`.

const std = @import("std");
const simd = @import("simd.zig");
const tiles = @import("tiles.zig");
const Rows = @import("tensor.zig").Rows;
const Shape = @import("tensor.zig").Shape;
const Window = @import("window.zig").Window;

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

    /// The rows of inputs that outputs in `rows` see.
    pub fn seen(self: *const Field, rows: Rows) Rows {
        const step, const border = .{ self.window.stride[0], self.window.padding[0] };
        const end = (rows.end - 1) * step + self.window.size[0];
        return .{
            .first = @min(rows.first * step -| border, self.in.height),
            .end = @min(end -| border, self.in.height),
        };
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
        // Products of integers take twice as long as those of floats, which are added in one go.
        const product: u64 = if (@typeInfo(A) == .float) 9 else 18;
        const each = filled * product / 8 + 2 * inputs / lanes;
        // Lines of taps: how many are in one cannot be foretold, unless they are mostly empty.
        const visits = self.out.positions() * frames * tile.count * rows;
        const met = self.window.size[1] * self.shareIn() * count;
        const line = 8 + 12 * @min(met, inputs) / inputs;
        const some = filled * count / inputs * 5 / 4 + line * visits + 2 * count + 4 * positions;
        // Runs of outputs in rows; or single taps, of which it must be found out which one lands.
        const stores = @as(u64, self.out.elements()) * frames / lanes;
        const runs = if (self.adjoining())
            8 * count *| (@as(u64, rows) * self.out.height) / self.in.height
        else
            20 * count * self.taps();
        const few = 6 * (products * count / inputs) + 2 * stores + runs;
        const gathered = self.groups == 1;
        if (scattered and few <= each and (few <= some or !gathered)) return .scatter;
        return if (gathered and some < each) .gather else .dense;
    }
};
