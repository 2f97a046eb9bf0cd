"""A torch.nn.Sequential as a network document, told by what its layers are, without torch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from attrs import frozen

from snn_kernel import Fault, RunError
from snn_kernel.network import Conv, Flatten, Layer, Linear, Network, NetworkError, Neuron, Pool

# What does nothing but while a network is trained.
NOTHING = {"Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d"}


@frozen
class Firing:
    """How the spiking layers of a network fire on events, which all of them must do alike: no
    potential falls below `floor` (None: unbounded), at most one spike per event if `single`."""

    floor: float | None = None
    single: bool = False


@frozen
class Lowered:
    """A network as a document, and how it fires."""

    network: Network
    firing: Firing


def lower(model: Any, input_shape: tuple[int, int, int]) -> Lowered:
    """The document of a torch.nn.Sequential, nested or not, that takes [C, H, W].

    Conv2d, Linear, AvgPool2d, sum pooling (LPPool2d of norm 1, as sinabs has it) and Flatten;
    each Conv2d and Linear is followed by integrate-and-fire neurons: SpikingJelly's IFNode (no
    floor, one spike at most), or whatever has sinabs' `spike_threshold` and `min_v` and no leak.
    Layers are called as in the model, "0" or "body.3". Weights become float32.

    Raises RunError, with every layer that cannot be taken: none is left out.
    """
    layers: list[Layer] = []
    firings: dict[str, Firing] = {}
    neurons: dict[int, str] = {}
    faults: list[Fault] = []
    for name, module in _leaves(model, ""):
        try:
            made = _layer(name, module)
        except RunError as error:
            faults += error.faults
            continue
        if isinstance(made, Neuron):
            if (other := neurons.setdefault(id(module), name)) != name:
                what = f"is the same object as layer '{other}': they would share potentials"
                faults.append(Fault(f"layer '{name}'", what, "", "give each place its own"))
            firings[name] = _firing(module)
        layers += [made] if made is not None else []
    faults = faults or list(_misplaced(layers, firings))
    if faults:
        raise RunError(*faults)
    names = ("input", *(layer.name for layer in layers))
    edges = tuple(itertools.pairwise(names))
    try:
        network = Network(tuple(layers), edges, tuple(input_shape), 1)
    except NetworkError as error:
        raise RunError(Fault(f"input_shape {tuple(input_shape)}", str(error))) from None
    return Lowered(network, next(iter(firings.values())))


def _leaves(model: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Name and module of every layer, in order."""
    if "Sequential" not in _classes(model):
        yield path or "0", model
        return
    for name, child in model._modules.items():  # named_children tells of each module only once
        yield from _leaves(child, f"{path}.{name}" if path else name)


def _classes(module: Any) -> set[str]:
    """The names of the classes that it is of, as torch and spiking libraries call them."""
    return {kind.__name__ for kind in type(module).__mro__}


def _layer(name: str, module: Any) -> Layer | None:
    """The layer of the document, None for what does nothing; RunError for what there is not."""
    classes = _classes(module)
    for known, make in _KNOWN.items():
        if known in classes:
            return make(name, module)
    if hasattr(module, "spike_threshold") and hasattr(module, "min_v"):
        return _iaf(name, module)
    if classes & NOTHING:
        return None
    hint = "supported: Conv2d, Linear, AvgPool2d, SumPool2d, Flatten, IFNode, IAF"
    if "ReLU" in classes:
        hint = "a spiking layer must follow Conv2d and Linear; from_model puts it in place of ReLU"
    if "LIFNode" in classes:
        hint = "neurons with a leak are not taken, only IFNode and IAF"
    raise _refused(name, module, "is not supported", hint)


def _refused(name: str, module: Any, what: str, hint: str = "") -> RunError:
    return RunError(Fault(f"layer '{name}' ({type(module).__name__})", what, "", hint))


def _floats(tensor: Any) -> Any:
    return None if tensor is None else tensor.detach().cpu().numpy().astype(np.float32)


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    first, second = value
    return int(first), int(second)


def _expect(name: str, module: Any, **expected: Any) -> None:
    """RunError where an option of a layer is another one than is executed."""
    for option, only in expected.items():
        found = getattr(module, option, only)
        same = _pair(found) == only if isinstance(only, tuple) else found == only
        if not same:
            raise _refused(name, module, f"{option} is {found}", f"supported: {only}")


def _conv(name: str, module: Any) -> Layer:
    _expect(name, module, dilation=(1, 1), padding_mode="zeros", transposed=False)
    padding: Any = (0, 0) if module.padding == "valid" else module.padding
    if isinstance(padding, str):
        raise _refused(name, module, f"padding is '{padding}'", "supported: numbers")
    weight, bias = _floats(module.weight), _floats(module.bias)
    return Conv(name, weight, bias, _pair(module.stride), _pair(padding), module.groups)


def _linear(name: str, module: Any) -> Layer:
    return Linear(name, _floats(module.weight), _floats(module.bias))


def _avg(name: str, module: Any) -> Layer:
    _expect(name, module, padding=(0, 0), ceil_mode=False, divisor_override=None)
    return _pool(name, module, "avg")


def _sum(name: str, module: Any) -> Layer:
    _expect(name, module, norm_type=1, ceil_mode=False)
    return _pool(name, module, "sum")


def _pool(name: str, module: Any, how: Any) -> Layer:
    size = _pair(module.kernel_size)
    stride = size if module.stride is None else _pair(module.stride)
    if stride != size:
        raise _refused(name, module, f"stride {stride} is not its kernel size {size}")
    return Pool(name, how, size, stride, (0, 0))


def _flatten(name: str, module: Any) -> Layer:
    _expect(name, module, start_dim=1, end_dim=-1)
    return Flatten(name)


def _if(name: str, module: Any) -> Layer:
    reset = module.v_reset
    return Neuron(
        name,
        float(module.v_threshold),
        reset="subtract" if reset is None else "value",
        value=float(reset or 0),
        start=float(reset or 0),
    )


def _iaf(name: str, module: Any) -> Layer:
    """sinabs' IAF and IAFSqueeze, and whatever looks like them."""
    tau = getattr(module, "tau_mem", None)
    if tau is not None and not math.isinf(float(tau)):
        raise _refused(name, module, "has a leak", "only IFNode and IAF are supported")
    reset = getattr(module, "reset_fn", None)
    return Neuron(
        name,
        float(module.spike_threshold),
        reset="value" if type(reset).__name__ == "MembraneReset" else "subtract",
    )


_KNOWN: Mapping[str, Callable[[str, Any], Layer]] = {
    "Conv2d": _conv,
    "Linear": _linear,
    "AvgPool2d": _avg,
    "LPPool2d": _sum,
    "Flatten": _flatten,
    "IFNode": _if,
}


def _firing(module: Any) -> Firing:
    if hasattr(module, "v_threshold"):
        return Firing(None, single=True)
    function = getattr(module, "spike_fn", None)
    single = "SingleSpike" in (getattr(function, "__name__", ""), type(function).__name__)
    return Firing(None if module.min_v is None else float(module.min_v), single)


def _misplaced(layers: list[Layer], firings: Mapping[str, Firing]) -> Iterator[Fault]:
    """What cannot stand where it stands."""
    last: Layer | None = None
    for layer in layers:
        if isinstance(last, Conv | Linear) and not isinstance(layer, Neuron):
            yield Fault(f"layer '{last.name}'", "is not followed by a spiking layer")
        if isinstance(layer, Neuron) and not isinstance(last, Conv | Linear):
            yield Fault(
                f"layer '{layer.name}'", "is a spiking layer, and behind no Conv2d or Linear"
            )
        last = layer
    if not isinstance(last, Neuron):
        where = f"layer '{last.name}'" if last else "the network"
        hint = "from_model(…, add_spiking_output=True) adds one"
        yield Fault(where, "does not end in a spiking layer", "", hint)
    if len(set(firings.values())) > 1:
        told = ", ".join(f"'{name}': {firing}" for name, firing in firings.items())
        what = "have different floors or numbers of spikes per event"
        yield Fault("spiking layers", what, "", told)
