import subprocess
import sys

import pytest

from snn_kernel.registry import Registry


@pytest.mark.parametrize(
    "name", ["Class2BinMatrix", "Normalize", "DatasetSplitter", "CopySet", "Reshape2DTo1D"]
)
def test_the_kinds_are_found_by_their_entry_point(name):
    offer = Registry.discover().find("preprocessing", name)
    assert offer.plugin == "snn-preprocessing"
    fields = [a.alias for a in offer.kind.config.__attrs_attrs__]
    assert all(f"\n    {field}:" in offer.kind.config.__doc__ for field in fields)


def test_the_plugin_is_light():
    heavy = "('torch', 'sklearn', 'scipy')"
    code = (
        "import sys, snn_preprocessing.plugin as p; [k.config for k in p.snnk_preprocessings()];"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
