"""The command line: what is asked, and with which exit status it ends."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from snnk import guests

WRONG, FAILED, DISAGREE, INTERRUPTED = 1, 2, 3, 130
STEPS = ("preprocess", "train", "deploy", "evaluate")
NEW = ("neuron", "dataset", "preprocessing", "model", "framework", "postprocessing", "deployer")


def parser() -> argparse.ArgumentParser:
    """The command line, whole."""
    made = argparse.ArgumentParser("snnk", description="Spiking-neural-network experiments.")
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    run = verbs.add_parser("run", help="carry out an experiment, from data set to report")
    check = verbs.add_parser("check", help="say everything that is wrong with a file; run nothing")
    kinds = verbs.add_parser("kinds", help="what the installed plugins offer")
    doctor = verbs.add_parser("doctor", help="versions, and what is wrong with which plugin")
    runs = verbs.add_parser("runs", help="the runs so far")
    new = verbs.add_parser("new", help="write a distribution with a kind of your own")
    for name, (what, home) in guests.OURS.items():
        verbs.add_parser(name, help=f"{what} ({home})")
    new.add_argument("slot", choices=NEW, metavar="KIND", help=", ".join(NEW))
    new.add_argument("name", help="of the distribution, e.g. my-neuron")
    new.add_argument("--out", type=_folder, default=".", help="where its folder is made (here)")
    for verb in (run, check):
        verb.add_argument("file", type=Path, help="the experiment, as TOML")
        verb.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="e.g. model.0.epochs=3")
    for verb in (run, runs):
        verb.add_argument("--out", type=_folder, default="out", help="where runs are kept (out)")
    for verb in (run, check, kinds, doctor, runs, new):
        verb.add_argument("--traceback", action="store_true", help="show where an error arose")
    run.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    run.add_argument("--until", choices=STEPS, default=STEPS[-1], help="stop after this step")
    run.add_argument("--launcher", default="local", help="who carries out the runs (local)")
    run.add_argument("--json", metavar="PATH", help="results as JSON ('-': standard output)")
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
    return _guarded(lambda: _VERBS[given.verb](given), given.traceback)


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
    from snn_network import NetworkError

    if isinstance(error, SnnkError):
        for fault in error.faults:
            print(fault, file=sys.stderr)
        return error.status
    unexpected = "" if isinstance(error, NetworkError) else f"unexpected {type(error).__name__}: "
    print(f"{unexpected}{error} (--traceback shows where)", file=sys.stderr)
    return FAILED


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
    plan, files = _plan(given)
    launch: Any = map
    if given.launcher != "local":
        from snn_kernel.config import configure

        launch = configure("launcher", given.launcher, {}, "--launcher").launch

    from snn_kernel.record import RunFolder, write_atomic
    from snn_kernel.run import Run
    from snnk import console, ledger
    from snnk.leftovers import sweep

    sweep(given.out)
    with console.Watch() as watch:
        left = ledger.interrupted(given.out, plan.bench.name) if given.resume else []
        folder = RunFolder.open(plan, given.out, watch.warn, left)
        if given.resume and folder.path not in left:
            watch.warn(f"nothing to resume: no interrupted run of this file is in {given.out}")
        for file in files:
            file.keep(folder.path)
        plan.registry.manager.register(watch)
        try:
            with ledger.entry(given.out, plan.bench.name, folder.path) as complete:
                report = Run(plan, folder, given.until, launch).carry()
                complete(report)
        finally:
            plan.registry.manager.unregister(watch)
    text = json.dumps(ledger.results(report), indent=2)
    if given.json == "-":
        print(text)
    else:
        if given.json:
            write_atomic(Path(given.json), text)
        console.show(report)
    return DISAGREE if any(r.agreement and r.agreement.differing for r in report.runs) else 0


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
    from snnk.ledger import connect

    for row in connect(given.out).execute("SELECT id, started, status, folder FROM runs"):
        print("{:4}  {}  {:10}  {}".format(*row))
    return 0


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
    "new": _new,
}
