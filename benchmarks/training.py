"""CPU time of an epoch in our training loop, against a bare SpikingJelly loop over the same model.

    python benchmarks/training.py [--rounds 9] [--json PATH|-]

Both sides train the SCNN of snn-models on scikit-learn's digits, T = 4, batches of 64 in the same
order, Adam, a validation pass after each epoch, one thread. They take turns epoch by epoch in one
process, and the median of the ratios counts. Both step modes are measured against the bare loop in
multi-step mode, the faster of SpikingJelly's two.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rounds import command_line, spread, write

from snn_kernel import Context, Shapes, Splits, Training, configure

NETWORKS = {"8/16/fc32": (8, 16, 32), "32/64/fc128": (32, 64, 128)}
FRAMEWORKS = {"s": "SpikingJelly", "m": "SpikingJellyMultiStep"}
TIMESTEPS, BATCH, SEED = 4, 64, 1


def digits(context: Context) -> Splits:
    """Digits, a tenth of the training set taken for validation."""
    splits = configure("dataset", "Digits", {}).load(context)
    made: Splits = configure("preprocessing", "DatasetSplitter", {"dest": "valid"}).apply(
        splits, context
    )
    return made


def model(sizes: tuple[int, int, int], mode: str, session: Any) -> Any:
    """The network, with the same weights every time."""
    import torch

    params = {"v_threshold": 1.0, "v_reset": False, "detach_reset": True, "step_mode": mode}
    table = {
        **{"filters": list(sizes[:2]), "kernel_sizes": [3, 3], "paddings": [1, 1]},
        **{"pool_sizes": [0, 2], "fc_units": [sizes[2]], "timesteps": TIMESTEPS},
        **{"neuron": {"kind": "IFNode", "params": params}},
    }
    torch.manual_seed(SEED)
    return configure("model", "SCNN", table).build(Shapes((8, 8, 1), (10,)), session)


def ours(net: Any, session: Any, splits: Splits, epochs: int) -> Iterator[float]:
    """The loss of each epoch in a session, checkpoints included."""
    from snn_framework_spikingjelly.training import Fit

    train, valid = splits.samples("train"), splits.samples("valid")
    parts = (session.framework, session.context, session.device, net, train, valid)
    for epoch in Fit(*parts, Training(epochs, BATCH)).epochs():
        yield epoch.measures["train_loss"]


def bare(net: Any, splits: Splits, epochs: int) -> Iterator[float]:
    """The loss of each epoch in a loop of SpikingJelly's own."""
    import torch
    from spikingjelly.activation_based import functional
    from torch.nn.functional import cross_entropy

    optimizer = torch.optim.Adam(net.parameters())
    shuffle = np.random.default_rng(SEED)
    sets = [splits.samples("train"), splits.samples("valid")]
    (x, y), (vx, vy) = ((torch.from_numpy(s.channels_first()), torch.from_numpy(s.y)) for s in sets)
    for _ in range(epochs):
        net.train()
        total = torch.zeros(())
        for batch in torch.from_numpy(shuffle.permutation(len(x))).split(BATCH):
            functional.reset_net(net)
            out = net(x[batch].expand(TIMESTEPS, -1, -1, -1, -1)).mean(0)
            optimizer.zero_grad()
            loss = cross_entropy(out, y[batch])
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(batch)
        net.eval()
        with torch.no_grad():
            functional.reset_net(net)
            out = net(vx.expand(TIMESTEPS, -1, -1, -1, -1)).mean(0)
            (out.argmax(1) == vy).float().mean().item()
        yield float(total) / len(x)


def timed(step: Callable[[], float]) -> tuple[float, float]:
    """CPU seconds of `step` and what it returns."""
    start = time.process_time()
    made = step()
    return time.process_time() - start, made


def measure(name: str, mode: str, epochs: int, folder: Path) -> dict[str, Any]:
    """Both sides on one network; RuntimeError if they do not learn alike."""
    import torch

    params = {"metrics": ["acc"], "checkpoint_metric": {"name": "val_acc"}}
    session = configure("framework", FRAMEWORKS[mode], params).open(Context(SEED, folder))
    splits = digits(session.context)
    pair = (
        ours(model(NETWORKS[name], mode, session), session, splits, epochs + 1),
        bare(model(NETWORKS[name], "m", session), splits, epochs + 1),
    )
    rounds = []
    for _ in range(epochs + 1):  # the first epoch warms both sides up
        torch.set_num_threads(1)
        rounds.append([timed(lambda side=side: next(side)) for side in pair])  # type: ignore[misc]
    losses = [[loss for _, loss in side] for side in zip(*rounds, strict=True)]
    if not np.allclose(losses[0][:2], losses[1][:2], rtol=1e-3):
        raise RuntimeError(f"the two sides do not learn alike: {losses}")
    ratios = [mine / theirs for (mine, _), (theirs, _) in rounds[1:]]
    return {
        "network": name,
        "step_mode": mode,
        "ours_ms": 1e3 * statistics.median(mine for (mine, _), _ in rounds[1:]),
        "bare_ms": 1e3 * statistics.median(theirs for _, (theirs, _) in rounds[1:]),
        **spread(ratios),
    }


def main() -> None:
    """Measure, print, and write what was printed where --json says."""
    parser = command_line(__doc__, 9)
    given = parser.parse_args()
    print("CPU time of an epoch: ours, a bare SpikingJelly 2.0.0 loop's, the ratio (least, most)")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in NETWORKS:
            for mode in FRAMEWORKS:
                row = measure(name, mode, given.rounds, Path(folder))
                text = "  {network:12} mode {step_mode}  {ours_ms:6.0f} ms  {bare_ms:6.0f} ms  "
                print(
                    (text + "{ratio_median:.2f} times ({ratio_min:.2f}, {ratio_max:.2f})").format(
                        **row
                    )
                )
                rows.append(row)
    write(rows, given.json)


if __name__ == "__main__":
    main()
