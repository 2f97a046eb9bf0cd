"""Checks of what stands around a run: trackers, reports and launchers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pluggy import PluginValidationError

from snn_kernel import hookspecs
from snn_kernel.errors import near
from snn_kernel.hookspecs import PROJECT, SLOTS
from snn_kernel.results import ModelReport
from snn_kernel.testing.subject import Subject
from snn_kernel.testing.whole import carried, listeners
from snn_network import agree

OBSERVERS = {n for n in vars(hookspecs) if n.startswith("snnk_")} - {*SLOTS.values(), "snnk_doctor"}


def an_observer_comes_back(subject: Subject) -> Iterator[str]:
    """observe(context) gives an object with some of the observer hooks as methods."""
    observer = subject.config.observe(subject.context)
    names = [name for name in dir(observer) if name.startswith("snnk_")]
    if not names:
        yield (
            f"observe returned {type(observer).__name__}, which has no observer hook. Give it "
            f"methods, of these: {', '.join(sorted(OBSERVERS))}."
        )
    for name in names:
        if name not in OBSERVERS:
            yield f"there is no observer hook '{name}' ({near(name, OBSERVERS)}). Name one."
        elif not hasattr(getattr(observer, name), f"{PROJECT}_impl"):
            yield f"nobody calls {name} without a mark. Decorate it with @hookimpl."
    try:
        listeners().register(observer)
    except PluginValidationError as error:
        yield f"{str(error).splitlines()[-1].rstrip('.')}. Take arguments by the hook's own names."


def it_observes_a_run(subject: Subject) -> Iterator[str]:
    """in a whole run no method of its observer fails."""
    _, warnings = carried(subject, tracker=subject.config)
    for text in dict.fromkeys(warnings):
        yield f"in a run, {text}. Let it take what docs/hooks.md says of that hook."


def files_come_back(subject: Subject) -> Iterator[str]:
    """write(report, context) gives {name: path} of files in the context's folder."""
    report, _ = carried(subject)
    made = subject.config.write(report, subject.context)
    if not isinstance(made, dict):
        yield f"write returned {type(made).__name__}. Return a dict of names to paths."
        return
    for name, path in made.items():
        if not isinstance(name, str) or not isinstance(path, Path):
            yield f"write returned {{{name!r}: {path!r}}}. Name each file, and give its Path."
        elif not path.is_file() or subject.folder.resolve() not in path.resolve().parents:
            yield (
                f"file '{name}' is not in the folder of the run: {path}. Write it with "
                "write_atomic(context.folder / …, data)."
            )


def every_job_is_carried_out(subject: Subject) -> Iterator[str]:
    """launch(carry, jobs) gives what carry makes of each job, once."""
    expected, _ = carried(subject)
    made, _ = carried(subject, launch=subject.config.launch)
    if other := [r for r in made.runs if not isinstance(r, ModelReport)]:
        yield f"launch gave {type(other[0]).__name__}. Give what `carry(job)` returns."
        return
    ours, theirs = ({(r.model, r.run): r for r in report.runs} for report in (expected, made))
    if ours.keys() != theirs.keys() or len(made.runs) != len(ours):
        runs = ", ".join(f"{r.model} {r.run}" for r in made.runs) or "none"
        yield f"of the jobs trial 1 and trial 2 it gave {runs}. Carry each out once."
        return
    for key, report in ours.items():
        a, b = report.processed.prediction, theirs[key].processed.prediction
        if a is None or b is None or agree(a, b).differing:
            yield "what it gave predicts otherwise. Return what `carry(job)` returns as it is."
            return
