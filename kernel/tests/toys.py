"""Toy plugins: a whole experiment in numpy, so that the kernel is tested without any of ours."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Any, Literal

import numpy as np
from attrs import evolve, field, frozen, validators

from snn_kernel import (
    Activity,
    Deployed,
    Kind,
    Measure,
    Outcome,
    Prediction,
    Samples,
    Splits,
    Table,
    Tally,
    Trained,
    chosen,
    hookimpl,
    write_atomic,
)
from snn_kernel.network import INPUT, Linear, Network, Neuron


@frozen
class Points:
    """Two clouds of points.

    count: how many.
    """

    count: int = field(default=20, validator=validators.ge(2))
    spread: float = 0.1

    def load(self, context: Any) -> Splits:
        context.progress("read", 1, 1, {})
        rng = np.random.default_rng(3)
        y = np.arange(self.count) % 2
        x = (y[:, None] + self.spread * rng.normal(size=(self.count, 2))).astype(np.float32)
        samples = Samples(x, y.astype(np.int64), "NC")
        return Splits(samples, None, samples, 2)


@frozen
class Shift:
    by: float = 0.0

    def apply(self, splits: Splits, context: Any) -> Splits:
        return splits.map(lambda s: evolve(s, x=(s.x + self.by).astype(np.float32)))


@frozen
class Step:
    threshold: float = field(default=1.0, validator=validators.gt(0))

    def step(self, state: Any, current: Any, fire: Any) -> Any:
        u = current if state is None else state + current
        s = fire(u, self.threshold)
        return u - s * self.threshold, s


@frozen
class Layered:
    """units: neurons of the hidden layer."""

    units: int
    neuron: Any = chosen("neuron")
    mode: Literal["fast", "slow"] = "fast"
    scales: tuple[float, ...] = ()

    def build(self, shapes: Any, session: Any) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(session.seed)
        inner = rng.integers(-4, 5, (self.units, *shapes.input)) / 4
        outer = rng.integers(-4, 5, (*shapes.output, self.units)) / 4
        return {"a": inner.astype(np.float32), "b": outer.astype(np.float32)}

    def check(self, plan: Any, place: str) -> Any:
        if plan.framework.config.shy and self.units > 3:
            yield "a shy framework takes three units at most"


class ToySession:
    def __init__(self, seed: int) -> None:
        self.seed = seed

    def train(self, model: Any, splits: Splits, training: Any) -> Trained:
        from snn_kernel import Epoch

        history = tuple(
            Epoch(i + 1, 0.1, {"train_loss": 1 / (i + 1)}) for i in range(training.epochs)
        )
        model["a"] = model["a"] + np.float32(training.epochs / 8)
        changes = [a.apply(0.0, 0, None, None)[0] for a in training.augmentations]
        counts = {"parameters": 9, "augmentation": sum(changes)}
        measures = tuple(Measure(n, v, "", "counted", "run", "model") for n, v in counts.items())
        return Trained(model, history, measures)

    def predict(self, model: Any, samples: Samples) -> Prediction:
        network = self.lower(model)
        v = np.zeros((len(samples), len(model["a"])), np.float32)
        logits, spikes = np.zeros((len(samples), len(model["b"])), np.float32), []
        for _ in range(network.timesteps):
            v = v + samples.x @ model["a"].T
            fired = (v >= 1).astype(np.float32)
            v, logits = v - fired, logits + fired @ model["b"].T
            spikes.append(np.packbits(fired.astype(bool), axis=1))
        return Prediction(logits / 2, {"n": np.stack(spikes, 1)}, {"n": len(model["a"])})

    def score(self, prediction: Prediction, y: Any) -> tuple[Measure, ...]:
        return (Measure("logits", float(prediction.logits.sum()), "", "counted", "run", "test"),)

    def activity(self, model: Any, samples: Samples) -> tuple[Activity, ...]:
        one = Tally(2, 1, 1.0, False)
        return (Activity("a", one, one, len(samples), 2),)

    def lower(self, model: Any) -> Network:
        layers = (Linear("a", model["a"], None), Neuron("n", 1.0), Linear("b", model["b"], None))
        edges = ((INPUT, "a"), ("a", "n"), ("n", "b"))
        return Network(layers, edges, (model["a"].shape[1],), 2)

    def save(self, model: Any, path: Path) -> None:
        write_atomic(path, json.dumps({k: v.tolist() for k, v in model.items()}))

    def load(self, model: Any, path: Path) -> None:
        found = json.loads(path.read_text())
        model.update({k: np.array(v, np.float32) for k, v in found.items()})


@frozen
class Toy:
    shy: bool = False

    def open(self, context: Any) -> ToySession:
        return ToySession(context.seed)


@frozen
class Count:
    def apply(self, processed: Any, splits: Any, session: Any, context: Any) -> Outcome:
        table = Table("layers", ("name",), tuple((a.layer,) for a in processed.activity))
        return Outcome((Measure("layers", 1, "", "counted", "run", "Count"),), (table,))


@frozen
class Double:
    def apply(self, processed: Any, splits: Any, session: Any, context: Any) -> Outcome:
        model = {k: 2 * v for k, v in processed.model.items()}
        return Outcome(model=model, suffix="_double")


@frozen
class Mirror:
    """Answers as the framework did, with one spike turned where `wrong`."""

    wrong: bool = False

    def deploy(self, processed: Any, samples: Any, context: Any) -> Deployed:
        ours = processed.prediction.take(len(samples))
        packed = ours.spikes["n"].copy()
        if self.wrong:
            packed[1, 0, 0] ^= 0b0100_0000
        path = write_atomic(context.folder / "mirror.bin", processed.network.pack())
        return Deployed("Mirror", {"mirror": path}, evolve(ours, spikes={"n": packed}))


@frozen
class Page:
    title: str = "page"

    def write(self, report: Any, context: Any) -> dict[str, Path]:
        return {"page": write_atomic(context.folder / "page.txt", f"{len(report.runs)} runs")}


@frozen
class Noise:
    sigma: float = 0.5
    evaluate: bool = False

    def apply(self, x: Any, y: Any, context: Any, shapes: Any) -> Any:
        return x + self.sigma, y


@frozen
class Backwards:
    def launch(self, carry: Any, jobs: Any) -> Any:
        return [carry(job) for job in reversed(list(jobs))]


@frozen
class Listen:
    def observe(self, context: Any) -> Any:
        heard = LISTENED

        class Observer:
            @hookimpl
            def snnk_run_planned(self, plan: Any) -> None:
                heard.append("planned")

            @hookimpl
            def snnk_step_started(self, step: str) -> None:
                heard.append(f"{step} …")

            @hookimpl
            def snnk_progress(self, step: str, done: int, total: int) -> None:
                heard.append(f"{step} {done}/{total}")

            @hookimpl
            def snnk_step_finished(self, step: str, made: Any) -> None:
                heard.append(step)

            @hookimpl
            def snnk_run_finished(self, report: Any) -> None:
                heard.append(f"finished {len(report.runs)}")
                raise OSError("the server of the tracker is gone")

        return Observer()


LISTENED: list[str] = []


def plugin(**kinds: Any) -> types.ModuleType:
    """A module with one registration hook per slot."""
    module = types.ModuleType("toy_plugin")
    for slot, offered in kinds.items():
        setattr(module, f"snnk_{slot}s", hookimpl(lambda offered=offered: offered))
        getattr(module, f"snnk_{slot}s").__name__ = f"snnk_{slot}s"
    return module


class Entry:
    """An entry point as importlib.metadata gives it."""

    def __init__(
        self, dist: str, load: Any, version: str = "1.2", requires: tuple[str, ...] = ()
    ) -> None:
        self.name, self.value, self.module = dist, f"{dist}.plugin", dist.replace("-", "_")
        self.dist = types.SimpleNamespace(name=dist, version=version, requires=requires)
        self._load = load

    def load(self) -> Any:
        return self._load() if callable(self._load) else self._load


TOY = plugin(
    dataset=[Kind("Points", Points)],
    preprocessing=[Kind("Shift", Shift)],
    neuron=[Kind("Step", Step)],
    model=[Kind("Layered", Layered)],
    framework=[Kind("Toy", Toy)],
    postprocessing=[Kind("Count", Count), Kind("Double", Double)],
    deployer=[Kind("Mirror", Mirror)],
    report=[Kind("Page", Page)],
    augmentation=[Kind("Noise", Noise)],
    launcher=[Kind("Backwards", Backwards)],
    tracker=[Kind("Listen", Listen)],
)

EXPERIMENT = """
[bench]
name = "toy"
seed = 5
[learningframework]
kind = "Toy"
[dataset]
kind = "Points"
[[preprocessing]]
kind = "Shift"
params.by = 0.25
[model_template]
kind = "Layered"
epochs = 2
params.units = 3
[[model]]
name = "one"
params.neuron.kind = "Step"
[[postprocessing]]
kind = "Count"
[deploy]
target = "Mirror"
[experimenttracking]
kind = "Listen"
"""
