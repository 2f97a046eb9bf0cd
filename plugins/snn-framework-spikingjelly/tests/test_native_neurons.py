"""SpikingJelly's neuron classes as kinds: each one trains, or says why it cannot."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from spikingjelly.activation_based import layer as sj
from spikingjelly.activation_based import neuron, surrogate

from snn_framework_spikingjelly import SNN
from snn_framework_spikingjelly.framework import SpikingJelly, SpikingJellyMultiStep
from snn_framework_spikingjelly.natives import SpikingJellyNeurons, native
from snn_kernel import ConfigError, Context, Samples, Splits, Training, configure
from snn_kernel.plan import plan
from snn_kernel.registry import Registry

torch.set_num_threads(1)

NAMES = sorted(SpikingJellyNeurons().kinds("neuron"))
TIMESTEPS, UNITS = 4, 6
MULTI, SINGLE, EITHER = ("m",), ("s",), ("s", "m")
# What a class has no default for, or not one for our timesteps.
REQUIRED = {
    "DSRIFNode": {"T": TIMESTEPS},
    "DSRLIFNode": {"T": TIMESTEPS},
    "MPBNLIFNode": {"out_features": UNITS},
    "MaskedPSN": {"k": 2, "T": TIMESTEPS},
    "PSN": {"T": TIMESTEPS},
    "SimpleLIFNode": {"tau": 2.0, "decay_input": True},
    "SlidingPSN": {"k": 2},
    "GatedLIFNode": {"T": TIMESTEPS},
    "STBIFNode": {"q_threshold": 1.0, "level": 4},
}
TRAINED = {
    **dict.fromkeys(("DSRIFNode", "DSRLIFNode", "MaskedPSN", "PSN", "GatedLIFNode"), MULTI),
    "SLTTLIFNode": SINGLE,
    **dict.fromkeys(
        (
            *("ActivationAwareIFNode", "CUBALIFNode", "ComplementaryLIFNode", "EIFNode"),
            *("HalfThresholdIFNode", "IFNode", "ILIFNode", "IzhikevichNode", "KLIFNode"),
            *("LIFNode", "MPBNLIFNode", "ParametricLIFNode", "QIFNode", "RAFNode"),
            *("SimpleIFNode", "SimpleLIFNode", "SlidingPSN", "TernaryIFNode", "TernaryLIFNode"),
        ),
        EITHER,
    ),
}
REFUSED = {
    **dict.fromkeys(
        ("AdaptBaseNode", "BaseNode", "SimpleBaseNode"), "it is a base for other neurons"
    ),
    "MPBNBaseNode": "exactly one of out_features or out_channels",
    "NonSpikingBaseNode": "it is a base for other neurons",
    "NonSpikingIFNode": "it gives a list instead of spikes",
    "NonSpikingLIFNode": "it gives a list instead of spikes",
    "OTTTLIFNode": "it gives a list instead of spikes",
    "STBIFNode": "do not support autograd",
    "FewSpikeNode": "FewSpikeNode takes table, which no file can hold",
    "FlexSN": "FlexSN takes core and num_states, which no file can hold",
    "HGNode": "HGNode takes tables and gate_thresholds, which no file can hold",
    "LIAFNode": "missing key 'threshold_related'",
    "OutlierAwareThresholdNode": "missing key 'split_threshold'",
    **{n: "missing key 'act_dim'" for n in NAMES if n.startswith(("ILC", "NoisyILC"))},
    **{n: "missing key 'num_node'" for n in NAMES if n.startswith("Noisy") and "ILC" not in n},
}


class Net(SNN):
    """Two linear layers with neurons between them, which see images of one pixel if `images`."""

    def __init__(self, kind, step_mode, images):
        params = REQUIRED.get(kind, {})
        law = native(kind)(**params, step_mode=step_mode)
        super().__init__((UNITS,), (2,), TIMESTEPS, law)
        mode = {"step_mode": step_mode}
        self.fc = sj.Linear(UNITS, UNITS, **mode)
        self.images, self.flatten = images, sj.Flatten(**mode)
        self.neuron, self.out = self.create_neuron(), sj.Linear(UNITS, 2, **mode)

    def forward(self, x):
        x = 3 * self.fc(x)
        x = x.unsqueeze(-1).unsqueeze(-1) if self.images else x
        return self.out(self.flatten(self.neuron(x)))


def problem(seed):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(24) % 2)
    x = np.where(y[:, None] == np.arange(UNITS) % 2, 1, 0) + rng.normal(0, 0.2, (24, UNITS))
    return Samples(x.astype(np.float32), y.astype(np.int64), "NC")


def test_every_class_is_known_here_and_in_the_library():
    assert {*TRAINED, *REFUSED} == set(NAMES)
    public = {n for n, c in vars(neuron).items() if isinstance(c, type)}
    assert {n for n in public if n.endswith(("Node", "PSN", "SN"))} == set(NAMES)


@pytest.mark.parametrize(("kind", "mode"), [(k, m) for k, modes in TRAINED.items() for m in modes])
def test_one_epoch(tmp_path, kind, mode):
    framework = SpikingJellyMultiStep() if mode == "m" else SpikingJelly()
    opened = framework.open(Context(3, tmp_path))
    model = Net(kind, mode, images=kind == "GatedLIFNode")
    assert type(model.neuron) is getattr(neuron, kind)
    before = [p.detach().clone() for p in model.fc.parameters()]
    splits = Splits(problem(0), None, problem(1), 2)
    trained = opened.train(model, splits, Training(1, 8))
    assert np.isfinite(trained.history[0].measures["train_loss"])
    assert any(not torch.equal(a, b) for a, b in zip(before, model.fc.parameters(), strict=True))
    assert opened.predict(model, splits.test).logits.shape == (24, 2)


@pytest.mark.parametrize("kind", [k for k, modes in TRAINED.items() if modes != EITHER])
def test_the_only_step_mode_is_the_one(kind):
    (only,) = TRAINED[kind]
    law = native(kind)(**REQUIRED.get(kind, {}))
    assert law.step_mode == only
    other = "s" if only == "m" else "m"
    with pytest.raises(ValueError, match=f"SpikingJelly's {kind} .* step_mode '{other}', "):
        native(kind)(**REQUIRED.get(kind, {}), step_mode=other)


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_what_cannot_be_trained_says_why(kind):
    with pytest.raises(ConfigError) as caught:
        configure("neuron", kind, REQUIRED.get(kind, {}))
    assert REFUSED[kind] in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        ("ParametricLIFNode", {"init_tua": 2.0}, "'init_tua' (did you mean 'init_tau'?)"),
        ("ParametricLIFNode", {"init_tau": "2"}, "'init_tau' must be a number, not '2'"),
        ("ParametricLIFNode", {"init_tau": True}, "'init_tau' must be a number, not True"),
        ("ParametricLIFNode", {"init_tau": 0.5}, "it requires init_tau > 1.0"),
        ("ParametricLIFNode", {"v_threshold": float("nan")}, "must be a finite number, not nan"),
        ("ParametricLIFNode", {"v_reset": True}, "v_reset is false for a soft reset"),
        ("ParametricLIFNode", {"v_reset": float("inf")}, "must be a finite number, not inf"),
        ("ParametricLIFNode", {"decay_input": 1}, "'decay_input' must be true or false, not 1"),
        ("ParametricLIFNode", {"step_mode": "x"}, "'step_mode' must be one of 's', 'm', not 'x'"),
        ("ParametricLIFNode", {"backend": "numpy"}, "'backend' must be in"),
        ("ParametricLIFNode", {"surrogate_function": "Sigmod"}, "did you mean 'Sigmoid'?"),
        ("ParametricLIFNode", {"surrogate_function": "MultiLevelSpikeCount"}, "max_spike_count"),
        ("SimpleLIFNode", {"tau": 2.0}, "missing key 'decay_input'"),
        ("MaskedPSN", {"T": 4, "k": 2.5}, "'k' must be an integer, not 2.5"),
        ("MaskedPSN", {"T": 4, "k": 2, "step_mode": "s"}, "can not work in single-step mode"),
        ("GatedLIFNode", {"T": 4, "init_tau": 1.5}, "it requires init_tau < 1.0"),
        ("ParametricLIFNod", {}, "unknown neuron 'ParametricLIFNod' (did you mean 'ParametricLIF"),
    ],
)
def test_wrong_parameters_are_found_when_planning(kind, params, message):
    with pytest.raises(ConfigError) as caught:
        configure("neuron", kind, params)
    assert message in str(caught.value)


def test_parameters_arrive():
    params = {"init_tau": 3, "v_reset": False, "surrogate_function": "ATan", "v_threshold": 2}
    node = configure("neuron", "ParametricLIFNode", params).module(Context(0, Path()))
    assert (node.v_reset, node.v_threshold, node.step_mode) == (None, 2.0, "s")
    assert type(node.surrogate_function) is surrogate.ATan
    assert torch.isclose(1 / node.w.sigmoid(), torch.tensor(3.0))
    usual = configure("neuron", "ComplementaryLIFNode", {}).module(Context(0, Path()))
    assert type(usual.surrogate_function) is surrogate.Rect
    assert configure("neuron", "QIFNode", {}).v_reset == -0.1


def test_configs_travel_to_other_processes():
    law = configure("neuron", "KLIFNode", {"tau": 3.0, "v_reset": False, "step_mode": "m"})
    assert pickle.loads(pickle.dumps(law)) == copy.deepcopy(law) == law


def test_trying_a_neuron_draws_no_random_numbers_of_the_experiment():
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    configure("neuron", "PSN", {"T": 7})
    assert torch.equal(torch.rand(1), expected)


def test_the_step_mode_is_the_frameworks_where_none_is_given():
    law = configure("neuron", "ParametricLIFNode", {})
    assert not hasattr(law, "step_mode")
    assert SNN((2,), (2,), 4, law).create_neuron().step_mode == "s"
    assert not list(SpikingJellyMultiStep().check(planned(law), "[learningframework]"))
    (fault,) = SpikingJelly().check(planned(native("PSN")(T=4)), "[learningframework]")
    assert "step_mode 'm', framework SpikingJelly needs 's'" in str(fault)


def planned(law):
    made = attrs.make_class("Made", ["neuron"])(law)
    choice = attrs.make_class("Chosen", ["place", "config"])("[model.0]", made)
    model = attrs.make_class("Model", ["name", "choice", "optimizer"])
    return attrs.make_class("Plan", ["models"])((model("net", choice, None),))


def test_a_neuron_for_other_timesteps_is_refused():
    with pytest.raises(ConfigError, match=r"PSN has T = 8, the model 4 timesteps \(set params.T"):
        SNN((2,), (2,), 4, {"kind": "PSN", "params": {"T": 8}})


def test_a_backend_is_a_request():
    if torch.cuda.is_available():
        pytest.skip("CUDA is here: the request can be met")
    said: list[str] = []
    law = configure("neuron", "ParametricLIFNode", {"backend": "cupy"})
    law.module(Context(0, Path(), warn=said.append))
    (warning,) = said
    assert "'cupy' needs CUDA" in warning


def test_the_documentation_is_the_librarys_in_english():
    doc = native("ParametricLIFNode").__doc__
    lines = doc.splitlines()
    assert doc.isascii()
    assert "init_tau: the initial value of membrane time constant" in lines
    keys = [a.alias for a in attrs.fields(native("ParametricLIFNode"))]
    assert all(any(line.startswith(f"{key}: ") for line in lines) for key in keys)


def test_installed_kinds_come_first_and_without_makes_room():
    pytest.importorskip("snn_neurons_lif")
    registry = Registry.discover()
    assert registry.find("neuron", "LIFNode").plugin == "snn-neurons-lif"
    ours = "snn-framework-spikingjelly"
    found = registry.without(["snn-neurons-lif"]).find("neuron", "LIFNode")
    assert (found.plugin, found.kind.config) == (ours, native("LIFNode"))
    with pytest.raises(ConfigError, match="unknown neuron 'ParametricLIFNode'"):
        registry.without([ours]).find("neuron", "ParametricLIFNode")
    assert not SpikingJellyNeurons().kinds("model")


EXPERIMENT = {
    "bench": {"seed": 1},
    "learningframework": {"kind": "SpikingJellyMultiStep"},
    "dataset": {"kind": "Digits"},
    "model": [
        {
            "name": "net",
            "kind": "SMLP",
            "params": {"timesteps": 4, "units": [8], "neuron": {"kind": "ParametricLIFNode"}},
        }
    ],
}


def test_a_plan_finds_it_and_a_deployer_refuses_it():
    for needed in ("snn_models", "snn_datasets", "sklearn", "snn_deploy_engine"):
        pytest.importorskip(needed)
    found = plan(EXPERIMENT)
    assert isinstance(found.models[0].choice.config.neuron, native("ParametricLIFNode"))
    with pytest.raises(ConfigError, match="its neuron ParametricLIFNode has no lowered form"):
        plan({**EXPERIMENT, "deploy": {"deployer": {"kind": "ZigEngine"}}})


def test_a_misspelt_name_imports_no_torch():
    code = (
        "import sys\n"
        "from snn_kernel.errors import ConfigError\n"
        "from snn_kernel.registry import Registry\n"
        "try:\n    Registry.discover().find('neuron', 'LIFNod')\n"
        "except ConfigError as error:\n    print(error)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "did you mean 'LIFNode'?" in done.stdout


def test_the_command_documents_it():
    command = [sys.executable, "-m", "snnk", "kinds", "KLIFNode"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "neuron 'KLIFNode' from snn-framework-spikingjelly" in done.stdout
    assert "  tau: a number, default 2.0" in done.stdout.splitlines()
