"""CCode: a network as C99 sources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen
from attrs.validators import in_, optional

if TYPE_CHECKING:
    from snn_codegen.sources import Sources
    from snn_kernel import Context, Measure, Outcome, Processed, Session, Splits
    from snn_kernel.network import Network

Quantize = Literal["float32", "int8", "int16"]
QUANTIZE = ("float32", "int8", "int16")
LONG = (32, 64)


def _metrics(_: Any, __: Any, value: tuple[str, ...]) -> None:
    if unknown := [name for name in value if name != "acc"]:
        raise ValueError(f"metrics may be 'acc', which is always told, not {unknown}")


@frozen(kw_only=True)
class CCode:
    """Writes the network as C99: <name>.h, <name>.c, nothing else needed, nothing allocated.

    What the C code computes is what the framework computes with the network's document, bit for
    bit: integers by the fixed-point law, or floats on a grid on which no sum rounds. Its measures
    are the bytes of constants ("rom") and of the state that the caller owns ("ram").

    quantize: "float32", "int8" or "int16", which the network must be; models are quantised by
        QuantizationAwareTraining (epochs = 0: after training) or as Quantized… (default: what it
        is).
    long_width: bits of the widest integers, 32 or 64; a network that needs more is refused
        (default: as many as its sums need).
    outdir: a folder in which each model gets one, <name>_r<run>, for its sources (default: the
        run's own, which has them).
    metrics: ["acc"], as documented files have it; accuracy is told whenever the code is run.
    model_name: what the functions' names begin with (default: the name of
        its [[model]]).
    dump_featuremaps: build in the hook that is called after each layer with what it put out; any
        build can have it with -D<NAME>_TRACE (default false).
    timestep_mode: "duplicate" shows one input at every timestep, "iterate" needs timesteps in the
        data (default: what the framework does).
    convolution: the kernels of convolutions and linear layers, "dense", "gather" or "scatter";
        "auto" chooses for each by the rate of its spikes; no result depends on it (default
        "auto").
    lanes: add the weights of two filters at once wherever sums have 16 bits, which needs about half
        of the instructions and twice the ROM of 8-bit weights; no result depends on it (default:
        true where the target is a microcontroller).
    """

    quantize: Quantize | None = field(default=None, validator=optional(in_(QUANTIZE)))
    long_width: int | None = field(default=None, validator=optional(in_(LONG)))
    outdir: str | None = None
    metrics: tuple[str, ...] = field(default=("acc",), validator=_metrics)
    model_name: str | None = None
    dump_featuremaps: bool = False
    timestep_mode: Literal["duplicate", "iterate"] | None = None
    convolution: Literal["auto", "dense", "gather", "scatter"] = "auto"
    lanes: bool | None = None

    def check(self, plan: Any, place: str) -> Iterator[str]:
        """What of a plan cannot be C, or contradicts the keys."""
        from snn_codegen import planned

        allowed = (self.quantize,) if self.quantize else ()
        yield from planned.faults(plan, place, allowed)
        yield from planned.shown(plan, self.timestep_mode)

    def apply(
        self, processed: Processed, splits: Splits, session: Session, context: Context
    ) -> Outcome:
        """Write the sources. RunError if there is no document, or C cannot compute it."""
        from snn_kernel import Outcome

        made = self.sources(processed, context).write()
        return Outcome(tuple(sizes(made, "CCode")))

    def sources(self, processed: Processed, context: Context, lanes: bool = False) -> Sources:
        """The network of `processed` as C, not yet on disk; `lanes` is what the target prefers."""
        from snn_codegen.sources import Sources, widths
        from snn_kernel import NetworkError, RunError

        network, name = processed.network, processed.name
        if network is None:
            raise RunError(f"'{name}' cannot become C: {processed.obstacle}")
        if self.quantize and widths(network) != self.quantize:
            raise RunError(f"'{name}' is {widths(network)}, and quantize asks for {self.quantize}")
        self._narrow(network, name)
        own = context.folder if self.outdir is None else Path(self.outdir, context.folder.name)
        folder = own / f"{name}_c"
        lanes = lanes if self.lanes is None else self.lanes
        more = (processed.activity, self.convolution, self.dump_featuremaps, lanes)
        stem = self.model_name or str(getattr(processed.section, "name", name))
        try:
            return Sources.of(network, stem, folder, *more)
        except NetworkError as error:
            raise RunError(f"'{name}' cannot become C: {error}") from None

    def _narrow(self, network: Network, name: str) -> None:
        from snn_kernel import RunError

        if self.long_width is None or not network.quantised:
            return
        most, layer = max((bound.sum, layer) for layer, bound in network.bounds.items())
        if most >= 1 << (self.long_width - 1):
            raise RunError(
                f"'{name}': sums of layer '{layer}' reach {most}, which long_width = "
                f"{self.long_width} cannot hold (leave it out, or quantise to fewer bits)"
            )


def sizes(sources: Sources, source: str) -> Iterator[Measure]:
    """Bytes of constants and of the state, as the generated macros state them."""
    from snn_kernel import Measure

    memory = sources.writer.memory
    yield Measure("rom", memory.rom_bytes, "B", "counted", "run", source)
    yield Measure("ram", memory.state_bytes, "B", "counted", "run", source)
