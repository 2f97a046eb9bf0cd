"""What NIR cannot say, told when planning, when deploying and by the command."""

from __future__ import annotations

import itertools
import subprocess
import sys
from types import SimpleNamespace

import nir
import numpy as np
import pytest

from snn_kernel import Context, Processed, RunError, Trained
from snn_kernel.network import (
    INPUT,
    Add,
    BatchNorm,
    Conv,
    Format,
    GlobalSum,
    Linear,
    Network,
    Neuron,
    Pool,
    Relu,
)
from snn_nir import deployer
from snn_nir.command import main
from snn_nir.deployer import NIR
from snn_nir.export import faults, graph
from snn_nir.graphfile import read, write

ONE = np.ones(1, np.float32)
KERNEL = np.ones((1, 1, 1, 1), np.float32)


def chain(*layers, shape=(1,), timesteps=2):
    names = [INPUT, *(layer.name for layer in layers)]
    return Network(layers, tuple(itertools.pairwise(names)), shape, timesteps)


@pytest.mark.parametrize(
    ("layer", "shape", "what"),
    [
        (Relu("x"), (1,), "is a rectifier"),
        (BatchNorm("x", ONE, ONE), (1,), "is a batch normalisation.*FuseBatchNorm"),
        (Pool("x", "max", (1, 1), (1, 1), (0, 0)), (1, 2, 2), "is a max-pool"),
        (Pool("x", "avg", (1,), (1,), (0,)), (1, 2), "pools over 1 axes, and NIR over two"),
        (GlobalSum("x"), (1, 4), "pools over 1 axes"),
        (Conv("x", KERNEL[..., None], None, (1,) * 3, (0,) * 3), (1, 2, 2, 2), "over 3 axes"),
        (Linear("x", ONE[None].astype(np.float64), None), (1,), "its weight is float64"),
        (Linear("x", ONE[None], None, format=Format(8, 2)), (1,), "puts values on a grid"),
        (Neuron("x", 1.0, bias=0.5), (1,), "gains 0.5 at every timestep"),
        (Neuron("x", 1.0, decay=1.5), (1,), "its decay 1.5 is that of no time constant"),
        (Neuron("x", 1.0, charge="lif", tau=0.5), (1,), "its tau of 0.5 timesteps"),
        (Neuron("x", np.inf), (1,), "its threshold is inf"),
        (Neuron("x", 1.0, gain=1e38), (1,), "as NIR has it, its r is inf"),
        (Neuron("x/y", 1.0), (1,), "its name cannot be that of a node"),
        (Neuron(".", 1.0), (1,), "its name cannot be that of a node"),
    ],
)
def test_what_nir_cannot_say(layer, shape, what):
    with pytest.raises(RunError, match=what) as caught:
        graph(chain(layer, shape=shape))
    assert f"layer '{layer.name}'" in str(caught.value)


def test_all_of_it_is_told_at_once():
    norm = BatchNorm("norm", ONE, ONE)
    found = list(faults(chain(norm, Relu("relu"), Neuron("n", 1.0, bias=1.0))))
    assert [fault.where for fault in found] == ["layer 'norm'", "layer 'relu'", "layer 'n'"]


def test_quantised_networks():
    quantised = Neuron("n", 1.0, state_format=Format(8, 2))
    edges = ((INPUT, "n"),)
    (fault,) = faults(Network((quantised,), edges, (1,), 1, input_format=Format(8, 2)))
    assert "computes in fixed point" in fault.what


def test_what_reaches_a_node_twice():
    layers = (Neuron("a", 1.0), Neuron("b", 1.0), Add("ab"), Add("aab"))
    edges = ((INPUT, "a"), (INPUT, "b"), ("a", "ab"), ("b", "ab"), ("a", "aab"), ("ab", "aab"))
    with pytest.raises(RunError, match="sums take the same twice: a into aab, and NIR's edges are"):
        graph(Network(layers, edges, (1,), 1))


def test_names_that_are_taken():
    layers = (Neuron("output", 1.0, payload=0.5), Neuron("output.scale", 1.0))
    made = graph(chain(*layers))
    assert list(made.nodes) == [
        *(INPUT, "output", "output.scale_", "output.scale", "output_"),
    ]


def plan(neuron=None, spiking=True, before=(), **settings):
    """A plan of one model with these settings, as far as `check` looks at it."""
    config = SimpleNamespace(neuron=neuron, **settings)
    choice = SimpleNamespace(config=config, place="[model]")
    items = [
        SimpleNamespace(choice=SimpleNamespace(kind=kind, config=made, place="[[postprocessing]]"))
        for kind, made in before
    ]
    return SimpleNamespace(
        models=[SimpleNamespace(name="m", choice=choice)],
        postprocessings=items,
        framework=SimpleNamespace(config=SimpleNamespace(spiking=spiking)),
    )


FUSE = ("FuseBatchNorm", SimpleNamespace())
QUANTISE = ("QuantizationAwareTraining", SimpleNamespace(params_of=lambda _: SimpleNamespace()))


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"neuron": object()}, "has no lowered form"),
        ({"spiking": False}, "its rectifiers have no node"),
        ({"pool_sizes": (0, 2)}, "NIR has no max-pool (pool_sizes"),
        ({"pool_sizes": 2}, "NIR has no max-pool (pool_sizes"),
        ({"postpool": "max"}, "NIR has no max-pool (postpool"),
        ({"batch_norm": True}, "NIR has no batch normalisation"),
        ({"before": (QUANTISE,)}, "is quantised"),
        ({"pool_sizes": (1, 0), "postpool": "avg", "batch_norm": True, "before": (FUSE,)}, ""),
    ],
)
def test_what_is_refused_when_planning(settings, what):
    found = list(NIR().check(plan(**settings), "[deploy]"))
    assert len(found) == bool(what)
    assert all(f"model 'm'{text[9:]}" == text and what in text for text in found)


def test_wrong_fields():
    for dt in (0.0, -1.0, np.inf):
        with pytest.raises(ValueError, match="dt"):
            NIR(dt=dt)


@pytest.fixture
def told(tmp_path):
    return Context(seed=1, folder=tmp_path, warn=warned.append)


warned: list[str] = []


def processed(network, obstacle=""):
    return Processed("toy", None, Trained(None), network=network, obstacle=obstacle)


def test_what_is_deployed(told):
    warned.clear()
    written = chain(Linear("fc", np.ones((2, 1), np.float32), None), Neuron("n", 1.0))
    made = NIR(dt=1e-3).deploy(processed(written), None, told)
    assert made.target == "NIR"
    assert made.files == {"nir": told.folder / "toy.nir"}
    assert (made.prediction, made.measures, warned) == (None, (), [])
    (table,) = made.tables
    assert table.rows == (("fc", "Linear", "2", ""), ("n", "IF", "2", "reset by subtraction"))


def test_a_graph_that_the_package_misjudges(told):
    """Groups are NIR's, but its own check of types does not know them."""
    warned.clear()
    conv = Conv("conv", np.ones((2, 1, 1, 1), np.float32), None, (1, 1), (0, 0), groups=2)
    NIR().deploy(processed(chain(conv, Neuron("n", 1.0), shape=(2, 2, 2))), None, told)
    assert len(warned) == 1
    assert "type_check=False" in warned[0]


def test_a_graph_that_does_not_come_back(told, monkeypatch):
    monkeypatch.setattr(deployer, "TARGET", "NIR")
    monkeypatch.setattr("snn_nir.reading.network", lambda *_, **__: None)
    with pytest.raises(RunError, match="what is read back is not the network that was written"):
        NIR().deploy(processed(chain(Neuron("n", 1.0))), None, told)
    with pytest.raises(RunError, match="'toy' cannot become NIR: it is opaque"):
        NIR().deploy(processed(None, "it is opaque"), None, told)


def test_the_command(tmp_path, capsys):
    written = chain(Neuron("n", 1.0, charge="lif", tau=2.0), timesteps=5)
    document, made = tmp_path / "a.network", tmp_path / "a.nir"
    document.write_bytes(written.pack())
    assert main(["write", str(document), str(made), "--dt", "1e-3"]) == 0
    assert "reset by subtraction" in capsys.readouterr().out
    assert main(["show", str(made)]) == 0
    shown = capsys.readouterr().out
    assert "tau 0.002, r 1, v_leak 0, v_threshold 1, v_reset 0 (1)" in shown
    assert "as a network: 1 layers, input 1 (static), 5 timesteps" in shown
    again = tmp_path / "b.network"
    assert main(["read", str(made), str(again)]) == 0
    assert again.read_bytes() == document.read_bytes()
    ways = ["--dt", "1e-3", "--reset", "subtract", "--timesteps", "7", "--plain"]
    assert main(["read", str(made), str(again), *ways]) == 0
    found = Network.unpack(again.read_bytes())
    assert (found.timesteps, found.layers) == (7, written.layers)


def test_integrators_that_hardly_move_are_told(tmp_path, capsys):
    """A graph that counts timesteps, read as if it had seconds, would be silent."""
    kind = nir.IF(r=np.ones(3), v_threshold=np.ones(3), v_reset=np.zeros(3))
    shape = {"input": np.array([3])}
    nodes = {"in": nir.Input(shape), "n": kind, "out": nir.Output({"output": np.array([3])})}
    nir.write(tmp_path / "a.nir", nir.NIRGraph(nodes, [("in", "n"), ("n", "out")]))
    where = [str(tmp_path / "a.nir"), str(tmp_path / "a.network")]
    assert main(["read", *where]) == 0
    assert "hint: 'n' integrates 0.0001 of its input per timestep" in capsys.readouterr().out
    assert main(["read", *where, "--dt", "1"]) == 0
    assert "hint" not in capsys.readouterr().out


def test_show_tells_why_a_graph_is_no_network(tmp_path, capsys):
    made = graph(chain(Neuron("n", 1.0)))
    made.edges.append(("n", "n"))
    assert main(["show", str(write(tmp_path / "loop.nir", made))]) == 0
    shown = capsys.readouterr().out
    assert "n, output" in shown or "output, n" in shown
    assert "no network here:\nloop.nir: is recurrent (n → n)" in shown


@pytest.mark.parametrize(
    "arguments",
    [["read", "a", "b", "--dt", "0"], ["read", "a", "b", "--timesteps", "0"], ["dance"], []],
)
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: snnk nir" in capsys.readouterr().err


def test_files_that_the_command_cannot_read(tmp_path):
    for name, data in (("absent", None), ("other", b"x")):
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data)
        for verb, target in (("read", "a.network"), ("write", "a.nir")):
            command = [sys.executable, "-m", "snnk", "nir", verb, str(path), str(tmp_path / target)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 2
            assert "Traceback" not in done.stderr
            assert name in done.stderr
    assert not (tmp_path / "a.nir").exists()


def test_the_plugin_is_light():
    code = (
        "import sys, snn_nir.plugin as p; [k.config for k in p.snnk_deployers()];"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"nir", "h5py", "torch", "numpy"} & set(done.stdout.split())


def test_what_reads_a_graph_checks_its_types(tmp_path):
    """Square windows without groups pass the package's own check too."""
    conv = Conv("conv", np.ones((2, 1, 3, 3), np.float32), None, (2, 2), (1, 1))
    layers = (conv, Neuron("n", 1.0), GlobalSum("sum"))
    path = write(tmp_path / "a.nir", graph(chain(*layers, shape=(1, 5, 5))))
    assert deployer.refused(path) == ""
    assert list(read(path).nodes) == ["conv", "input", "n", "output", "sum", "sum.flatten"]
