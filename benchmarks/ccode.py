"""Instructions of generated C on an emulated Cortex-M4: event-driven kernels against dense ones.

    python benchmarks/ccode.py [--mnist FOLDER] [--core M4F] [--rounds 7] [--json PATH|-]

An SCNN with IF neurons is trained on scikit-learn's digits, and on MNIST if its folder is given,
and quantised to 8 bits. Its C is built with each kernel of its convolutions and linear layers and
run on the first samples of the test set, one for each round: all must give torch's logits. A ratio
is the instructions of the dense program for a sample over those of another; they are counted
exactly (docs/boards.md), and are no times. "in lanes" adds to two filters at once.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from attrs import evolve
from rounds import command_line, spread, write
from tasks import Task, tasks

from snn_codegen.boards import CORTEX_M, KIB
from snn_codegen.firmware import Firmware, Limits
from snn_codegen.sources import Sources
from snn_kernel import Context, Processed, Shapes, Training, configure
from snn_kernel.plan import Optimizer

EPOCHS = {"Digits": 12, "MNIST": 2}
SAMPLES = 10_000  # samples to train on at most: enough for spikes as they are in trained networks
VARIANTS = (
    *(("dense", False), ("gather", False), ("scatter", False)),
    *(("gather", True), ("scatter", True), ("auto", True)),
)


def quantised(task: Task, folder: Path) -> tuple[Any, Any, Any, Any]:
    """A trained network of 8 bits, its activity, test samples, and torch's logits of them."""
    context = Context(42, folder)
    session = configure("framework", "SpikingJellyMultiStep", {}).open(context)
    splits = task.dataset.load(context)
    splits = evolve(splits, train=splits.samples("train").take(slice(SAMPLES)))
    test = splits.samples("test")
    shapes = Shapes(test.x.shape[1:], (splits.classes,))
    model = configure("model", "SCNN", task.params).build(shapes, session)
    training = Training(EPOCHS[task.name], 64, Optimizer("Adam", {"lr": 4e-3}))
    trained = session.train(model, splits, training)
    bits = {"epochs": 0, "model": {"params": {"quant_params": {"bits": 8}}}}
    kind = configure("postprocessing", "QuantizationAwareTraining", bits)
    outcome = kind.apply(Processed(task.name, model, trained), splits, session, context)
    made = outcome.model
    activity = session.activity(made, test)
    return session.lower(made), activity, test, session.predict(made, test).logits


def measure(task: Task, core: str, rounds: int, folder: Path) -> Iterator[dict[str, Any]]:
    """For each variant its ratios, one for each sample, to the first of the variants."""
    network, activity, test, logits = quantised(task, folder)
    x = test.take(slice(rounds)).channels_first()
    board = CORTEX_M[core]
    limits = Limits(board.rom.size, board.ram.size, 2 * KIB, patience_s=120)
    dense = None
    for variant, lanes in VARIANTS:
        place = folder / f"{variant}_{lanes}"
        made = Sources.of(network, task.name, place, activity, variant, lanes=lanes).write()
        firmware = Firmware.build(made, place, f"CortexM {core}", board, limits)
        answers = made.prediction(firmware.run(made.frames(x), len(x)), len(x), True)
        if not np.array_equal(answers.logits, logits[: len(x)]):
            raise SystemExit(f"{task.name}, {variant}: the logits are not those of torch")
        counted = firmware.runs[0].instructions.astype(float)
        dense = counted if dense is None else dense
        ratios = (dense / counted).tolist()
        yield {
            "dataset": task.name,
            "core": core,
            "kernels": variant + " in lanes" * lanes,
            "instructions": float(counted.mean()),
            "rom": firmware.image.rom,
            "ram": firmware.image.ram + firmware.runs[0].stack,
            **spread(ratios),
        }


def main() -> None:
    """Measure, print, and write what was printed where --json says."""
    parser = command_line(__doc__, 7)
    parser.add_argument("--mnist", metavar="FOLDER")
    parser.add_argument("--core", choices=tuple(CORTEX_M), default="M4F")
    given = parser.parse_args()
    board = CORTEX_M[given.core]
    if shutil.which(board.emulator) is None:
        raise SystemExit(f"{board.emulator} is not installed (Debian package {board.package})")
    print(f"generated C on an emulated Cortex-{given.core}, {given.rounds} samples")
    rows = []
    for task in tasks(given.mnist):
        with tempfile.TemporaryDirectory() as folder:
            for row in measure(task, given.core, given.rounds, Path(folder)):
                rows.append(row)
                line = "  {dataset:7} {kernels:16} {instructions:12,.0f} instructions, "
                line += "{rom:7,} B of ROM, {ram:7,} B of RAM, {ratio_median:5.1f} times fewer "
                print((line + "({ratio_min:.1f} to {ratio_max:.1f})").format(**row), flush=True)
    write(rows, given.json)


if __name__ == "__main__":
    main()
