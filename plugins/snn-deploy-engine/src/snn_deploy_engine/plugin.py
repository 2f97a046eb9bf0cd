"""What snn-deploy-engine offers to the kernel."""

from collections.abc import Iterable, Mapping

from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_deployers() -> Iterable[Kind]:
    """The deployers that run a network on this machine's CPU."""
    names, room = ("ZigEngine", "Specksim"), "snn_deploy_engine.deployer"
    return [Kind(name, f"{room}:{name}", needs=("snn_engine",)) for name in names]


@hookimpl
def snnk_postprocessings() -> Iterable[Kind]:
    """The postprocessing that counts events in the engine."""
    return [Kind("EventCounter", "snn_deploy_engine.counter:EventCounter", needs=("snn_engine",))]


@hookimpl
def snnk_doctor() -> Mapping[str, str]:
    """The engine, and for which level of processor its kernels are chosen here."""
    import numpy as np

    import snn_engine
    from snn_engine.library import ABI_VERSION
    from snn_kernel.network import INPUT, Linear, Network

    layer = Linear("readout", np.ones((1, 1), np.float32), None)
    engine = snn_engine.Engine.load(Network((layer,), ((INPUT, "readout"),), (1,), 1))
    about = f"{snn_engine.__version__}, ABI {ABI_VERSION}, kernels for {engine.cpu}"
    return {"engine": about}
