"""What all targets have in common: generate, build, run the test set, decode, measure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from attrs import field, frozen
from attrs.validators import deep_iterable, in_, min_len

from snn_codegen import planned
from snn_codegen.ccode import QUANTIZE, CCode, Quantize, sizes
from snn_kernel import chosen

if TYPE_CHECKING:
    from snn_codegen.sources import Sources
    from snn_kernel import Context, Deployed, Measure, Prediction, Processed, Samples, Table

CHUNK = 16 << 20  # bytes of frames that one process is given at most


@frozen
class Executable:
    """A network as a program for a target, and what its build measured."""

    path: Path
    measures: tuple[Measure, ...] = ()


@frozen
class Answer:
    """What a program wrote of some samples, and the seconds that the network took of it, where the
    target has a clock that says something."""

    written: bytes
    seconds: float | None = None


def _generates(_: Any, __: Any, converter: object) -> None:
    if not isinstance(converter, CCode):
        what = f"converter is of kind '{type(converter).__name__}', which generates no C"
        raise ValueError(f"{what} (QualiaCodeGen and CCode do)")


def _only(value: Any, why: str) -> Any:
    """A field of documented files that has one value here."""

    def validate(_: Any, attribute: Any, given: tuple[Any, ...]) -> None:
        if unknown := [v for v in given if v != value]:
            raise ValueError(f"{attribute.name} may be [{value!r}], not {unknown}: {why}")

    return field(default=(value,), validator=validate)


@frozen(kw_only=True)
class Deployment:
    """Generated C for a target, with the keys that all of them have."""

    target: ClassVar[str]  # what its measures have as their source
    traced: ClassVar[bool] = True  # whether its programs write spikes
    lanes: ClassVar[bool] = False  # whether adding two 16-bit numbers at once is worth it there

    converter: CCode = chosen("postprocessing", factory=CCode, validator=_generates)
    quantize: tuple[Quantize, ...] = field(
        default=QUANTIZE, validator=[min_len(1), deep_iterable(in_(QUANTIZE))]
    )
    optimize: tuple[str, ...] = _only("", "kernels are chosen for each layer anyway")
    compress: tuple[int, ...] = _only(1, "there is no compression of weights")

    def check(self, plan: Any, place: str) -> Iterator[str]:
        """What of a plan cannot be C, or contradicts the keys."""
        own = self.converter.quantize
        if own and own not in self.quantize:
            yield f"the converter's quantize is '{own}', but quantize is {list(self.quantize)}"
        yield from planned.faults(plan, place, (own,) if own else self.quantize)
        yield from planned.shown(plan, self.converter.timestep_mode)


@frozen(kw_only=True)
class Execution(Deployment, ABC):
    """Generated C built for a target, run on the test set, and compared by the kernel with torch.

    A target is a deployer kind that inherits this and says how to `build` and to `run`. Its
    programs read frames (input_t, little-endian, SNN_FRAMES of them for each sample) until they
    end, and write for each sample, at each timestep, what snn_trace is given of layers with
    SNN_SPIKES(layer), if they are `traced`, and after the last timestep the logits (logit_t).
    """

    @abstractmethod
    def build(self, sources: Sources, folder: Path) -> Executable:
        """The program, in `folder`; RunError with what the compiler says."""

    @abstractmethod
    def run(self, executable: Executable, frames: bytes, samples: int) -> Answer:
        """What the program makes of `samples` samples; RunError if it fails or hangs."""

    def counted(self, executable: Executable) -> tuple[tuple[Measure, ...], tuple[Table, ...]]:
        """What only runs of it have shown; most targets count nothing."""
        return (), ()

    def deploy(self, processed: Processed, samples: Samples, context: Context) -> Deployed:
        """Write and build the sources, run all samples, measure.

        Raises RunError if the network cannot become C, the build fails or the program does,
        DataError if the samples do not fit it.
        """
        from snn_codegen.sources import fit
        from snn_kernel import DataError, Deployed

        sources = self.converter.sources(processed, context, self.lanes)
        x = samples.channels_first()
        if fault := fit(sources.network, samples.x):
            raise DataError(fault)
        executable = self.build(sources.write(), sources.folder)
        prediction, seconds = self._predict(executable, sources, x, context)
        files = {**sources.files, "program": executable.path}
        counted, tables = self.counted(executable)
        own = (*executable.measures, *counted)
        told = self._measures(own, sources, prediction.accuracy(samples.y))
        if seconds is not None:
            told = (*told, _time(seconds / len(x), self.target))
        return Deployed(self.target, files, prediction, told, tables)

    def _predict(
        self, executable: Executable, sources: Sources, x: Any, context: Context
    ) -> tuple[Prediction, float | None]:
        """What the program makes of all samples, chunk by chunk."""
        from snn_kernel import RunError

        size = max(1, CHUNK // len(sources.frames(x[:1])))
        made, seconds = [], []
        for start in range(0, len(x), size):
            part = x[start : start + size]
            answer = self.run(executable, sources.frames(part), len(part))
            try:
                made.append(sources.prediction(answer.written, len(part), self.traced))
            except ValueError as error:
                raise RunError(f"the program for {self.target} wrote {error}") from None
            seconds.append(answer.seconds)
            context.progress("deploy", min(start + size, len(x)), len(x), {})
        clocked = [s for s in seconds if s is not None]
        return _joined(made), sum(clocked) if clocked else None

    def _measures(
        self, own: tuple[Measure, ...], sources: Sources, accuracy: float
    ) -> tuple[Measure, ...]:
        from snn_kernel import Measure

        told = Measure("accuracy", accuracy, "", "counted", "run", self.target)
        known = {m.name for m in own}
        more = (m for m in sizes(sources, self.target) if m.name not in known)
        return (told, *more, *own)


def _time(seconds: float, target: str) -> Measure:
    from snn_kernel import Measure

    return Measure("inference_time", 1e3 * seconds, "ms", "measured", "sample", target)


def _joined(parts: list[Prediction]) -> Prediction:
    from snn_kernel import Prediction

    spikes = {name: np.concatenate([p.spikes[name] for p in parts]) for name in parts[0].spikes}
    return Prediction(np.concatenate([p.logits for p in parts]), spikes, parts[0].neurons)
