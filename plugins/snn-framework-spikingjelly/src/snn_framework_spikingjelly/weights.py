"""Weights on disk: safetensors, with the input's grid and the layers' ranges in the metadata."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import safetensors.torch
from attrs import asdict
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from snn_kernel import DataError, write_atomic
from snn_kernel.network import Format

KEY, SEEN = "input_format", "seen"


def save(model: nn.Module, path: Path) -> None:
    """The state dict, and the input's grid and the layers' ranges if they are known, whole or not
    at all."""
    layout, seen = getattr(model, "input_format", None), getattr(model, "seen", None)
    metadata = {} if layout is None else {KEY: json.dumps(asdict(layout))}
    metadata |= {SEEN: json.dumps(seen)} if seen else {}
    tensors = {k: v.detach().cpu().clone().contiguous() for k, v in model.state_dict().items()}
    write_atomic(path, safetensors.torch.save(tensors, metadata))


def load(model: nn.Module, path: Path) -> None:
    """The weights in `path` into `model`; DataError names all that does not fit, and then nothing
    has been changed."""
    found, layout, seen = _read(path)
    expected = model.state_dict()
    faults = [f"missing '{k}'" for k in expected.keys() - found.keys()]
    faults += [f"unexpected '{k}'" for k in found.keys() - expected.keys()]
    faults += [
        f"'{k}' is {tuple(found[k].shape)}, the model's is {tuple(expected[k].shape)}"
        for k in found.keys() & expected.keys()
        if found[k].shape != expected[k].shape
    ]
    if faults:
        raise DataError(*(f"{path}: {fault}" for fault in sorted(faults)))
    model.load_state_dict(found)
    model.input_format = layout  # type: ignore[assignment]
    model.seen = seen  # type: ignore[assignment]


def _read(path: Path) -> tuple[dict[str, Tensor], Format | None, dict[str, float]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
        layout = _format(json.loads(metadata[KEY])) if KEY in metadata else None
        return tensors, layout, _seen(json.loads(metadata.get(SEEN, "{}")))
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file of weights") from None
    except (OSError, SafetensorError, ValueError, TypeError) as error:
        raise DataError(f"{path}: no readable safetensors file: {error}") from None


def _format(value: Any) -> Format:
    layout = Format(**value)
    whole = type(layout.bits) is int and type(layout.fraction) is int
    if not whole or not 1 < layout.bits <= 25 or layout.rounding != "nearest":
        raise ValueError(f"'{KEY}' is {value}")
    return layout


def _seen(value: Any) -> dict[str, float]:
    if not isinstance(value, dict) or not all(
        type(v) is float and math.isfinite(v) for v in value.values()
    ):
        raise ValueError(f"'{SEEN}' is {value!r:.40}")
    return value
