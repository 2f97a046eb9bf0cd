"""The conformance kit: whether a plugin keeps what its hooks promise.

`check_neuron(TheClass)` and its siblings raise AssertionError with all that is wrong and what to do
about it; `pytest --snnk-conformance DISTRIBUTION` runs each check as a test, for every kind that
an installed distribution offers. A kind with required parameters names values for them in a class
variable `example: ClassVar[Mapping[str, Any]]`, or the check is given `params`. What works on
models of one framework only names both in `example_beside`, {"framework": {kind, params}, "model":
{kind, params}}, where params are laid over the example of that kind, or the check is given
`framework` and `model`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snn_kernel.testing.conformance import (
        check_augmentation,
        check_catalogue,
        check_dataset,
        check_deployer,
        check_framework,
        check_launcher,
        check_model,
        check_neuron,
        check_postprocessing,
        check_preprocessing,
        check_report,
        check_tracker,
    )

__all__ = [
    "check_augmentation",
    "check_catalogue",
    "check_dataset",
    "check_deployer",
    "check_framework",
    "check_launcher",
    "check_model",
    "check_neuron",
    "check_postprocessing",
    "check_preprocessing",
    "check_report",
    "check_tracker",
]


def __getattr__(name: str) -> Any:
    # pytest imports this package for its plugin in every run, also where nobody asked for it.
    if name in __all__:
        return getattr(import_module("snn_kernel.testing.conformance"), name)
    raise AttributeError(f"module 'snn_kernel.testing' has no attribute '{name}'")
