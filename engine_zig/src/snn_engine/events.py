"""A network that takes events one by one, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, Literal, Self

import attrs
import msgpack
import numpy as np
from attrs import field, frozen
from attrs.validators import ge, in_, instance_of, optional
from numpy.typing import NDArray

from snn_engine.engine import answer, opened
from snn_engine.library import EngineError, Handle
from snn_engine.message import message
from snn_engine.process import Process
from snn_engine.records import joined, later, messages, records, span, write
from snn_kernel.network import Network
from snn_kernel.signals import EVENT

# Events of samples in one message: so many that several threads have work, so few that an interrupt
# is heard within seconds.
CALL_SAMPLE_EVENTS = 1 << 20

Counters = Mapping[str, Mapping[str, int]]


@frozen(kw_only=True)
class Event:
    """Event execution: v += w; v = max(v, floor); while v ≥ threshold: emit, v -= threshold.

    order         in which order the neurons that one event makes fire do so: "hwc" (y, x, channel
                  ascending) or "chw"; default hwc. It can change results
    floor         no potential falls below it; None: unbounded; default -1.0
    single_spike  a neuron answers an event with one event at most, however high its potential is
    dt_us         the timestep in µs with which biases and leaks act; needed where there are any
    """

    order: Literal["hwc", "chw"] = field(default="hwc", validator=in_(("hwc", "chw")))
    floor: float | None = -1.0
    single_spike: bool = field(default=False, validator=instance_of(bool))
    dt_us: int | None = field(default=None, validator=optional([instance_of(int), ge(1)]))


@frozen
class EventRun:
    """What events led to, in the order in which it was emitted.

    records: the events of the last population, (x, y, t, p), each with the time of the input event
    that caused it. monitors: those of the populations asked for, by name. counters: per population,
    what this run took of each operation (docs/engine_abi.md).
    """

    records: NDArray[Any] = field(eq=attrs.cmp_using(eq=np.array_equal))
    monitors: Mapping[str, NDArray[Any]] = field(eq=False)
    counters: Counters


class EventEngine:
    """A network in event execution, whose potentials live on from run to run until `reset`.

    `with EventEngine.load(network) as engine: engine.run(events).records`. It is a class of its own
    beside Engine, whose runs take frames, start from rest and give logits: nothing but loading is
    the same. Every call returns when all its events are done.
    """

    def __init__(
        self, network: Network, handle: Handle | Process, execution: Event, cpu: str
    ) -> None:
        self.network = network
        self.execution = execution
        self.cpu = cpu  # for which level of processor its kernels were compiled
        self._handle = handle
        self._lock = Lock()

    @classmethod
    def load(
        cls,
        network: Network | bytes,
        execution: Event | None = None,
        cpu: str | None = None,
        isolated: bool = False,
    ) -> EventEngine:
        """Load a sequential network (document or packed) for event execution (None: `Event()`).

        `cpu` (baseline, x86_64_v2 … v4) chooses the kernels, None: the fastest that this processor
        runs; `isolated` as in Engine.load. Raises NetworkError for bytes that are no document,
        EngineError for what the engine refuses: a layer that single events cannot go through is
        named.
        """
        how = execution or Event()
        asked = {"execution": {"kind": "event", **attrs.asdict(how)}}
        known, handle, loaded = opened(network, cpu, isolated, asked)
        return cls(known, handle, how, loaded["cpu"])

    def run(self, events: Any, monitor: Sequence[str] = (), sorted: bool = True) -> EventRun:
        """Take `events` through the network: a record array with the fields x, y, t, p (any
        integers, any order), or one event as a record or a tuple (x, y, t, p).

        Times are in µs and, unless `sorted` is false, must not decrease, from run to run neither.
        Raises EngineError for what is not events of the network's input; what earlier messages of
        the same run have done stays done, a message itself is done whole or not at all.
        """
        given = records(events)
        out: list[NDArray[Any]] = []
        monitors: dict[str, list[NDArray[Any]]] = {name: [] for name in monitor}
        counters: dict[str, dict[str, int]] = {}
        with self._lock:
            for part, t0 in messages(given):
                self._part(part, t0, sorted, out, monitors, counters)
        whole = {name: joined(parts) for name, parts in monitors.items()}
        return EventRun(joined(out), whole, counters)

    def samples(
        self, samples: Sequence[Any], threads: int = 1, sorted: bool = True
    ) -> tuple[list[NDArray[Any]], Counters]:
        """Run independent samples, each from rest and leaving no trace, on `threads`; the events
        that each led to, and what all of them together took.

        A sample is what `run` takes. Neither potentials nor counters of the engine change.
        """
        given = [records(sample) for sample in samples]
        out: list[NDArray[Any]] = []
        counters: dict[str, dict[str, int]] = {}
        start, size = 0, 0
        for stop, sample in enumerate(given, 1):
            size += len(sample)
            if stop == len(given) or size + len(given[stop]) > CALL_SAMPLE_EVENTS:
                self._batch(given[start:stop], threads, sorted, out, counters)
                start, size = stop, 0
        return out, counters

    def reset(self) -> None:
        """All potentials to rest, all counters to 0, time to 0."""
        self._ask({"op": "reset"})

    def state(self, layer: str) -> NDArray[Any]:
        """The potentials of a population, (channel, y, x) or as many axes as it has: float32; of a
        quantised network float64, exact. Timesteps up to the newest event are over."""
        reply = self._ask({"op": "state", "layer": layer})
        fraction = reply["fraction"]
        if fraction is None:
            values: NDArray[Any] = np.frombuffer(reply["values"], "<f4").astype(np.float32)
        else:
            values = np.ldexp(np.frombuffer(reply["values"], "<i8").astype(np.float64), -fraction)
        return values.reshape(reply["shape"])

    def counters(self) -> Counters:
        """What all runs since loading, or the last `reset`, took of each operation."""
        counters: Counters = self._ask({"op": "counters"})["counters"]
        return counters

    def close(self) -> None:
        """Give the engine's memory back."""
        with self._lock:
            self._handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            return answer(self._handle.call(msgpack.packb(request)))

    def _batch(
        self,
        given: list[NDArray[Any]],
        threads: int,
        sorted: bool,
        out: list[NDArray[Any]],
        counters: dict[str, dict[str, int]],
    ) -> None:
        starts = [span(sample) for sample in given]
        offsets = np.cumsum([0, *map(len, given)], dtype="<u8")
        head = {"op": "samples", "offsets": offsets.tobytes(), "threads": threads, "sorted": sorted}
        request, into = _request(head, int(offsets[-1]))
        ends = offsets.tolist()
        for sample, start, a, b in zip(given, starts, ends, ends[1:], strict=False):
            write(into[a:b], sample, start)
        try:
            with self._lock:
                reply = answer(self._handle.call(request))
        except EngineError as error:
            if error.code != "limit" or len(given) < 2:
                raise
            middle = len(given) // 2
            self._batch(given[:middle], threads, sorted, out, counters)
            self._batch(given[middle:], threads, sorted, out, counters)
            return
        found = np.frombuffer(reply["records"], EVENT)
        ends = np.frombuffer(reply["offsets"], "<u8").tolist()
        for start, a, b in zip(starts, ends, ends[1:], strict=False):
            out.append(later(found[a:b], start))
        _count(counters, reply["counters"])

    def _part(
        self,
        part: NDArray[Any],
        t0: int,
        sorted: bool,
        out: list[NDArray[Any]],
        monitors: dict[str, list[NDArray[Any]]],
        counters: dict[str, dict[str, int]],
    ) -> None:
        head = {"op": "events", "t0_us": t0, "sorted": sorted, "monitor": list(monitors)}
        try:
            request, into = _request(head, len(part))
            write(into, part, t0)
            reply = answer(self._handle.call(request))
        except EngineError as error:
            if error.code != "limit" or len(part) < 2:
                raise
            # So much follows from these events that one request is not enough.
            for half in np.array_split(part, 2):
                self._part(half, t0, sorted, out, monitors, counters)
            return
        out.append(later(np.frombuffer(reply["records"], EVENT), t0))
        for name, parts in monitors.items():
            parts.append(later(np.frombuffer(reply["monitors"][name], EVENT), t0))
        _count(counters, reply["counters"])


def _request(head: Mapping[str, Any], count: int) -> tuple[bytearray, NDArray[Any]]:
    """A message, and room for `count` records in it, so that they are written only once."""
    request, at = message(head, "records", EVENT.itemsize * count)
    return request, np.frombuffer(request, EVENT, offset=at)


def _count(into: dict[str, dict[str, int]], counters: Counters) -> None:
    for name, counts in counters.items():
        sums = into.get(name)
        into[name] = dict(counts) if sums is None else {k: sums[k] + n for k, n in counts.items()}
