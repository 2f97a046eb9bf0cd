"""Accuracy of a network as floats, quantised, and trained on as quantised, at fewer and fewer bits.

    python benchmarks/quantisation.py [--mnist FOLDER] [--bits 8 6 4 3] [--samples N] [--epochs N]
        [--json PATH|-]

An SCNN with IF neurons is trained on scikit-learn's digits, and on MNIST if its folder is given;
then each row quantises it anew: PTQ is one calibrating pass, QAT that and `epochs` of training. The
whole test set is run by torch, by the Zig engine and, for the first samples, by the integer law;
the last column is how many spikes and logits differ. All tensors have the same number of bits but
the membrane potential, which has at least 8. `samples` limits the training set of the
quantisation, not that of the float network.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any

from attrs import evolve
from rounds import command_line, write
from tasks import Task, tasks

from snn_kernel import (
    Context,
    Prediction,
    Processed,
    Samples,
    Shapes,
    Splits,
    Training,
    configure,
)
from snn_kernel.plan import Optimizer
from snn_kernel.results import agree
from snn_network.reference import witness

ROUNDINGS = ("floor", "nearest")
ADAM = Optimizer("Adam", {"lr": 4e-3})
TRAINING = {"Digits": Training(12, 64, ADAM), "MNIST": Training(1, 32, ADAM)}
STATE_BITS = 8  # the potential's at least: it gathers what the others round


class Bench:
    """One trained network, and what becomes of it."""

    def __init__(self, task: Task, folder: Path, samples: int | None, epochs: int) -> None:
        self.task, self.epochs = task, epochs
        self.context = Context(42, folder / task.name)
        self.session = configure("framework", "SpikingJellyMultiStep", {}).open(self.context)
        splits = task.dataset.load(self.context)
        self.test: Samples = splits.samples("test")
        model = configure("model", "SCNN", task.params).build(
            Shapes(self.test.x.shape[1:], (splits.classes,)), self.session
        )
        trained = self.session.train(model, splits, TRAINING[task.name])
        shown = splits.samples("train").take(slice(samples))
        self.splits: Splits = evolve(splits, train=shown)
        prediction = self.session.predict(model, self.test)
        self.float = prediction.accuracy(self.test.y)
        self.processed = Processed(task.name, model, trained, prediction=prediction)

    def row(self, bits: int, rounding: str) -> dict[str, Any]:
        """The network with so many bits."""
        own = {"v": {"bits": max(bits, STATE_BITS)}}
        params = {
            "epochs": self.epochs,
            "batch_size": TRAINING[self.task.name].batch_size,
            "optimizer": {"kind": "Adam", "params": {"lr": 1e-3}},
            "model": {"params": {"quant_params": {"bits": bits, "roundtype": rounding, **own}}},
        }
        kind = configure("postprocessing", "QuantizationAwareTraining", params)
        outcome = kind.apply(self.processed, self.splits, self.session, self.context)
        steps = {r[0]: r[2] for r in outcome.tables[0].rows}
        compared, differing = self.compare(self.processed.fold(outcome))
        return {
            "dataset": self.task.name,
            "bits": bits,
            "rounding": rounding,
            "float": self.float,
            "ptq": steps["PTQ"],
            "qat": steps.get("QAT"),
            "compared": compared,
            "differing": differing,
        }

    def compare(self, processed: Processed) -> tuple[int, int]:
        """How many spikes and logits were compared, and how many differ."""
        network = self.session.lower(processed.model)
        ours = self.session.predict(processed.model, self.test)
        law = Prediction(*witness(network, self.test.channels_first()), ours.neurons)
        found = agree(ours.take(len(law.logits)), law, "the integer law")
        deployer = configure("deployer", "ZigEngine", {})
        made = deployer.deploy(evolve(processed, network=network), self.test, self.context)
        found = agree(ours, made.prediction, made.target) + found
        if found.differing:
            print(found.first, file=sys.stderr)
        return found.compared, found.differing


def main() -> int:
    """Measure, print, write what was printed where --json says; 3 if anything differs."""
    parser = command_line(__doc__, None, "fewer epochs, for a quick look")
    parser.add_argument("--mnist", metavar="FOLDER")
    parser.add_argument("--bits", type=int, nargs="+", default=[8, 6, 4, 3])
    parser.add_argument("--samples", type=int)
    parser.add_argument("--epochs", type=int, default=2)
    given = parser.parse_args()
    print("data set  bits  rounding   float      PTQ      QAT   differing")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for task in tasks(given.mnist):
            bench = Bench(task, Path(folder), given.samples, given.rounds or given.epochs)
            for bits, rounding in itertools.product(given.bits, ROUNDINGS):
                row = bench.row(bits, rounding)
                text = "{dataset:8} {bits:5}  {rounding:8} {float:7.2%}  {ptq:7.2%}  {qat:7.2%}"
                print((text + "   {differing:,} of {compared:,}").format(**row), flush=True)
                rows.append(row)
    write(rows, given.json)
    return 3 if any(row["differing"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
