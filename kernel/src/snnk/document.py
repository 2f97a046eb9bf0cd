"""From a TOML file and what the command line overrides to one document."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from snn_kernel.errors import ConfigError, Fault

DEPLOYER = ("converter", "quantize", "optimize", "compress")  # its parameters, beside its name


def merge(template: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` and a copy of what only `template` has; tables merge recursively, all else of `own`
    wins."""
    merged = deepcopy(dict(template)) | dict(own)
    for key in template.keys() & own.keys():
        if isinstance(template[key], Mapping) and isinstance(own[key], Mapping):
            merged[key] = merge(template[key], own[key])
    return merged


def override(document: Any, text: str) -> None:
    """Set what `KEY.PATH=VALUE` says: integers in the path pick from lists, and a VALUE that is no
    TOML is a string. ConfigError if the path leads nowhere."""
    path, equals, value = text.lstrip("-").partition("=")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    *steps, last = path.split(".")
    try:
        if not equals:
            raise KeyError
        for step in steps:
            listed = isinstance(document, list)
            document = document[int(step)] if listed else document.setdefault(step, {})
        document[int(last) if isinstance(document, list) else last] = parsed
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        what = f"cannot set '{path}'" if equals else "an override is written KEY=VALUE"
        raise ConfigError(Fault(f"command line: {text}", what)) from None


def read(path: Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """The document of a TOML file, overrides set and [model_template] merged into each model."""
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(Fault(str(path), f"cannot be read: {reason}")) from None
    # Those of the template come first, so that they reach the models they are merged into.
    ordered = sorted(overrides, key=lambda o: not o.lstrip("-").startswith("model_template"))
    late = [o for o in ordered if not o.lstrip("-").startswith("model_template")]
    for text in ordered[: len(ordered) - len(late)]:
        override(document, text)
    template, models = document.pop("model_template", {}), document.get("model")
    if not isinstance(template, Mapping):
        what = f"must be a table, not {template!r:.40}"
        raise ConfigError(Fault(f"{path.name}: [model_template]", what))
    if isinstance(models, list):
        document["model"] = [merge(template, m) if isinstance(m, Mapping) else m for m in models]
    for text in late:
        override(document, text)
    if isinstance(deploy := document.get("deploy"), dict):
        _name_deployer(deploy)
    return document


def _name_deployer(deploy: dict[str, Any]) -> None:
    """Documented files have the deployer's name and some of its parameters beside it; what is
    nearly one of these goes with them, so that the deployer says what was meant."""
    named = {"kind": deploy.pop("target")} if "target" in deploy else {}
    meant = [key for key in deploy if get_close_matches(str(key), DEPLOYER, cutoff=0.8)]
    beside = {key: deploy.pop(key) for key in meant}
    deployer = deploy.get("deployer", {})
    if not isinstance(deployer, dict) or not (named or deployer):
        return  # what is wrong with it is told where tables are checked
    deployer = named | deployer
    if beside and isinstance(params := deployer.get("params", {}), dict):
        deployer["params"] = beside | params
    deploy["deployer"] = deployer
