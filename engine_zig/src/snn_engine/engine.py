"""A network loaded into the engine, and what a run of it gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, Self

import attrs
import msgpack
import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from snn_engine.library import EngineError, Handle
from snn_engine.process import Process
from snn_kernel.network import Conv, Linear, Network, Neuron, Relu

# One call at most: so long that calls cost nothing beside the work in them, so short that progress
# is told and an interrupt is heard within seconds.
CALL_BYTES = 1 << 26
CALL_WORK = 1 << 36
CALL_SAMPLES = 1 << 12

# What is counted of every layer that weighs or fires; docs/engine_abi.md says what each one means.
COUNTERS = (
    *("events_in", "events_out", "synaptic_operations", "potential_reads", "potential_writes"),
    *("weight_reads", "bias_reads", "comparisons", "leaks", "resets"),
)

Progress = Callable[[int, int], None]


@frozen
class Run:
    """Logits float32 [N, K]; spikes per neuron layer uint8 [N, T, ceil(neurons/8)], bits packed as
    numpy.packbits does along the neurons (channel, y, x); how many `neurons` each layer has.

    counts, over all samples and timesteps: {"inputs": non-zero inputs} of each Conv and Linear,
    {"outputs": non-zero outputs} of each Relu, {"spikes": spikes} of each Neuron.
    counters, if asked for: what an event-driven machine would do in each Conv, Linear and Neuron,
    by the names COUNTERS, uint64 [N].
    """

    logits: NDArray[np.float32] = field(eq=attrs.cmp_using(eq=np.array_equal))
    spikes: Mapping[str, NDArray[np.uint8]] = field(eq=False)
    neurons: Mapping[str, int]
    counts: Mapping[str, Mapping[str, int]]
    counters: Mapping[str, Mapping[str, NDArray[np.uint64]]] = field(factory=dict, eq=False)


class Engine:
    """A network in the engine: `with Engine.load(network) as engine: engine.run(frames)`."""

    def __init__(
        self, network: Network, handle: Handle | Process, loaded: Mapping[str, Any]
    ) -> None:
        self.network = network
        self.cpu: str = loaded["cpu"]  # for which level of processor its kernels were compiled
        self._handle = handle
        self._lock = Lock()
        self._raw: bool = loaded["raw"]  # whether the engine puts inputs on their grid
        self._work: int = loaded["work"]
        self._outputs: int = loaded["outputs"]

    @classmethod
    def load(
        cls, network: Network | bytes, cpu: str | None = None, isolated: bool = False
    ) -> Engine:
        """Load a network or a packed document; `cpu` (baseline, x86_64_v2 … v4) chooses the
        kernels, None: the fastest that this processor runs. All give the same answer. `isolated`
        runs the engine in a process of its own, whose end is an EngineError here: for networks from
        strangers. It shields this process and confines nothing else.

        Raises NetworkError for bytes that are no document, EngineError for what the engine refuses.
        """
        known, handle, loaded = opened(network, cpu, isolated, {})
        return cls(known, handle, loaded)

    @property
    def neurons(self) -> dict[str, int]:
        """How many neurons each neuron layer has."""
        shapes = self.network.shapes
        return {n.name: math.prod(shapes[n.name]) for n in self.network.only(Neuron)}

    @property
    def counted(self) -> tuple[str, ...]:
        """The layers that counters are of."""
        kinds = (Conv, Linear, Neuron)
        return tuple(layer.name for layer in self.network.layers if isinstance(layer, kinds))

    def run(
        self,
        frames: NDArray[np.float32],
        spikes: bool = False,
        threads: int | None = None,
        progress: Progress | None = None,
        counters: bool = False,
    ) -> Run:
        """Run samples [N, C, …] (static) or [N, T, C, …] (sequence) on `threads` (None: one).

        Inputs are put on the network's grid first; a quantised network is shown the integers that
        they then are. Frames are read where they lie: nobody may change them until the run is over.
        `progress(done, total)` is called between parts. Raises EngineError where the frames do not
        fit the network or the engine refuses them.
        """
        self._fit(frames)
        total = len(frames)
        packed = {name: -(-n // 8) for name, n in self.neurons.items()} if spikes else {}
        counted = self.counted if counters else ()
        steps = self.network.timesteps
        run = Run(
            np.empty((total, self._outputs), np.float32),
            {name: np.empty((total, steps, n), np.uint8) for name, n in packed.items()},
            self.neurons,
            {},
            {name: {what: np.empty(total, np.uint64) for what in COUNTERS} for name in counted},
        )
        counts = self._counts()
        size = self._samples(frames, packed, len(counted))
        for start in range(0, total, size):
            stop = min(start + size, total)
            self._part(frames[start:stop], threads or 1, run, start, counts)
            if progress is not None:
                progress(stop, total)
        return attrs.evolve(run, counts=counts)

    def _counts(self) -> dict[str, dict[str, int]]:
        """Those of no sample."""
        found: dict[str, dict[str, int]] = {}
        for layer in self.network.layers:
            match layer:
                case Conv() | Linear():
                    found[layer.name] = {"inputs": 0}
                case Relu():
                    found[layer.name] = {"outputs": 0}
                case Neuron():
                    found[layer.name] = {"spikes": 0}
        return found

    def close(self) -> None:
        """Give the engine's memory back."""
        with self._lock:
            self._handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fit(self, frames: NDArray[np.float32]) -> None:
        network = self.network
        steps = (network.timesteps,) if network.mode == "sequence" else ()
        expected = (*steps, *network.input_shape)
        if not isinstance(frames, np.ndarray) or isinstance(frames, np.ma.MaskedArray):
            kind = type(frames).__name__
            raise EngineError(f"frames are of type {kind}, not an array of float32")
        if frames.dtype != np.float32:
            raise EngineError(f"frames are {frames.dtype}, not a float32 array")
        if frames.shape[1:] != expected:
            axes = ", ".join(map(str, expected))
            raise EngineError(f"frames are {list(frames.shape)}, the network takes [N, {axes}]")
        if not frames.flags.c_contiguous:
            raise EngineError("frames are not contiguous (numpy.ascontiguousarray makes them so)")

    def _samples(self, frames: NDArray[np.float32], packed: Mapping[str, int], counted: int) -> int:
        """How many samples one call takes, `counted` layers being counted."""
        request = frames.nbytes // max(1, len(frames))
        reply = 4 * self._outputs + self.network.timesteps * sum(packed.values())
        reply += 8 * len(COUNTERS) * counted
        return max(1, min(CALL_SAMPLES, CALL_BYTES // max(request, reply), CALL_WORK // self._work))

    def _shown(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        grid = self.network.input_format
        if self._raw or grid is None:
            return frames
        return np.stack([grid.apply(sample) for sample in frames])

    def _part(
        self,
        frames: NDArray[np.float32],
        threads: int,
        run: Run,
        start: int,
        counts: dict[str, dict[str, int]],
    ) -> None:
        asked = {"spikes": bool(run.spikes), "counters": bool(run.counters), "raw": self._raw}
        # They come last, and beside the request.
        head = {"op": "run", "samples": len(frames), "threads": threads, **asked, "frames": None}
        shown = self._shown(frames)
        stop = start + len(frames)
        with self._lock:
            reply = answer(self._handle.call(msgpack.packb(head), shown))
            logits = np.frombuffer(reply["logits"], "<f4")
            run.logits[start:stop] = logits.reshape(len(frames), -1)
            for name, bits in run.spikes.items():
                part = np.frombuffer(reply["spikes"][name], np.uint8)
                bits[start:stop] = part.reshape(bits[start:stop].shape)
            for name, columns in run.counters.items():
                for what, column in columns.items():
                    column[start:stop] = np.frombuffer(reply["counters"][name][what], "<u8")
        for name, count in reply["counts"].items():
            for key, n in count.items():
                counts[name][key] += n


def opened(
    network: Network | bytes, cpu: str | None, isolated: bool, asked: Mapping[str, Any]
) -> tuple[Network, Handle | Process, dict[str, Any]]:
    """The network in an engine of its own, and the reply to loading it; `asked`: further fields."""
    document = network if isinstance(network, bytes) else network.pack()
    known = network if isinstance(network, Network) else Network.unpack(network)
    fields = {"op": "load", **asked, **({} if cpu is None else {"cpu": cpu})}
    head = msgpack.Packer(autoreset=False)
    head.pack_map_header(1 + len(fields))
    for key, value in fields.items():
        head.pack(key)
        head.pack(value)
    head.pack("network")
    handle = Process() if isolated else Handle()
    try:
        return known, handle, answer(handle.call(head.bytes() + document))
    except BaseException:
        handle.close()
        raise


def answer(reply: memoryview) -> dict[str, Any]:
    found: dict[str, Any] = msgpack.unpackb(reply, max_bin_len=len(reply))
    if not found["ok"]:
        raise EngineError(found["error"], found["code"])
    return found
