"""What snn-deploy-engine offers to the kernel."""

from collections.abc import Iterable

from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_deployers() -> Iterable[Kind]:
    """The deployer that runs a network on this machine's CPU."""
    return [Kind("ZigEngine", "snn_deploy_engine.deployer:ZigEngine", needs=("snn_engine",))]


@hookimpl
def snnk_postprocessings() -> Iterable[Kind]:
    """The postprocessing that counts events in the engine."""
    return [Kind("EventCounter", "snn_deploy_engine.counter:EventCounter", needs=("snn_engine",))]
