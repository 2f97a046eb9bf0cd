"""Checks that the models share: of numbers, of lists, of the plan and of the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from attrs import fields_dict

from snn_kernel import ConfigError, Fault, Shapes


def least(low: int) -> Any:
    """A validator: every number is at least `low`."""

    def check(_: Any, attribute: Any, value: int | tuple[int, ...]) -> None:
        numbers = value if isinstance(value, tuple) else (value,)
        if wrong := [n for n in numbers if n < low]:
            raise ValueError(f"{attribute.name} must be at least {low}, not {wrong[0]}")

    return check


def filled(_: Any, attribute: Any, value: tuple[int, ...]) -> None:
    """A validator: there is at least one number."""
    if not value:
        raise ValueError(f"{attribute.name} must name at least one number")


def share(_: Any, attribute: Any, value: float | tuple[float, ...]) -> None:
    """A validator: every number is a share, from 0 to below 1."""
    numbers = value if isinstance(value, tuple) else (value,)
    if wrong := [n for n in numbers if not 0 <= n < 1]:
        raise ValueError(f"{attribute.name} are shares from 0 to below 1, not {wrong[0]}")


def refuse(mismatches: Iterable[str]) -> None:
    """ValueError with all `mismatches` between parameters, if there are any."""
    if faults := list(mismatches):
        raise ValueError("; ".join(faults))


def lengths(config: Any, names: Iterable[str]) -> Iterator[str]:
    """Which of the lists `names` do not have one entry for each of the filters."""
    count = len(config.filters)
    for name in names:
        value = getattr(config, name)
        if isinstance(value, tuple) and len(value) != count:
            yield f"{name} has {len(value)} numbers for {count} filters"


def dimensions(config: Any, names: Iterable[str]) -> Iterator[str]:
    """Which pools `names` and shapes do not have the model's dimensions."""
    for name in names:
        value = getattr(config, name)
        if isinstance(value, tuple) and config.dims and len(value) != config.dims:
            yield f"{name} has {len(value)} numbers for {config.dims} dimensions"
    if config.input_shape is not None and len(config.input_shape) not in (2, 3):
        yield f"input_shape is [L, C] or [H, W, C], not {list(config.input_shape)}"
    yield from classes(config)


def classes(config: Any) -> Iterator[str]:
    """Whether output_shape, if given, is one number."""
    if config.output_shape is not None and len(config.output_shape) != 1:
        yield f"output_shape is [classes], not {list(config.output_shape)}"


def whole(config: Any, plan: Any, place: str) -> Iterator[Any]:
    """What of a plan a model, or the neuron within it, cannot live with, as strings and Faults."""
    yield from framework(config, plan)
    check = getattr(getattr(config, "neuron", None), "check", lambda *_: ())
    yield from check(plan, f"{place[:-1]}.params.neuron]")


def framework(config: Any, plan: Any) -> Iterator[str]:
    """Spiking networks need a framework that runs timesteps, formal ones a framework that does
    not."""
    found, spiking = plan.framework, "neuron" in fields_dict(type(config))
    if getattr(found.config, "spiking", None) is not spiking:
        kind = getattr(found, "kind", type(found.config).__name__)
        model, what = type(config).__name__, "spiking" if spiking else "formal"
        yield f"{model} is a {what} model, which framework '{kind}' does not train"


def spatial(config: Any, shapes: Shapes) -> tuple[int, ...]:
    """The shape of one sample, [L, C] or [H, W, C]; ConfigError where it is none, or not that of
    the model, or where the timesteps differ."""
    shape: tuple[int, ...] = config.input_shape or shapes.input
    model = type(config).__name__
    if len(shape) != (config.dims or len(shape) - 1) + 1 or len(shape) not in (2, 3):
        dims = config.dims or "1 or 2"
        what = f"samples {shape} do not have {dims} dimensions and channels"
        raise ConfigError(Fault(model, what, hint="set dims, or leave it out"))
    timesteps(config, shapes)
    return shape


def timesteps(config: Any, shapes: Shapes) -> None:
    """ConfigError where the data has timesteps, but not as many as the model."""
    model, own = type(config).__name__, getattr(config, "timesteps", None)
    if shapes.timesteps is not None and own is None:
        what = f"a formal model takes no timesteps, the data has {shapes.timesteps}"
        raise ConfigError(
            Fault(model, what, hint="give it samples without timesteps, or train a spiking model")
        )
    if shapes.timesteps not in (None, own):
        raise ConfigError(Fault(model, f"timesteps is {own}, the data has {shapes.timesteps}"))
