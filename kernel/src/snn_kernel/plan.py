"""From the TOML document to a Plan: every kind found, every table checked, nothing run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from attrs import evolve, field, fields, frozen, validators

from snn_kernel.config import Checker
from snn_kernel.errors import ConfigError, Fault, reason
from snn_kernel.kinds import Choice, chosen
from snn_kernel.registry import Registry


def _file_name(_: Any, __: Any, name: str) -> None:
    bare = name.isprintable() and name not in ("", ".", "..") and not {"/", "\\"} & set(name)
    if not bare or len(name.encode()) > 200:  # file systems end at 255, and files add to a name
        raise ValueError(f"'name' fits no folder (printable, no / or \\, 200 bytes): {name!r:.40}")


@frozen
class Bench:
    """[bench]: run i of first_run..last_run (inclusive) is seeded with seed + i - 1; `plugins` must
    be installed, those in `without` count as if they were not; `inline` are files beside this one,
    each a plugin. `name` is that of a folder: printable, at most 200 bytes."""

    name: str = field(default="experiment", validator=_file_name)
    seed: int = field(default=0, validator=[validators.ge(0), validators.lt(1 << 63)])
    first_run: int = field(default=1, validator=validators.ge(0))
    last_run: int = 1
    plugins: tuple[str, ...] = ()
    inline: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    use_test_as_valid: bool = False

    def __attrs_post_init__(self) -> None:
        if self.last_run < self.first_run:
            raise ValueError(f"last_run {self.last_run} is before first_run {self.first_run}")


@frozen
class Scheduler:
    """A learning-rate scheduler by its torch name; the framework checks it."""

    kind: str
    params: dict[str, Any] = field(factory=dict)


@frozen
class Optimizer:
    """An optimiser by its torch name; the framework checks it."""

    kind: str
    params: dict[str, Any] = field(factory=dict)
    scheduler: Scheduler | None = None


@frozen(kw_only=True)
class Model:
    """[[model]], with what [model_template] has and it has not; `evaluate = false`: no scores;
    `update` is for postprocessings: their class variable `updates` says which keys they read."""

    slot: ClassVar[str] = "model"
    choice: Choice
    name: str = field(validator=_file_name)
    epochs: int = field(default=0, validator=validators.ge(0))
    batch_size: int = field(default=32, validator=validators.ge(1))
    load: bool = False
    train: bool = True
    evaluate: bool = True
    disabled: bool = False
    optimizer: Optimizer | None = None
    update: dict[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class Postprocessing:
    """[[postprocessing]]; with `export` the model is saved again after it."""

    slot: ClassVar[str] = "postprocessing"
    choice: Choice
    export: bool = False


@frozen(kw_only=True)
class Deploy:
    """[deploy]: the deployer is `deployer.kind`, or `target` names it, as documented files do;
    `limit` is how many test samples to run at most."""

    choice: Choice = chosen("deployer", alias="deployer")
    limit: int | None = field(default=None, validator=validators.optional(validators.ge(1)))


def _unique(_: Any, __: Any, models: tuple[Model, ...]) -> None:
    names = [m.name for m in models if hasattr(m, "name")]
    if twice := {n for n in names if names.count(n) > 1}:
        raise ValueError(f"models need names of their own: {sorted(twice)}")


def _read(plan: Any, _: Any, models: tuple[Model, ...]) -> None:
    read = {k for p in plan.postprocessings for k in getattr(p.choice.config, "updates", ())}
    if idle := [f"model '{m.name}': update.{k}" for m in models for k in m.update if k not in read]:
        raise ValueError(f"no [[postprocessing]] reads {', '.join(idle)}")


@frozen(kw_only=True)
class Plan:
    """Everything to do, left to right; each field answers to the section of its alias.

    While a plan is being checked, what is wrong in the file is absent from it.
    """

    bench: Bench
    dataset: Choice = chosen("dataset")
    preprocessings: tuple[Choice, ...] = chosen("preprocessing", alias="preprocessing", default=())
    augmentations: tuple[Choice, ...] = chosen(
        "augmentation", alias="data_augmentation", default=()
    )
    framework: Choice = chosen("framework", alias="learningframework")
    models: tuple[Model, ...] = field(alias="model", validator=[_unique, _read])
    postprocessings: tuple[Postprocessing, ...] = field(alias="postprocessing", default=())
    deploy: Deploy | None = None
    tracker: Choice | None = chosen("tracker", alias="experimenttracking", default=None)
    report: Choice | None = chosen("report", default=None)
    document: Mapping[str, Any] = field(factory=dict, init=False)
    registry: Registry = field(factory=Registry.discover, init=False)

    def choices(self) -> Iterator[Choice]:
        """Every chosen kind, in the order of the flow, as far as it is right."""
        for attribute in fields(Plan):
            found = getattr(self, attribute.name, None)
            for item in found if isinstance(found, tuple) else (found,):
                choice = item if isinstance(item, Choice) else getattr(item, "choice", None)
                if choice:
                    yield choice


def plan(document: Mapping[str, Any], source: str = "", registry: Registry | None = None) -> Plan:
    """The Plan of a document; ConfigError with every fault in it, each placed in file `source`.
    `registry` holds what is installed, and the files that [bench] inline names."""
    registry = registry or Registry.discover()
    bench = document.get("bench")
    if isinstance(bench, Mapping) and isinstance(without := bench.get("without"), list):
        registry = registry.without(without)
    checker = Checker(registry)
    made: Plan = checker.table(Plan, document, "")
    object.__setattr__(made, "document", document)  # frozen from here on, perhaps still partial
    object.__setattr__(made, "registry", registry)
    faults = checker.faults
    faults += registry.require(getattr(getattr(made, "bench", None), "plugins", ()), "[bench]")
    found = {p.module: p.fault for p in registry.plugins}
    for name in getattr(getattr(made, "bench", None), "inline", ()):
        if why := found.get(name, "it was not loaded"):
            faults.append(Fault("[bench]", f"inline '{name}': {why}"))
    partial, cause = bool(faults), None
    for choice in made.choices():
        try:
            wrong = getattr(choice.config, "check", lambda *_: ())(made, choice.place) or ()
            wrong = [wrong] if isinstance(wrong, str) else list(wrong)
        except (Exception, SystemExit) as error:
            if partial and isinstance(error, AttributeError):
                continue  # it missed what has a fault of its own
            wrong, cause = [f"its check failed: {reason(error)}"], error
        whose = str(choice.offer)
        faults += [f if isinstance(f, Fault) else Fault(choice.place, f, whose) for f in wrong]
    if faults:
        placed = (evolve(f, where=f"{source}: {f.where}".strip(": ")) for f in faults)
        raise ConfigError(*placed) from cause
    return made
