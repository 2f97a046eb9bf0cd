"""What snn-nir offers to the kernel."""

from collections.abc import Iterable, Mapping

from snn_kernel import Kind, hookimpl


@hookimpl
def snnk_deployers() -> Iterable[Kind]:
    """The deployer that writes a graph."""
    return [Kind("NIR", "snn_nir.deployer:NIR", needs=("nir", "h5py"))]


@hookimpl
def snnk_doctor() -> Mapping[str, str]:
    """The packages that graphs are made and stored with."""
    import h5py
    import nir

    return {"nir": f"{nir.version}, h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}"}
