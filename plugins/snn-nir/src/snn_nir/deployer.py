"""The deployer `NIR`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from attrs.validators import gt, lt

if TYPE_CHECKING:
    from snn_kernel import Context, Deployed, Processed, Samples, Table
    from snn_kernel.network import Network

TARGET = "NIR"


@frozen
class NIR:
    """Write the network as a graph of NIR, the exchange format of neuromorphic simulators and chips
    (Pedersen et al., Nature Communications 15, 8122, 2024), and read it back.

    The document that is read must be the one that was written, weights bit for bit. Nothing is
    executed, so there is no accuracy of this target and no agreement; whose the graph is then, may
    compute other spikes where docs/nir.md says that NIR leaves something open. The table "nir" has
    the node of each layer, and what of it NIR cannot say.

    dt: seconds of a timestep, as which time constants are written (default 1e-4)
    """

    dt: float = field(default=1e-4, validator=[gt(0), lt(math.inf)])

    def check(self, plan: Any, place: str) -> Iterator[str]:
        """Every model must be one that NIR can express, as far as its settings tell."""
        done = list(getattr(plan, "postprocessings", ()))
        before = list(takewhile(lambda item: item.choice.place != place, done))
        framework = getattr(getattr(plan, "framework", None), "config", None)
        for model in plan.models:
            config, who = model.choice.config, f"model '{model.name}'"
            neuron = getattr(config, "neuron", None)
            if neuron is not None and not hasattr(neuron, "lower"):
                yield (
                    f"{who}: its neuron {type(neuron).__name__} has no lowered form, so it cannot "
                    "become a node of NIR (use IFNode, LIFNode, ATIF or another neuron with "
                    "lower(), or remove [deploy])"
                )
            if getattr(framework, "spiking", True) is False:
                yield f"{who} is formal: its rectifiers have no node in NIR"
            if any(_quantises(item.choice.config, model) for item in (model, *before)):
                yield f"{who} is quantised, and NIR has no number formats (deploy it before that)"
            yield from (f"{who}: {what}" for what in _unsaid(config, before))

    def deploy(self, processed: Processed, samples: Samples, context: Context) -> Deployed:
        """Write `<name>.nir` into the context's folder, and read it back.

        Raises RunError with everything that NIR cannot say of the network, or if what is read is
        not what was written.
        """
        from snn_kernel import Deployed, RunError
        from snn_nir.export import graph
        from snn_nir.graphfile import read, write
        from snn_nir.reading import network

        if processed.network is None:
            raise RunError(f"'{processed.name}' cannot become {TARGET}: {processed.obstacle}")
        path = context.folder / f"{processed.name}.nir"
        write(path, graph(processed.network, self.dt))
        if network(read(path, own=True), where=str(path)) != processed.network:
            raise RunError(f"{path}: what is read back is not the network that was written")
        if text := refused(path):
            context.warn(
                f"{path.name}: the check of types in nir.read refuses it; others read it with "
                f"type_check=False ({text})"
            )
        return Deployed(TARGET, {"nir": path}, tables=(_table(processed.network),))


def refused(path: Any) -> str:
    """Why the package's own check of types refuses a sound graph; empty if it does not.

    That of version 1.0.7 takes a convolution for ungrouped and its windows for square.
    """
    import nir

    try:
        nir.read(path)
    except ValueError as error:
        return str(error)
    return ""


def _unsaid(config: Any, before: Iterable[Any]) -> Iterator[str]:
    """Layers that the settings of a model ask for and NIR does not have."""
    sizes = getattr(config, "pool_sizes", 0)
    if any(size > 1 for size in (sizes if isinstance(sizes, tuple) else (sizes,))):
        yield "NIR has no max-pool (pool_sizes = 0, and strides in their place)"
    if getattr(config, "postpool", None) == "max":
        yield 'NIR has no max-pool (postpool = "avg")'
    fused = any(item.choice.kind == "FuseBatchNorm" for item in before)
    if getattr(config, "batch_norm", False) and not fused:
        yield "NIR has no batch normalisation (put a [[postprocessing]] FuseBatchNorm before)"


def _quantises(config: Any, model: Any) -> bool:
    return getattr(config, "params_of", lambda _: None)(model) is not None


def _table(network: Network) -> Table:
    from snn_kernel import Table
    from snn_nir.lost import rows

    columns = ("layer", "node", "shape", "beyond NIR")
    return Table("nir", columns, tuple(rows(network)), source=TARGET, brief=columns)
