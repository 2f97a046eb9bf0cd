"""What snn-neurons-lif offers to snn-kernel."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_neurons() -> Iterable[Kind]:
    """The integrate-and-fire neuron and its leaky form; `step` needs nothing but numpy."""
    return [
        Kind("IFNode", "snn_neurons_lif.integrate_and_fire:IFNode"),
        Kind("LIFNode", "snn_neurons_lif.integrate_and_fire:LIFNode"),
    ]
