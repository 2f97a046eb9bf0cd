import subprocess
import sys

import pytest

from snn_kernel import ConfigError
from snn_kernel.config import configure
from snn_kernel.registry import Registry


@pytest.mark.parametrize("name", ["NMNIST", "DVSGesture", "SHD", "SSC"])
def test_the_kinds_are_found_by_their_entry_point(name):
    offer = Registry.discover().find("dataset", name)
    assert offer.plugin == "snn-datasets-events"
    assert Registry.discover().obstacle(offer) == ""
    fields = [a.alias for a in offer.kind.config.__attrs_attrs__]
    assert all(f"\n    {field}:" in offer.kind.config.__doc__ for field in fields)


def test_the_plugin_is_light():
    heavy = "('h5py', 'scipy', 'torch', 'pandas')"
    code = (
        "import sys, snn_datasets_events.plugin as p; [k.config for k in p.snnk_datasets()];"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_params_are_checked_and_told_all_at_once():
    with pytest.raises(ConfigError) as caught:
        configure("dataset", "DVSGesture", {"path": 3, "classes": 12, "pth": ""})
    assert len(caught.value.faults) == 3
    assert "did you mean 'path'?" in str(caught.value)
