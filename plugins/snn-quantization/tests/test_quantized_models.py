"""Quantised models: made of plain ones, calibrated, trained, saved, lowered."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import layer as sj
from spikingjelly.activation_based import neuron

from snn_framework_spikingjelly import SNN
from snn_kernel import (
    ConfigError,
    Context,
    NetworkError,
    RunError,
    Samples,
    Shapes,
    Splits,
    Training,
    configure,
)
from snn_kernel.network import Add, Conv, Linear, Neuron, Pool
from snn_kernel.plan import plan
from snn_network.reference import Reference
from snn_quantization.conversion import quantised
from snn_quantization.settings import QuantParams

torch.set_num_threads(1)
NEURON = {"kind": "LIFNode", "params": {"v_threshold": 0.4, "v_reset": False}}
SCNN = {
    **{"filters": [4, 6], "kernel_sizes": [3, 3], "paddings": [1, 1], "pool_sizes": [0, 2]},
    **{"fc_units": [8], "timesteps": 3, "batch_norm": True, "neuron": NEURON},
}


def splits(count=30):
    rng = np.random.default_rng(0)
    y = np.arange(count) % 3
    x = rng.random((count, 6, 6, 2)).astype(np.float32)
    x[np.arange(count), 2 * y, :, 0] += 1.5
    samples = Samples(x, y.astype(np.int64), "NHWC")
    return Splits(samples, samples.take(slice(9)), samples, 3)


def opened(folder, multi=False, kind=None):
    kind = kind or f"SpikingJelly{'MultiStep' * multi}"
    return configure("framework", kind, {"metrics": ["acc"]}).open(Context(3, folder))


def built(session, kind="QuantizedSCNN", multi=False, **changes):
    own = {"neuron": {**NEURON, "params": {**NEURON["params"], "step_mode": "sm"[multi]}}}
    config = configure("model", kind, SCNN | own | changes)
    return config.build(Shapes((6, 6, 2), (3,)), session)


def law_agrees(session, model, samples):
    found = session.predict(model, samples)
    logits, spikes = Reference(session.lower(model)).run(samples.channels_first())
    assert np.array_equal(logits, found.logits)
    for name, fired in spikes.items():
        assert np.array_equal(np.packbits(fired, axis=2), found.spikes[name]), name
    return found


def test_trained_saved_and_loaded_it_answers_the_same(tmp_path):
    session, test = opened(tmp_path), splits().samples("test")
    model = built(session)
    session.train(model, splits(), Training(2, 10))
    found = law_agrees(session, model, test)
    session.save(model, tmp_path / "w.safetensors")
    other = built(opened(tmp_path))
    session.load(other, tmp_path / "w.safetensors")
    again = session.predict(other, test)
    assert np.array_equal(again.logits, found.logits)
    assert session.lower(other) == session.lower(model)


def test_without_ranges_there_is_no_answer_but_a_reason(tmp_path):
    session, test = opened(tmp_path), splits().samples("test")
    with pytest.raises(RunError, match=r"'layers\.identity1\.quantizer_act' has no range yet"):
        session.predict(built(session), test)
    with pytest.raises(NetworkError, match="has no range yet"):
        session.lower(built(session))


def test_step_modes_train_to_the_same_numbers(tmp_path):
    made = []
    for multi in (False, True):
        session = opened(tmp_path / str(multi), multi)
        torch.manual_seed(0)
        model = built(session, multi=multi)
        history = session.train(model, splits(), Training(2, 10)).history
        made.append((model.state_dict(), [e.measures for e in history]))
    (one, first), (all_, second) = made
    assert first == second
    assert all(torch.equal(tensor, all_[name]) for name, tensor in one.items())


def test_the_neuron_may_be_written_either_way(tmp_path):
    session = opened(tmp_path)
    torch.manual_seed(0)
    plain = built(session)
    torch.manual_seed(0)
    params = {**NEURON["params"], "step_mode": "s"}
    other = built(session, neuron={"kind": "QuantizedLIFNode", "params": params})
    assert [type(m).__name__ for m in plain.modules()] == [
        type(m).__name__ for m in other.modules()
    ]
    for model in (plain, other):
        session.train(model, splits(), Training(1, 10))
    assert session.lower(plain) == session.lower(other)


def test_the_document_has_one_layer_for_each_module(tmp_path):
    session = opened(tmp_path)
    residual = {"filters": [4, 4], "kernel_sizes": [3, 3], "num_blocks": [1], "strides": [1, 2]}
    own = {**NEURON, "params": {**NEURON["params"], "step_mode": "s"}}
    config = configure(
        "model", "QuantizedSResNet", residual | {"neuron": own, "postpool": "avg", "timesteps": 3}
    )
    model = config.build(Shapes((6, 6, 2), (3,)), session)
    session.train(model, splits(), Training(1, 10, fit=False))
    network = session.lower(model)
    assert network.quantised
    assert network.input_format == model.identity1.quantizer_act.format
    kinds = [type(layer) for layer in network.layers]
    assert (kinds.count(Conv), kinds.count(Linear), kinds.count(Add)) == (4, 1, 1)
    assert all(n.state_format.bits == 8 for n in network.only(Neuron))
    assert {p.how for p in network.only(Pool)} == {"max", "avg"}
    assert all(layer.weight.dtype == np.int8 for layer in network.only(Conv))
    assert all(layer.accumulator == "int32" for layer in network.only(Conv))
    law_agrees(session, model, splits().samples("test"))


def test_a_formal_network_is_quantised_too(tmp_path):
    session = opened(tmp_path, kind="PyTorch")
    sizes = {k: v for k, v in SCNN.items() if k not in ("timesteps", "neuron")}
    model = configure("model", "CNN", sizes).build(Shapes((6, 6, 2), (3,)), session)
    session.train(model, splits(), Training(1, 10))
    made = quantised(model, QuantParams(bits=7))
    session.train(made, splits(), Training(1, 10))
    law_agrees(session, made, splits().samples("test"))


def qat(**params):
    given = {"model": {"params": {"quant_params": {"bits": 6}}}, "batch_size": 10} | params
    return configure("postprocessing", "QuantizationAwareTraining", given)


# A [[model]] that changes its quantisation.
SECTION = SimpleNamespace(
    update={"quant_params": {"bits": 12, "roundtype": "floor", "v": {"bits": 16}}}
)


def processed(session, section=None):
    from snn_kernel import Processed

    model = built(session, "SCNN")
    trained = session.train(model, splits(), Training(2, 10))
    prediction = session.predict(model, splits().samples("test"))
    return Processed("net", model, trained, section, Training(2, 10), prediction=prediction)


def test_post_training_and_aware(tmp_path):
    session = opened(tmp_path)
    before = processed(session)
    weights = {k: v.clone() for k, v in before.model.state_dict().items()}
    for epochs, steps in [(0, ["baseline", "PTQ"]), (2, ["baseline", "PTQ", "QAT"])]:
        outcome = qat(epochs=epochs).apply(before, splits(), session, session.context)
        table, history = outcome.tables
        assert table.columns[:3] == ("step", "width", "accuracy")
        assert [row[0] for row in table.rows] == steps
        assert [row[1] for row in table.rows] == [32, 6, 6][: len(steps)]
        assert len(history.rows) == 1 + epochs
        assert outcome.suffix == f"_q6_force_qoff_e{epochs}_LSQFalse"
        law_agrees(session, outcome.model, splits().samples("test"))
    for name, tensor in before.model.state_dict().items():
        assert torch.equal(tensor, weights[name])


def test_calibration_changes_no_weight(tmp_path):
    session = opened(tmp_path)
    before = processed(session)
    outcome = qat(epochs=0, evaluate_before=False).apply(before, splits(), session, session.context)
    assert [row[0] for row in outcome.tables[0].rows] == ["PTQ"]
    for name, parameter in before.model.named_parameters():
        assert torch.equal(outcome.model.get_parameter(name), parameter), name


def test_one_quantisation_after_another_has_ranges_of_its_own(tmp_path):
    session = opened(tmp_path)
    before = processed(session)
    alone = opened(tmp_path / "alone")
    quant = {"bits": 3, "range_setting": "mse_pot"}
    other = {"model": {"params": {"quant_params": quant}}}
    qat(epochs=1).apply(before, splits(), session, session.context)
    second = qat(epochs=1, **other).apply(before, splits(), session, session.context)
    single = qat(epochs=1, **other).apply(before, splits(), alone, alone.context)
    assert session.lower(second.model) == alone.lower(single.model)


def test_a_model_changes_its_own_quantisation(tmp_path):
    session = opened(tmp_path)
    outcome = qat(epochs=0).apply(processed(session, SECTION), splits(), session, session.context)
    assert outcome.suffix == "_q12_force_qoff_e0_LSQFalse"
    network = session.lower(outcome.model)
    conv, fired = network.only(Conv)[0], network.only(Neuron)[0]
    assert (conv.weight_format.bits, conv.weight_format.rounding) == (12, "floor")
    assert fired.state_format.bits == 16


DOCUMENT = {
    "bench": {},
    "learningframework": {"kind": "SpikingJelly"},
    "dataset": {"kind": "Digits"},
    "model": [{"name": "one", "kind": "SCNN", "params": SCNN}],
    "postprocessing": [
        {
            "kind": "QuantizationAwareTraining",
            "params": {"model": {"params": {"quant_params": {"bits": 8}}}},
        }
    ],
}


def with_(document, path, value):
    """A document with one value changed."""
    import copy

    made = copy.deepcopy(document)
    *parents, last = path
    place = made
    for key in parents:
        place = place[key]
    place[last] = value
    return made


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("model", 0, "kind"), "QuantizedSCNN", "is quantised already"),
        (("model", 0, "update"), {"quant_params": {"bit": 4}}, "did you mean 'bits'?"),
        (("model", 0, "update"), {"quant_params": {"bits": 1}}, "bits must be from 2 to 32"),
        (("model", 0, "update"), {"quant_params": 4}, "'quant_params' must be a table, not 4"),
        (("model", 0, "update"), {"quant": {}}, "no [[postprocessing]] reads model"),
        (
            ("model", 0, "params", "neuron", "kind"),
            "QuantizedIFNode",
            "(use kind = 'QuantizedSCNN' or neuron.kind = 'IFNode')",
        ),
        (
            ("postprocessing", 0, "params", "model", "params", "quant_params", "roundtype"),
            "up",
            "'roundtype' must be one of",
        ),
        (("postprocessing", 0, "params", "model"), {}, "missing key 'params'"),
        (("postprocessing", 0, "params", "optimizer"), {"kind": "Adm"}, "did you mean 'Adam'?"),
        (("postprocessing", 0, "params", "epochs"), -1, "epochs"),
        (("model", 0, "kind"), "QuantizedSCN", "did you mean 'QuantizedSCNN'?"),
    ],
)
def test_mistakes_are_found_when_planning(path, value, message):
    assert plan(DOCUMENT)
    with pytest.raises(ConfigError) as caught:
        plan(with_(DOCUMENT, path, value))
    assert message in str(caught.value)


def test_what_is_quantised_once_is_not_quantised_again():
    twice = DOCUMENT | {"postprocessing": 2 * DOCUMENT["postprocessing"]}
    with pytest.raises(ConfigError) as caught:
        plan(twice)
    (fault,) = caught.value.faults
    assert fault.where == "[postprocessing.1]"
    assert "the models are quantised already by [postprocessing.0]" in str(fault)
    assert "a [[model]] of its own with update.quant_params" in str(fault)


def test_updates_that_nothing_reads_are_no_secret():
    document = with_(DOCUMENT, ("model", 0, "update"), {"quant_params": {"bits": 4}})
    assert plan(document)
    with pytest.raises(ConfigError, match=r"reads model '\w+': update\.quant_params"):
        plan(document | {"postprocessing": []})


def test_quantised_neurons_are_for_quantised_models():
    neuron = ("model", 0, "params", "neuron", "kind")
    document = with_(DOCUMENT, ("model", 0, "kind"), "QuantizedSCNN") | {"postprocessing": []}
    assert plan(with_(document, neuron, "QuantizedIFNode"))
    with pytest.raises(ConfigError) as caught:
        plan(with_(DOCUMENT | {"postprocessing": []}, neuron, "QuantizedIFNode"))
    (fault,) = caught.value.faults
    assert fault.where == "[model.0.params.neuron]"


def test_deployers_refuse_what_has_no_format_when_planning():
    params = ("postprocessing", 0, "params", "model", "params", "quant_params")
    for path, table in [(params, {"quantype": "fake"}), (params, {"LSQ": True})]:
        document = with_(DOCUMENT, path, table) | {"deploy": {"deployer": {"kind": "ZigEngine"}}}
        if "quantype" not in table:
            assert plan(document)
            continue
        with pytest.raises(ConfigError) as caught:
            plan(document)
        text = str(caught.value)
        assert "[postprocessing.0]: ZigEngine cannot run networks quantised so" in text
        assert "quantype = 'fake'" in text


@pytest.mark.parametrize("target", ["ZigEngine", "Source"])
def test_deployers_see_what_a_model_changes_when_planning(target):
    """Its own table can break what is right for all others, and mend what is not."""
    update, params = ("model", 0, "update"), ("postprocessing", 0, "params", "model", "params")
    document = DOCUMENT | {"deploy": {"deployer": {"kind": target}}}
    fake = {"quant_params": {"quantype": "fake"}}
    with pytest.raises(ConfigError, match="quantype = 'fake'"):
        plan(with_(document, update, fake))
    mended = with_(document, update, {"quant_params": {"quantype": "fxp"}})
    assert plan(with_(mended, params, fake))


def test_generated_c_is_asked_for_the_bits_that_a_model_changes():
    update = ("model", 0, "update")
    deployer = {"kind": "Source", "params": {"quantize": ["int16"]}}
    document = DOCUMENT | {"deploy": {"deployer": deployer}}
    with pytest.raises(ConfigError, match="quantised to int8, and quantize asks for int16"):
        plan(document)
    assert plan(with_(document, update, {"quant_params": {"bits": 12}}))


class Foreign(SNN):
    """A model with a neuron that has no normal form, and a forward of its own."""

    def __init__(self, kind):
        super().__init__((4,), (2,), 2, {"kind": kind, "params": {}})
        self.first, self.fire, self.last = sj.Linear(4, 5), self.create_neuron(), sj.Linear(5, 2)

    def forward(self, x):
        return self.last(self.fire(self.first(x)))


def test_a_strangers_model_is_quantised_by_its_layers(tmp_path):
    session, rng = opened(tmp_path), np.random.default_rng(0)
    x = rng.normal(size=(8, 4)).astype(np.float32)
    samples = Samples(x, np.arange(8) % 2, "NC")
    model = quantised(Foreign("IFNode"), QuantParams())
    session.train(model, Splits(samples, None, samples, 2), Training(1, 4))
    law_agrees(session, model, samples)


def test_what_has_no_quantising_form_is_named():
    with pytest.raises(ConfigError) as caught:
        quantised(Foreign("ParametricLIFNode"), QuantParams())
    assert "layer 'fire'" in str(caught.value)
    assert "ParametricLIFNode has no quantising form" in str(caught.value)


@pytest.mark.parametrize("kind", [sj.Dropout, sj.Dropout2d, torch.nn.Dropout1d, torch.nn.Identity])
def test_what_vanishes_in_evaluation_stays_as_it_is(kind):
    model = Foreign("IFNode")
    model.drop = kind()
    assert type(quantised(model, QuantParams()).drop) is kind


def test_a_bare_node_of_spikingjelly_is_quantised():
    model = Foreign("IFNode")
    model.fire = neuron.LIFNode(tau=3.0, v_reset=None)
    made = quantised(model, QuantParams())
    assert type(made.fire).__name__ == "QuantizedLIFNode"
    assert type(model.fire) is neuron.LIFNode


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"quantype": "fake"}, "quantype = 'fake'"),
        ({"LSQ": True, "LSQ_scale": "real"}, "LSQ_scale = 'real'"),
        ({"w": {"quant_enable": False}}, "quant_enable = false"),
    ],
)
def test_settings_that_train_but_have_no_format_say_so(tmp_path, params, why):
    config = configure("model", "QuantizedSCNN", SCNN | {"quant_params": params})
    assert why in config.params_of(None).obstacle
    session = opened(tmp_path)
    model = config.build(Shapes((6, 6, 2), (3,)), session)
    session.train(model, splits(), Training(1, 10))
    with pytest.raises(NetworkError, match=why.split(" = ")[0]):
        session.lower(model)
    assert session.predict(model, splits().samples("test")).logits.shape == (30, 3)
