"""A network as generated C on disk, and the bytes that a program built of it reads and writes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from snn_codegen.assembly import Assembly
from snn_codegen.convolution import Variant
from snn_codegen.element import DTYPES, length
from snn_codegen.writer import Writer, identifier
from snn_kernel.network import Network

if TYPE_CHECKING:
    from snn_kernel import Activity, Prediction


@frozen(eq=False)
class Sources:
    """A network as C: `name` is its identifier; `folder` has <name>.h and <name>.c when written."""

    name: str
    folder: Path
    writer: Writer

    @classmethod
    def of(
        cls,
        network: Network,
        name: str,
        folder: Path,
        activity: Iterable[Activity] = (),
        convolution: Variant = "auto",
        traced: bool = False,
        lanes: bool = False,
    ) -> Sources:
        """Generated for a network whose `activity` was measured; NetworkError where C has no
        kernel for a layer, or an integer is too small for it."""
        rates = {a.layer: a.input_rate for a in activity}
        made = identifier(name)
        writer = Writer(Assembly.of(network, rates, convolution, lanes), made, traced)
        return cls(made, folder, writer)

    @property
    def network(self) -> Network:
        """The document that it is made of."""
        return self.writer.assembly.network

    @property
    def header(self) -> Path:
        """The interface."""
        return self.folder / f"{self.name}.h"

    @property
    def source(self) -> Path:
        """Everything else."""
        return self.folder / f"{self.name}.c"

    @property
    def files(self) -> dict[str, Path]:
        """What it consists of, by the names that reports use."""
        return {"c_header": self.header, "c_source": self.source}

    @property
    def flags(self) -> tuple[str, ...]:
        """What a program that serves every network is compiled with."""
        return ("-DSNN_GENERIC", f'-DSNN_HEADER="{self.name}.h"', f"-I{self.folder}")

    @property
    def trace_flag(self) -> str:
        """With it, the program supplies snn_trace."""
        return f"-D{self.name.upper()}_TRACE"

    def write(self) -> Sources:
        """On disk, each file whole or not at all."""
        from snn_kernel import write_atomic

        write_atomic(self.header, self.writer.header())
        write_atomic(self.source, self.writer.source())
        return self

    def frames(self, x: NDArray[np.float32]) -> bytes:
        """Samples [N, C, …] or [N, T, C, …] as a program reads them: input_t, little-endian."""
        layout, element = self.network.input_format, self.writer.assembly.input.element
        shown: NDArray[Any] = x
        if self.network.quantised:
            assert layout is not None
            shown = layout.quantise(x)
        elif layout is not None:
            shown = layout.apply(x)
        return np.ascontiguousarray(shown, DTYPES[element]).tobytes()

    def prediction(self, written: bytes, samples: int, traced: bool) -> Prediction:
        """What a program wrote of so many samples; ValueError if it did not."""
        from snn_kernel import Prediction

        record = self.record(traced)
        if len(written) != samples * record.itemsize:
            raise ValueError(f"{len(written)} bytes, not {samples} records of {record.itemsize}")
        records = np.frombuffer(written, record)
        spikes, neurons = {}, {}
        for index, layer in enumerate(self.network.layers):
            if traced and self.writer.spiking(index):
                spikes[layer.name] = self._spikes(index, records["spikes"][f"{index}"])
                neurons[layer.name] = self.writer.assembly.outputs[index].count
        return Prediction(self._logits(records["logits"]), spikes, neurons)

    def record(self, traced: bool) -> np.dtype[Any]:
        """What a program writes of one sample."""
        assembly, network = self.writer.assembly, self.network
        logits = ("logits", DTYPES[assembly.logits], (assembly.outputs[-1].count,))
        words = [
            (f"{i}", DTYPES["bits"], (length("bits", made.count),))
            for i, made in enumerate(assembly.outputs)
            if self.writer.spiking(i)
        ]
        return np.dtype([("spikes", words, (network.timesteps,)), logits] if traced else [logits])

    def _spikes(self, index: int, words: NDArray[Any]) -> NDArray[np.uint8]:
        """Bits as the kernel packs them, [N, T, bytes], along the neurons channels first. Spikes
        whose value a format has rounded to 0 are none, as for everybody else."""
        made = self.writer.assembly.outputs[index]
        channels, height, width = made.shape
        bytes_ = np.ascontiguousarray(words).view(np.uint8)
        bits = np.unpackbits(bytes_, axis=2, count=made.count, bitorder="little")
        if made.last and not made.flat:
            bits = bits.reshape(*bits.shape[:2], height * width, channels).swapaxes(2, 3)
            bits = bits.reshape(*bits.shape[:2], -1)
        return np.packbits(bits * np.uint8(made.value != 0), axis=2)

    def _logits(self, sums: NDArray[Any]) -> NDArray[np.float32]:
        """Their mean over the timesteps: of integers divided in float64 and rounded once."""
        steps = self.network.timesteps
        if self.network.quantised:
            fraction = self.writer.assembly.outputs[-1].fraction
            return (np.ldexp(sums.astype(np.float64), -fraction) / steps).astype(np.float32)
        return (sums / np.float32(steps)).astype(np.float32)


def fit(network: Network, x: NDArray[Any]) -> str:
    """What is wrong with samples [N, …] channels last for a network; empty if nothing is."""
    timed = (network.timesteps,) if network.mode == "sequence" else ()
    expected = (*timed, *network.input_shape[1:], network.input_shape[0])
    if x.shape[1:] != expected:
        return f"test samples are {x.shape[1:]}, the network takes {expected}"
    return "" if len(x) else "there are no test samples to run"


def widths(network: Network) -> str:
    """What documented files call the arithmetic of a network: float32, or its weights' width."""
    if not network.quantised:
        return "float32"
    bits = [f.bits for layer in network.layers if (f := getattr(layer, "weight_format", None))]
    return arithmetic(max(bits, default=8))


def arithmetic(bits: int) -> str:
    """int8, int16 or int32: what weights of so many bits are kept in."""
    return next(f"int{width}" for width in (8, 16, 32) if bits <= width)
