"""The command line: what is asked, and with which exit status it ends."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from snnk import guests

WRONG, FAILED, DISAGREE, INTERRUPTED = 1, 2, 3, 130
STEPS = ("preprocess", "train", "deploy", "evaluate")
FORMS = {"markdown": "as tables", "latex": "as tables for booktabs", "csv": "in full precision"}
NEW = ("neuron", "dataset", "preprocessing", "model", "framework", "postprocessing", "deployer")

_RUN = "as `snnk runs` numbers it, `last`, or its folder; RUN/MODEL for one of its models"


def parser() -> argparse.ArgumentParser:
    """The command line, whole."""
    made = argparse.ArgumentParser("snnk", description="Spiking-neural-network experiments.")
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    run = verbs.add_parser("run", help="carry out an experiment, from data set to report")
    check = verbs.add_parser("check", help="say everything that is wrong with a file; run nothing")
    kinds = verbs.add_parser("kinds", help="what the installed plugins offer")
    doctor = verbs.add_parser("doctor", help="versions, and what is wrong with which plugin")
    runs = verbs.add_parser("runs", help="the runs so far")
    show = verbs.add_parser("show", help="one of them whole: what was asked, and what it came to")
    compare = verbs.add_parser("compare", help="several side by side, and where they differ")
    new = verbs.add_parser("new", help="write a distribution with a kind of your own")
    for name, (what, home) in guests.OURS.items():
        verbs.add_parser(name, help=f"{what} ({home})")
    new.add_argument("slot", choices=NEW, metavar="KIND", help=", ".join(NEW))
    new.add_argument("name", help="of the distribution, e.g. my-neuron")
    new.add_argument("--out", type=_folder, default=".", help="where its folder is made (here)")
    for verb in (run, check):
        verb.add_argument("file", type=Path, help="the experiment, as TOML")
        verb.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="e.g. model.0.epochs=3")
    show.add_argument("run", metavar="RUN", help=_RUN)
    compare.add_argument("runs", nargs="+", metavar="RUN", help=_RUN)
    for verb in (run, runs, show, compare):
        verb.add_argument("--out", type=_folder, default="out", help="where runs are kept (out)")
        verb.add_argument("--json", metavar="PATH", help="as JSON ('-': standard output)")
    for verb in (run, check, kinds, doctor, runs, show, compare, new):
        verb.add_argument("--traceback", action="store_true", help="show where an error arose")
    run.add_argument("--resume", action="store_true", help="go on with an unfinished run")
    run.add_argument("--until", choices=STEPS, default=STEPS[-1], help="stop after this step")
    run.add_argument("--launcher", default="local", help="who carries out the runs (local)")
    show.add_argument("--toml", action="store_true", help="its file alone, to be run again")
    forms = compare.add_mutually_exclusive_group()
    for form, what in FORMS.items():
        forms.add_argument(f"--{form}", dest="form", action="store_const", const=form, help=what)
    kinds.add_argument("name", nargs="?", help="document this kind")
    kinds.add_argument("--markdown", action="store_true", help="all of them, as docs/config.md")
    return made


def _folder(text: str) -> Path:
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status: 0 done, 1 the configuration is wrong, 2 the run failed,
    3 results disagree, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] not in _VERBS and not words[0].startswith("-"):
        return _guarded(lambda: _guest(words), "--traceback" in words)
    given, rest = parser().parse_known_args(words)
    # The documented spelling of an override, --model.0.epochs=3, looks like an option.
    if [r for r in rest if "=" not in r] or (rest and given.verb not in ("run", "check")):
        parser().error(f"unrecognised arguments: {' '.join(rest)}")
    given.overrides = [*getattr(given, "overrides", ()), *rest]
    return _guarded(lambda: _carried(given), given.traceback)


def _carried(given: argparse.Namespace) -> int:
    """The exit status of a verb of ours, which never is a SystemExit: that is some plugin's, and
    must not pass for the end of a run."""
    try:
        return _VERBS[given.verb](given)
    except SystemExit as error:
        from snn_kernel.errors import Fault, RunError, reason

        hint = "a plugin ends the program; --traceback shows where"
        raise RunError(Fault("", f"unexpected {reason(error)}", "", hint)) from error


def _guarded(carry: Callable[[], int], traceback: bool) -> int:
    """The exit status of `carry`, and of whatever it raises."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        return carry()
    except KeyboardInterrupt:
        print("interrupted; what was finished is kept", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read it has enough; without this Python complains of the pipe once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if traceback:
            raise
        return _explain(error)


def _guest(words: Sequence[str]) -> int:
    """A verb of another distribution."""
    if (verb := guests.find(words[0])) is None:
        parser().parse_args(words)  # which says what there is, and ends
        raise AssertionError(words)
    return verb([word for word in words[1:] if word != "--traceback"])


def _terminated(*_: object) -> None:
    raise KeyboardInterrupt


def _explain(error: Exception) -> int:
    from snn_kernel.errors import SnnkError
    from snnk import faults

    hint = "" if isinstance(error, SnnkError) else " (--traceback shows where)"
    print("\n".join(faults.lines(error)) + hint, file=sys.stderr)
    return faults.status(error)


def _plan(given: argparse.Namespace) -> tuple[Any, list[Any]]:
    """The plan of a file, and the plugins that lie beside it."""
    from snn_kernel.plan import plan
    from snn_kernel.registry import Registry
    from snnk import inline
    from snnk.document import read

    document = read(given.file, given.overrides)
    registry = Registry.discover()
    if files := inline.files(document, given.file.parent):
        registry = registry.beside((f.plugin, f.load) for f in files)
    return plan(document, given.file.name, registry), files


def _run(given: argparse.Namespace) -> int:
    from snnk import machine

    machine.writable(given.json)
    plan, files = _plan(given)
    launch = _launch(plan, given.launcher)
    from snn_kernel.errors import RunError
    from snn_kernel.run import Run
    from snnk import console, folder, ledger
    from snnk.leftovers import sweep
    from snnk.settings import conditions

    sweep(given.out)
    left = ledger.unfinished(given.out, plan.bench.name)
    with console.Watch() as watch:
        kept = folder.begin(plan, given.out, watch.warn, left if given.resume else ())
        if given.resume and kept.path not in left:
            watch.warn(f"nothing to resume: no unfinished run of this file is in {given.out}")
        for file in files:
            file.keep(kept.path)
        plan.registry.manager.register(watch)
        try:
            known = (given.file, given.overrides, given.until, kept.versions)
            asked = conditions(plan, *known)
            with ledger.entry(given.out, plan.bench.name, kept.path, asked, watch) as row:
                report = Run(plan, kept, given.until, row.through(launch)).carry()
                row.complete(report)
        finally:
            plan.registry.manager.unregister(watch)
    if given.json != "-":
        console.show(report)
    machine.written(given.json, ledger.results(report))
    if report.faults:
        raise RunError(*report.faults)
    return DISAGREE if any(r.agreement and r.agreement.differing for r in report.runs) else 0


def _launch(plan: Any, kind: str) -> Any:
    """What carries out the jobs of a plan; a launcher is installed, or lies beside the file."""
    if kind == "local":
        return map
    from snn_kernel.config import Checker
    from snn_kernel.errors import ConfigError

    checker = Checker(plan.registry)
    choice = checker.choose("launcher", {"kind": kind}, "--launcher")
    if checker.faults:
        raise ConfigError(*checker.faults)
    return partial(choice.act, Iterable)


def _check(given: argparse.Namespace) -> int:
    plan, _ = _plan(given)
    for choice in plan.choices():
        print(f"{choice.place:28} {choice.offer}")
    print(f"{given.file}: nothing wrong with it")
    return 0


def _kinds(given: argparse.Namespace) -> int:
    from snn_kernel.registry import Registry

    registry = Registry.discover()
    from snnk import kinds

    if given.markdown:
        lines = kinds.page(registry)
    elif given.name:
        lines = (line for o in kinds.named(registry, given.name) for line in kinds.document(o))
    else:
        lines = kinds.listed(registry)
    print(*lines, sep="\n")
    return 0


def _doctor(_: argparse.Namespace) -> int:
    from snn_kernel.registry import Registry
    from snnk.doctor import Doctor

    doctor = Doctor(Registry.discover())
    for line in doctor.findings():
        print(line)
    return 0 if doctor.healthy else FAILED


def _runs(given: argparse.Namespace) -> int:
    from snnk import lookback

    return lookback.runs(given.out, given.json)


def _show(given: argparse.Namespace) -> int:
    from snnk import lookback

    return lookback.show(given.out, given.run, given.json, given.toml)


def _compare(given: argparse.Namespace) -> int:
    from snnk import lookback

    return lookback.compare(given.out, given.runs, given.json, given.form)


def _new(given: argparse.Namespace) -> int:
    from snnk.new import write

    folder = write(given.slot, given.name, given.out)
    print(f"{folder}: a {given.slot} that works; change it, and its tests")
    print(f"pip install -e {folder}\npytest --snnk-conformance {folder.name} {folder}")
    return 0


_VERBS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "check": _check,
    "kinds": _kinds,
    "doctor": _doctor,
    "runs": _runs,
    "show": _show,
    "compare": _compare,
    "new": _new,
}
