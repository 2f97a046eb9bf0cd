"""What snn-neurons-atif offers to snn-kernel."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_neurons() -> Iterable[Kind]:
    """The neuron that learns its threshold; `step` needs nothing but numpy."""
    return [Kind("ATIF", "snn_neurons_atif.adaptive_threshold:ATIF")]
