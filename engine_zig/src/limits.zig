//! Every limit of the engine, each with its reason. Over a limit is an error that gives the number.

/// The version of network documents that is read.
pub const version: u64 = 1;

/// One request: the largest network document that the kernel reads (1 GiB) and its envelope.
pub const message_bytes: u64 = (1 << 30) + (1 << 16);

/// One reply: as for requests; whoever wants more samples asks in several messages.
pub const reply_bytes: u64 = 1 << 30;

/// Bytes of a stream that are read and written at once; what a request announces is given memory as
/// it comes, this much first.
pub const part_bytes: u32 = 1 << 16;

/// Memory that a stream keeps from one request for the next: more than any but a load needs.
pub const kept_bytes: u64 = 1 << 26;

/// Callers of one socket at a time, each a thread and an engine; others wait to be let in.
pub const connections: u32 = 64;

/// Nesting of msgpack: request, network, layers, layer, array, shape make six.
pub const depth: u32 = 8;

/// Values in one message: some ninety for each of the layers and three for each of the edges.
pub const elements: u64 = 1 << 19;

/// Keys of one map: a Neuron has seventeen, nothing has more.
pub const fields: u32 = 24;

/// Bytes of a layer's name: what fits into an error text beside the rest of the sentence.
pub const name_bytes: u32 = 128;

/// Bytes of an error text.
pub const text_bytes: u32 = 512;

/// The deepest published residual networks have a thousand convolutions, each with its BatchNorm,
/// its Neuron and a share of an Add.
pub const layers: u32 = 1 << 12;

/// Each layer has one input but for Add; four edges per layer leave room for dense connections.
pub const edges: u32 = 1 << 14;

/// Weights and biases of all layers: what fits into one message as float32.
pub const synapses: u64 = 1 << 28;

/// Weights of one layer as its kernels want them, with what fills up tiles: room for what is usual,
/// so that a layer of one output cannot take eight times what a message brought.
pub const arranged: u64 = 1 << 29;

/// Elements of all tensors of a network at one timestep, which bounds one thread's memory: with
/// states, lists, sums and one padded tensor at most 2 GiB, if they are integers of 64 bits.
pub const activations: u64 = 1 << 26;

/// Sizes, strides and paddings: as large as any sensor's side, and squares of sums fit in 64 bits.
pub const extent: u64 = 1 << 16;

/// Timesteps of one sample: a minute at a millisecond each.
pub const timesteps: u64 = 1 << 16;

/// Operations of one timestep if every input were non-zero: sixteen times a ResNet-50.
pub const work_step: u64 = 1 << 36;

/// Operations that one request may ask for: half an hour on one thread, so that no call hangs.
pub const work: u64 = 1 << 44;

/// Samples of one request; smaller than what counters of 64 bits could overflow with.
pub const samples: u64 = 1 << 24;

/// Timesteps of a layer that are done before those of the next one: each weight that comes from
/// memory or an outer cache then serves so many.
pub const chunk: u64 = 16;

/// Memory of the tensors of so many timesteps: what they leave in the outer caches is weights'.
pub const chunk_bytes: u64 = 1 << 19;

/// Sums, and potentials, of the rows of a layer that go through the timesteps at hand together: a
/// half of a first cache of 32 KiB. And sums of all these timesteps, of rows that are summed up
/// with the same weights: less than half of a second cache.
pub const band_bytes: u64 = 8 << 10;
pub const bands_bytes: u64 = 256 << 10;

/// Weights that one pass over the positions of a layer adds: most of a first cache of 32 KiB.
pub const gather_bytes: u32 = 24 << 10;

/// Weights of a pass that are made float64 first, 28 KiB of stack and of the first cache; and how
/// often each must be added for that to be worth it.
pub const gather_wide: u32 = 28 << 7;
pub const gather_uses: u64 = 2;

/// Non-zeros that such a pass adds to the sums of a position, lest going over them is all it does.
pub const gather_least: u64 = 20;

/// Threads that a request may ask for: the largest common servers have as many.
pub const threads: u64 = 256;

/// Memory of all threads' tensors: threads are left out before it would be exceeded.
pub const scratch_bytes: u64 = 4 << 30;

/// Bits of a grid, the sign included: more do not fit into the significand of a float32.
pub const grid_bits: i64 = 25;

/// Fraction bits of a grid: the finest float32 is 2^-149, and 2^24 units must stay below 2^128.
pub const grid_fraction_min: i64 = -103;
pub const grid_fraction_max: i64 = 149;

/// Bits of the integers of a quantised network, the sign included: what documents allow.
pub const format_bits: i64 = 32;

/// Fraction bits of their formats, and how far one shift goes: what 64 bits and a sign leave.
pub const shift: i64 = 60;

/// Bits of the largest sum of a quantised layer: torch, which trained it, is exact up to there.
pub const sum_bits: u6 = 53;

/// Fraction bits of the reciprocal that an average of other than 2^p elements multiplies by.
pub const factor_bits: u6 = 15;

/// Events of one message, and a timestep of event execution in µs: an hour.
pub const events: u64 = 1 << 16;
pub const dt_us: u64 = 3_600_000_000;

/// Events of all samples of one message: 256 MiB.
pub const sample_events: u64 = 1 << 24;

/// Times of events: half of what 64 bits hold, so that t0 and t can be added.
pub const t_us: u64 = 1 << 63;

/// Populations that events are handed through, each calling the next: a few hundred bytes of stack
/// for each of them.
pub const stages: usize = 256;

/// Synaptic operations, silent steps and output events that one request of events may take: some
/// seconds. A network whose spikes beget ever more spikes ends there.
pub const event_work: u64 = 1 << 34;

/// How many of these a silent step or an output event counts as: those go one neuron at a time.
pub const single_work: u64 = 16;
