"""SpikingJelly's own estimate of the same paper, beside ours, on three networks.

Whatever differs is worked out from what that estimate does otherwise; nothing is left over. The
numbers of docs/energy.md are those that these tests print (pytest -s).
"""

from collections import Counter

import numpy as np
import pytest

from snn_energy.counter import OperationCounter
from snn_energy.metric import EnergyEstimationMetric
from snn_kernel import Context, Processed, Samples, Shapes, Splits, Training, configure
from snn_kernel.network import Neuron

torch = pytest.importorskip("torch")
pytest.importorskip("spikingjelly")
pytest.importorskip("snn_framework_spikingjelly")
opinion = pytest.importorskip("spikingjelly.activation_based.op_counter.analytical_energy")

from spikingjelly.activation_based import functional  # noqa: E402

from snn_framework_spikingjelly.framework import SpikingJellyMultiStep  # noqa: E402

SAMPLES, TIMESTEPS, FIFO = 12, 4, 1000
LEAKY = {
    "kind": "LIFNode",
    "params": {"v_threshold": 0.5, "v_reset": False, "tau": 2.0, "step_mode": "m"},
}
FIRE = {"kind": "IFNode", "params": {"v_threshold": 0.5, "v_reset": False, "step_mode": "m"}}
STRIDED = {
    **{"filters": [4, 6], "kernel_sizes": [3, 3], "paddings": [1, 1], "strides": [1, 2]},
    **{"fc_units": [12], "neuron": LEAKY},
}
POOLED = STRIDED | {"strides": [1, 1], "pool_sizes": [0, 2], "neuron": FIRE}
NETWORKS = {
    "linear layers, spikes in": ("SMLP", {"units": [32, 16], "neuron": FIRE}, True),
    "strided convolutions, leak, spikes in": ("SCNN", STRIDED, True),
    "pooling, numbers in": ("SCNN", POOLED, False),
}


class Voice:
    def warn(self, text):
        raise AssertionError(text)


def fit(model, generator):
    """Weights that are multiples of 1/16, so that every sum is exact in any order."""
    with torch.no_grad():
        for values in model.parameters():
            drawn = torch.randn(values.shape, generator=generator) * 0.4
            values.copy_((drawn * 16).round() / 16)


def both(kind, params, binary, folder):
    """Our model with its activity, and SpikingJelly's report of the same samples."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, (SAMPLES, 8, 8, 1)) / np.float32(8)
    x = (x > 0.7 if binary else x).astype(np.float32)
    samples = Samples(x, np.arange(SAMPLES) % 4, "NHWC")
    session = SpikingJellyMultiStep(enable_progress_bar=False).open(Context(0, folder))
    config = configure("model", kind, params | {"timesteps": TIMESTEPS})
    model = config.build(Shapes((8, 8, 1), (4,)), session)
    fit(model, torch.Generator().manual_seed(1))
    trained = session.train(model, Splits(samples, None, samples, 4), Training(0, SAMPLES))
    known = {"network": session.lower(model), "activity": session.activity(model, samples)}
    ours = Processed(kind, model, trained, **known)
    frames = torch.from_numpy(samples.channels_first()).expand(TIMESTEPS, -1, -1, -1, -1)

    def ask(cost, batch=1):
        """(counts, pJ) of one inference, taken `batch` samples at a time."""
        config = opinion.LemaireEnergyConfig(
            strict=False, snn_fifo_capacity_elements=FIFO, cost_config=cost
        )
        counts, energies = Counter(), Counter()
        for part in frames.split(batch, dim=1):
            functional.reset_net(model.eval())
            with pytest.warns(RuntimeWarning, match="is omitted"):  # of flattening and pooling
                report = opinion.estimate_lemaire_energy(model, part.clone(), config=config)
            counts.update(report.counts)
            energies.update(report.breakdown_pj)
        return tuple({k: v / SAMPLES for k, v in c.items()} for c in (counts, energies))

    return ours, ask


def line():
    """Our cost of an access, as SpikingJelly takes it: pJ per byte over the bytes of a memory."""
    points = tuple((n, (13.2 + 1.09e-5 * 8 * n) / 4) for n in (0.0, 1e4, 1e5, 1e7))
    return opinion.LemaireEnergyCostConfig(memory_breakpoints=points)


def layers(ours):
    """Our rows of both tables together, by layer; pooling and flattening left out."""
    energies = EnergyEstimationMetric(32, FIFO).apply(ours, None, None, Voice()).tables[0]
    counts = OperationCounter().apply(ours, None, None, Voice()).tables[0]
    columns = (*energies.columns, *counts.columns)
    pairs = zip(energies.rows, counts.rows, strict=True)
    rows = {a[0]: dict(zip(columns, (*a, *b), strict=True)) for a, b in pairs}
    total = rows.pop("Total")
    return {name: row for name, row in rows.items() if row["mem_weights"]}, total


def access(elements):
    return 13.2 + 1.09e-5 * 32 * elements


def otherwise(ours, rows):
    """What SpikingJelly's components must be: ours, and what it does otherwise."""
    network, e_add, e_mac = ours.network, 0.1, 3.2
    expected = {k: sum(r[k] for r in rows.values()) for k in ("mem_pot", "mem_io", "ops", "addr")}
    expected["params"] = 0.0
    for name, row in rows.items():
        layer = next(lay for lay in network.layers if lay.name == name)
        (source,) = network.inputs(name)
        size_in, size_out = (int(np.prod(network.shapes[n])) for n in (source, name))
        weights, co, out = layer.weight.size, layer.weight.shape[0], size_out * TIMESTEPS
        reads = row["mem_weights"] / access(weights)
        if row["is_sj"] == "Hybrid":
            # numbers: every weight at every timestep, zeros included, as in a formal network
            reads = dense = out * layer.weight[0].size
            places = TIMESTEPS * size_in + out + co * layer.weight[0, 0].size
            # read where all timesteps lie, not spike by spike from a FIFO
            spikes = row["input_count"] / TIMESTEPS
            expected["mem_io"] += dense * access(TIMESTEPS * size_in) - spikes * access(FIFO)
            expected["mem_pot"] -= 2 * row["input_count"] * co * 9 * access(size_out)
            neuron = row["output_count"] * e_add
            expected["ops"] += dense * e_mac + out * e_add + neuron - row["ops"]
            expected["addr"] += places * e_add - row["addr"]
        # weights and biases lie in one memory
        expected["params"] += (reads + out) * access(weights + co)
        if not any(a == name for a, _ in network.edges):
            # a readout has no neuron, which alone would update potentials at every timestep
            expected["mem_pot"] -= 2 * out * access(size_out)
    return expected


@pytest.mark.parametrize("what", NETWORKS)
def test_second_opinion(what, tmp_path):
    kind, params, binary = NETWORKS[what]
    ours, ask = both(kind, params, binary, tmp_path)
    rows, total = layers(ours)
    (found, energies), (same, standard) = ask(line()), ask(opinion.LemaireEnergyCostConfig())
    assert found == same
    if binary:  # operations and addressing are counted alike
        leak = TIMESTEPS * sum(
            int(np.prod(ours.network.shapes[n.name])) * (n.charge == "lif")
            for n in ours.network.only(Neuron)
        )
        assert found["ac"] == pytest.approx(total["syn_acc"], rel=1e-12)
        assert found["mac"] == total["syn_mac"] == leak
        assert found["acc_addr"] == pytest.approx(total["addr_acc"], rel=1e-12)
        assert found["mac_addr"] == pytest.approx(total["addr_mac"], rel=1e-12)
        assert found["write_out_bytes"] / 4 == pytest.approx(
            sum(r["output_count"] for r in rows.values() if r["output_is_binary"]), rel=1e-12
        )
    expected = otherwise(ours, rows)
    parts = {
        "mem_pot": "potential_pj",
        "params": "params_pj",
        "mem_io": "inout_pj",
        "ops": "ops_pj",
        "addr": "addressing_pj",
    }
    for name, theirs in parts.items():
        assert expected[name] == pytest.approx(energies[theirs], rel=1e-9), name
    batched, more = ask(line(), SAMPLES)
    once = 0 if binary else 4 * 9 * (1 - 1 / SAMPLES)  # a batch of numbers is addressed once
    assert batched.pop("acc_addr") == pytest.approx(found.pop("acc_addr") - once, rel=1e-12)
    assert batched == found
    assert more["memory_pj"] > energies["memory_pj"]  # its memories grow with the batch
    for about, each in (
        ("our memories", energies),
        (f"our memories, {SAMPLES} samples at once", more),
        ("its memories", standard),
    ):
        tell(f"{what}: SpikingJelly with {about}", total, each, parts)


def tell(title, total, energies, parts):
    sums = sum(energies[part] for part in parts.values())
    print(f"\n{title}: {sums / 1000:.2f} nJ, ours {total['total'] / 1000:.2f} nJ", end="")
    print(f", ratio {sums / total['total']:.4f}")
    ours = {"params": total["mem_weights"] + total["mem_bias"]} | total
    for name, part in parts.items():
        print(f"  {name:8} ours {ours[name]:12.1f} pJ, theirs {energies[part]:12.1f} pJ")
