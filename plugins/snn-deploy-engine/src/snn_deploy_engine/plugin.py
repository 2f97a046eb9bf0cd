"""What snn-deploy-engine offers to the kernel."""

from collections.abc import Iterable

from snn_deploy_engine.deployer import ZigEngine
from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_deployers() -> Iterable[Kind]:
    """The deployer that runs a network on this machine's CPU."""
    return [Kind("ZigEngine", ZigEngine, needs=("snn_engine",))]
