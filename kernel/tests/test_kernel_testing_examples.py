"""What kinds say they are to be checked with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from attrs import frozen

from snn_kernel import Kind, testing
from snn_kernel.testing.plain import PlainFramework, PlainPerceptron
from snn_kernel.testing.subject import Subject
from toys import Entry, plugin

pytestmark = pytest.mark.usefixtures("cheap")


class Paired(PlainFramework):
    """A framework that says which model it can be checked with."""

    example_beside: ClassVar[Any] = {"model": {"kind": "Perceptron", "params": {"units": 5}}}


@frozen(kw_only=True)
class Sized(PlainPerceptron):
    """A model that must be told how large it is, and of how many timesteps."""

    example: ClassVar[Any] = {"units": 5, "timesteps": 1}

    units: int
    timesteps: int


class Exemplary(PlainFramework):
    """One whose model has parameters of its own example."""

    example_beside: ClassVar[Any] = {"model": {"kind": "Sized", "params": {"timesteps": 3}}}


def test_kinds_name_what_they_are_checked_with(install: Any, tmp_path: Path) -> None:
    models = [Kind("Perceptron", PlainPerceptron), Kind("Sized", Sized)]
    install(Entry("plain", plugin(model=models)))
    testing.check_framework(frozen(Paired))
    testing.check_framework(frozen(Exemplary))
    model = Subject.of("framework", frozen(Exemplary), None, tmp_path).given["model"]
    assert (model.units, model.timesteps) == (5, 3)
    install()
    with pytest.raises(AssertionError, match=r"example_beside of Paired: .*Name installed kinds\."):
        testing.check_framework(frozen(Paired))
