import subprocess
import sys

import pytest

from snn_kernel.registry import Registry

KINDS = [
    "IntegrateEventsByFixedDuration",
    "IntegrateEventsByFixedFramesNumber",
    "Group2TimeStepsBySample",
    "Split2TimeSteps",
]


@pytest.mark.parametrize("name", KINDS)
def test_the_kinds_are_found_by_their_entry_point(name):
    offer = Registry.discover().find("preprocessing", name)
    assert offer.plugin == "snn-preprocessing-events"
    fields = [a.alias for a in offer.kind.config.__attrs_attrs__]
    assert fields
    assert all(f"\n    {field}:" in offer.kind.config.__doc__ for field in fields)


def test_the_plugin_is_light():
    code = (
        "import sys, snn_preprocessing_events.plugin as p;"
        "[k.config for k in p.snnk_preprocessings()]; print(sorted(sys.modules))"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert "'numpy'" in loaded
    assert not [m for m in ("torch", "spikingjelly", "scipy", "sklearn") if f"'{m}'" in loaded]
