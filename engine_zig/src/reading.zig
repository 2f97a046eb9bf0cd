//! What a Conv or a Linear is shown at several timesteps, made ready for the kernel that is likely
//! to be the fastest for it, and summed up as many rows at a time as its caller likes.

const std = @import("std");
const dense = @import("dense.zig");
const gather = @import("gather.zig");
const limits = @import("limits.zig");
const scatter = @import("scatter.zig");
const simd = @import("simd.zig");
const Field = @import("field.zig").Field;
const Kernel = @import("field.zig").Kernel;
const Rows = @import("tensor.zig").Rows;
const Scratch = @import("scratch.zig").Scratch;
const Tensor = @import("scratch.zig").Tensor;

/// Of inputs of numbers E, by synapses S.
pub fn Reading(comptime E: type, comptime S: type) type {
    return struct {
        field: *const Field,
        synapses: *const S,
        source: *const Tensor,
        kernel: Kernel,
        /// Whether every non-zero input counts as 1.
        ones: bool,
        /// Timestep by timestep, what dense and gather want to know.
        inputs: [limits.chunk][*]const A,
        places: [limits.chunk]gather.Places,

        const Self = @This();
        const A = S.Sum;
        pub const Sum = S.Sum;

        /// Of `count` timesteps of `source`, for `kernel`, which must be one that the layer has;
        /// null: for the one that is likely to be the fastest. Room comes from `scratch`.
        pub fn open(
            self: *Self,
            kernel: ?Kernel,
            field: *const Field,
            s: *const S,
            scratch: *const Scratch,
            source: *const Tensor,
            count: usize,
        ) void {
            self.field, self.synapses, self.source = .{ field, s, source };
            var nonzeros: u64 = 0;
            self.ones = true;
            for (0..count) |t| {
                nonzeros += source.at(t).count;
                self.ones = self.ones and source.at(t).ones;
            }
            self.ones = self.ones or s.spiking;
            self.kernel = kernel orelse field.choose(A, s.runs.len > 0, nonzeros, count);
            for (0..count) |t| {
                const frame = source.at(t);
                const values: []const E = frame.values(E)[0..field.in.elements()];
                if (self.kernel == .gather) {
                    const starts = scratch.starts(t, gather.places(S, field));
                    gather.index(S, field, frame.listed(), starts);
                    self.places[t] = .{ .list = frame.listed(), .starts = starts };
                }
                const bordered = self.kernel == .dense;
                if (bordered or (self.kernel == .gather and !self.ones))
                    self.inputs[t] = self.shown(bordered, scratch, values, t);
            }
        }

        /// What the outputs in `rows` see at the timesteps from `t` on, one for each of `sums`, in
        /// which these rows stand first.
        pub fn run(self: *const Self, rows: Rows, t: usize, sums: []const [*]A) void {
            const inputs = self.inputs[t..][0..sums.len];
            const places = self.places[t..][0..sums.len];
            switch (self.kernel) {
                .scatter => for (sums, t..) |into, step| {
                    const frame = self.source.at(step);
                    switch (self.ones) {
                        inline else => |ones| {
                            scatter.run(E, ones, self.field, self.synapses, frame, rows, into);
                        },
                    }
                },
                .gather => switch (self.ones) {
                    inline else => |ones| {
                        gather.run(ones, self.field, self.synapses, places, inputs, rows, sums);
                    },
                },
                .dense => dense.run(self.field, self.synapses, inputs, rows, sums),
            }
        }

        /// An input as the accumulator's numbers, and, if `bordered`, with its padding around it,
        /// so that kernels have neither conversions nor borders: it may be as it stands already.
        fn shown(
            self: *const Self,
            bordered: bool,
            scratch: *const Scratch,
            values: []const E,
            t: usize,
        ) [*]const A {
            const field = self.field;
            const shape = if (bordered) field.window.padded(field.in) else field.in;
            const alike = shape.elements() == values.len;
            if (E == A and alike and !self.synapses.spiking) return values.ptr;
            const into = scratch.border(A, t, shape.elements());
            if (alike) self.put(into, values) else self.pad(into, values);
            return into.ptr;
        }

        fn put(self: *const Self, to: []A, from: []const E) void {
            if (!self.synapses.spiking) return simd.convert(A, E, to, from);
            for (to, from) |*one, value| one.* = @intFromBool(value != 0);
        }

        fn pad(self: *const Self, into: []A, values: []const E) void {
            const field = self.field;
            const channels: usize = field.in.channels;
            const line = field.in.width * channels;
            const left = field.window.padding[1] * channels;
            const padded = line + 2 * left;
            const top = field.window.padding[0] * padded;
            simd.fill(A, into[0..top], 0);
            simd.fill(A, into[into.len - top ..], 0);
            for (0..field.in.height) |y| {
                const row = into[top + y * padded ..][0..padded];
                simd.fill(A, row[0..left], 0);
                simd.fill(A, row[left + line ..], 0);
                self.put(row[left..][0..line], values[y * line ..][0..line]);
            }
        }
    };
}
