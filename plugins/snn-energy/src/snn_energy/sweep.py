"""Where does the spiking network win? Energy over spike rate × timesteps × bit width.

    python -m snn_energy.sweep NETWORK [--rates 0.01,0.1] [--timesteps 1,4] [--bits 8,32]
        [--fifo-size 64] [--sram old|new] [--ops saturation] [--csv PATH] [--svg PATH]

NETWORK is the network document of a run (<model>.network). Its layers are kept, its activity is
replaced: every tensor of spikes has the same rate. Each point is compared with the formal twin.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, get_args

from snn_energy.elementary import ESTIMATIONS, Costs, Sram
from snn_energy.metric import EnergyEstimationMetric, OperationEstimation
from snn_energy.points import Point, Sweep
from snn_kernel import DataError, Fault, SnnkError, write_atomic
from snn_kernel.network import Conv, Linear, Network, NetworkError, Neuron

T = TypeVar("T", int, float)
RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
TIMESTEPS = (1, 2, 4, 8, 16)
BITS = (8, 32)
COLUMNS = ("rate", "timesteps", "bits", "spiking_nj", "formal_nj", "ratio")


def read(path: Path) -> Network:
    """The document in `path`; DataError where there is none, or no neuron is in it."""
    try:
        network = Network.unpack(path.read_bytes())
    except OSError as error:
        raise DataError(Fault(str(path), f"cannot be read: {error.strerror}")) from None
    except NetworkError as error:
        raise DataError(Fault(str(path), str(error))) from None
    if not network.only(Neuron):
        what = "is a formal network: it has no neurons, so there is no rate to sweep over"
        raise DataError(Fault(str(path), what))
    if not network.only(Conv) and not network.only(Linear):
        raise DataError(Fault(str(path), "has no weights, so its formal twin costs nothing"))
    return network


def points(
    sweep: Sweep, costs: Sequence[Costs], rates: Sequence[float], timesteps: Sequence[int]
) -> tuple[Point, ...]:
    """Every combination, widths outermost."""
    return tuple(sweep.at(r, t, c) for c in costs for t in timesteps for r in rates)


def csv(found: Sequence[Point]) -> str:
    """Columns COLUMNS, energies in nJ per inference."""
    rows = (",".join(str(getattr(point, c)) for c in COLUMNS) for point in found)
    return "\n".join([",".join(COLUMNS), *rows, ""])


def screen(sweep: Sweep, costs: Costs, found: Sequence[Point]) -> str:
    """For one width: ratios, a row per rate, a column per number of timesteps."""
    mine = [p for p in found if p.bits == costs.bits]
    steps, rates = (sorted({getattr(p, n) for p in mine}) for n in ("timesteps", "rate"))
    cell = {(p.rate, p.timesteps): p.ratio for p in mine}
    lines = [
        f"{costs.bits} bits: spiking / formal ({mine[0].formal_nj:.4g} nJ); below 1 spiking wins",
        "rate".rjust(8) + "".join(f"T = {t}".rjust(9) for t in steps),
        *(f"{r:8.4g}" + "".join(f"{cell[r, t]:9.3g}" for t in steps) for r in rates),
        "wins to ".rjust(8) + "".join(_bound(sweep.threshold(t, costs)) for t in steps),
    ]
    return "\n".join(lines)


def _bound(rate: float) -> str:
    return ("never" if rate <= 0 else "any rate" if rate >= 1 else f"{rate:.3g}").rjust(9)


def _several(kind: type[T], low: T, high: T) -> Callable[[str], tuple[T, ...]]:
    """A reader of numbers between commas, each once, from `low` to `high`."""

    def read(text: str) -> tuple[T, ...]:
        try:
            values = sorted({kind(part) for part in text.split(",")})
        except ValueError:
            what = f"numbers between commas, not '{text}'"
            raise argparse.ArgumentTypeError(what) from None
        if not low <= values[0] <= values[-1] <= high:
            raise argparse.ArgumentTypeError(f"from {low} to {high}, not '{text}'")
        return tuple(values)

    return read


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser("python -m snn_energy.sweep", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.add_argument("network", type=Path, help="a network document")
    made.add_argument("--rates", type=_several(float, 0.0, 1.0), default=RATES)
    made.add_argument("--timesteps", type=_several(int, 1, 1 << 20), default=TIMESTEPS)
    made.add_argument("--bits", type=_several(int, 1, 64), default=BITS)
    made.add_argument("--fifo-size", type=int, default=64)
    made.add_argument("--sram", choices=get_args(Sram), default="old")
    made.add_argument("--ops", choices=list(ESTIMATIONS), default="saturation")
    made.add_argument("--csv", type=Path, help="where to write every point")
    made.add_argument("--svg", type=Path, help="where to draw them")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, or 1 with what is wrong."""
    given = parser().parse_args(arguments)
    try:
        kinds = OperationEstimation(given.ops, given.ops)
        fifo = given.fifo_size
        metrics = [EnergyEstimationMetric(b, fifo, True, kinds, given.sram) for b in given.bits]
        sweep, costs = Sweep(read(given.network), fifo), [metric.costs for metric in metrics]
        found = points(sweep, costs, given.rates, given.timesteps)
        print("\n\n".join(screen(sweep, each, found) for each in costs))
        if given.csv:
            write_atomic(given.csv, csv(found))
        if given.svg:
            from snn_energy.chart import chart

            write_atomic(given.svg, chart(found, given.network.name))
    except (SnnkError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename}: cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
