"""Event execution of a torch.nn.Sequential, in the call style that Specksim documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from snn_engine.events import Counters, Event, EventEngine
from snn_engine.sequential import lower
from snn_kernel.signals import EVENT


def from_sequential(
    network: Any,
    input_shape: tuple[int, int, int],
    *,
    order: Literal["hwc", "chw"] = "hwc",
    dt_us: int | None = None,
    monitor: Sequence[str] = (),
) -> SpecksimNetwork:
    """The event-driven twin of a torch.nn.Sequential, nested or not, that takes [C, H, W].

    Conv2d, Linear, AvgPool2d, sum pooling, Flatten; integrate-and-fire neurons behind each Conv2d
    and Linear: SpikingJelly's IFNode, sinabs' IAF, or those of `from_model`. Thresholds, resets,
    floors and whether a neuron spikes once or more per event are the layers' own. Weights behind an
    average pool are divided by its area. Where a layer has a bias, `dt_us` is the timestep, in µs,
    in which it is added once.

    order: see Event. monitor: names of spiking layers ("1", "body.3") whose events are kept too.

    Raises RunError that names every layer that cannot be taken, EngineError for what the engine
    refuses.
    """
    made = lower(network, input_shape)
    how = Event(order=order, floor=made.firing.floor, single_spike=made.firing.single, dt_us=dt_us)
    return SpecksimNetwork(EventEngine.load(made.network, how), tuple(monitor))


class SpecksimNetwork:
    """Events in, events out: `network(np.array([(x, y, t, p)], dtype=network.output_dtype))`.

    A call returns when every event is done; potentials live on until `reset_states`.
    """

    output_dtype = EVENT

    def __init__(self, engine: EventEngine, monitor: Sequence[str]) -> None:
        self.engine = engine
        self.monitored: Mapping[str, NDArray[Any]] = {n: np.empty(0, EVENT) for n in monitor}

    def __call__(self, events: Any) -> NDArray[Any]:
        """The events of the last layer, each with the time of the input event that caused it; of
        the layers of `monitor`, they are in `monitored` until the next call."""
        run = self.engine.run(events, monitor=tuple(self.monitored))
        self.monitored = run.monitors
        return run.records

    def reset_states(self) -> None:
        """All potentials to rest, all counters and the time to 0."""
        self.engine.reset()

    def state(self, layer: str) -> NDArray[Any]:
        """The potentials of a spiking layer, (channel, y, x) or (neuron,)."""
        return self.engine.state(layer)

    def counters(self) -> Counters:
        """What all calls since the last reset took of each operation, per spiking layer."""
        return self.engine.counters()

    def close(self) -> None:
        """Give the engine's memory back."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
