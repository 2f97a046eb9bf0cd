"""The documented calls of Specksim, on networks of torch; MNIST through a converted network."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from event_networks import events
from event_reference import reference

from snn_engine import EngineError, Event, EventEngine, from_model, from_sequential
from snn_engine.sequential import lower
from snn_kernel import RunError

torch = pytest.importorskip("torch")
nn = torch.nn

SHARED = Path(os.environ.get("SNNK_SHARED", Path(__file__).parents[3] / "shared"))
WEIGHTS = SHARED / "data" / "sinabs_weights" / "mnist_params.pt"
IMAGES = SHARED / "data" / "mnist"
INPUT = (1, 28, 28)


def documented():
    """The network of Specksim's documentation."""
    return nn.Sequential(
        nn.Conv2d(1, 20, 5, 1, bias=False),
        nn.ReLU(),
        nn.AvgPool2d(2, 2),
        nn.Conv2d(20, 32, 5, 1, bias=False),
        nn.ReLU(),
        nn.AvgPool2d(2, 2),
        nn.Conv2d(32, 128, 3, 1, bias=False),
        nn.ReLU(),
        nn.AvgPool2d(2, 2),
        nn.Flatten(),
        nn.Linear(128, 500, bias=False),
        nn.ReLU(),
        nn.Linear(500, 10, bias=False),
    )


def small(bias=False):
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, bias=bias), nn.ReLU(), nn.AvgPool2d(2))
    ann = nn.Sequential(body, nn.Flatten(), nn.Linear(4 * 3 * 3, 5, bias=bias))
    with torch.no_grad():
        for parameter in ann.parameters():
            parameter.abs_()
    return from_model(ann, add_spiking_output=True, batch_size=1).spiking_model


def records(count=60):
    return events(lower(small(), (2, 6, 6)).network, count, 3)


def test_the_documents_own_lines():
    """As they stand there, but for the input event, whose array makes four events of one."""
    snn = from_model(documented(), add_spiking_output=True, batch_size=1).spiking_model
    specksim_network = from_sequential(snn, input_shape=(1, 28, 28))
    x, y, t, p = 10, 10, 100_000, 0
    wrong = np.array([x, y, t, p], dtype=specksim_network.output_dtype)
    with pytest.raises(EngineError, match="four has x = y = t = p"):
        specksim_network(wrong)
    input_event = np.array([(x, y, t, p)], dtype=specksim_network.output_dtype)
    output_event = specksim_network(input_event)
    assert output_event.dtype == specksim_network.output_dtype
    assert output_event.dtype.names == ("x", "y", "t", "p")
    specksim_network.reset_states()
    specksim_network.close()


def test_events_states_and_monitors_are_those_of_the_reference():
    made = lower(small(), (2, 6, 6))
    given = records()
    expected = reference(made.network, given, Event())
    with from_sequential(small(), (2, 6, 6), monitor=("0.1",)) as network:
        assert not len(network.monitored["0.1"])
        out = network(given)
        np.testing.assert_array_equal(out, expected["3"][0])
        np.testing.assert_array_equal(network.monitored["0.1"], expected["0.1"][0])
        np.testing.assert_array_equal(network.state("0.1"), expected["0.1"][1].v)
        assert network.state("0.1").shape == (4, 6, 6)
        assert network.counters()["3"]["events_out"] == len(out) > 0
        again = network((1, 1, 9999, 0))
        assert set(again["t"]) <= {9999}
        network.reset_states()
        assert not network.state("0.1").any()
        np.testing.assert_array_equal(network(given), out)


def test_biases_act_per_timestep():
    with pytest.raises(EngineError, match="dt_us"):
        from_sequential(small(bias=True), (2, 6, 6))
    made = lower(small(bias=True), (2, 6, 6))
    given = records()
    emitted, _ = reference(made.network, given, Event(dt_us=50))["3"]
    with from_sequential(small(bias=True), (2, 6, 6), dt_us=50) as network:
        np.testing.assert_array_equal(network(given), emitted)


def test_neurons_of_spikingjelly():
    """No floor, and one spike per event at most."""
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    torch.manual_seed(1)
    linear = nn.Linear(6, 4, bias=False)
    model = nn.Sequential(nn.Flatten(), linear, neuron.IFNode(0.2, v_reset=None))
    with torch.no_grad():
        linear.weight.mul_(3)
    given = np.zeros(50, [("p", "u1"), ("t", "i8"), ("x", "u2"), ("y", "u2")])
    given["p"] = np.arange(50) % 6
    made = lower(model, (6, 1, 1)).network
    emitted, neurons = reference(made, given, Event(floor=None, single_spike=True))["2"]
    with from_sequential(model, (6, 1, 1)) as network:
        np.testing.assert_array_equal(network(given), emitted)
        np.testing.assert_array_equal(network.state("2"), neurons.v)
    assert neurons.v.min() < -1


def test_layers_that_cannot_be_taken():
    with pytest.raises(RunError, match="a spiking layer must follow"):
        from_sequential(documented(), INPUT)
    with pytest.raises(RunError, match="input_shape"):
        from_sequential(small(), (1, 6, 6))


def test_isolated_event_execution():
    made = lower(small(), (2, 6, 6)).network
    with EventEngine.load(made) as ours, EventEngine.load(made, isolated=True) as theirs:
        assert ours.run(records()) == theirs.run(records())
        np.testing.assert_array_equal(ours.state("3"), theirs.state("3"))
        theirs._handle._process.kill()
        with pytest.raises(EngineError, match="process ended"):
            theirs.run(records())


def mnist(count):
    with gzip.open(IMAGES / "t10k-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(16 + count * 784)[16:], np.uint8).reshape(-1, 28, 28)
    with gzip.open(IMAGES / "t10k-labels-idx1-ubyte.gz") as file:
        return images, np.frombuffer(file.read(8 + count)[8:], np.uint8)


def coded(image, steps, rng):
    """An event with probability pixel / 255 per pixel and timestep of 1 ms."""
    t, y, x = np.nonzero(rng.random((steps, *image.shape)) * 255 < image)
    made = np.zeros(len(t), [(name, "<u4") for name in "xytp"])
    made["x"], made["y"], made["t"] = x, y, 1000 * t
    return made


def accuracy(count, steps):
    """Of the documented network with its trained weights, on rate-coded test images."""
    if not (WEIGHTS.exists() and IMAGES.exists()):
        pytest.skip(f"{SHARED} holds no trained weights and test images of MNIST")
    ann = documented()
    ann.load_state_dict(torch.load(WEIGHTS, map_location="cpu", weights_only=True))
    snn = from_model(ann, add_spiking_output=True, batch_size=1).spiking_model
    images, labels = mnist(count)
    rng = np.random.default_rng(0)
    right = 0
    with from_sequential(snn, INPUT) as network:
        for image, label in zip(images, labels, strict=True):
            network.reset_states()
            out = network(coded(image, steps, rng))
            right += int(np.bincount(out["p"], minlength=10).argmax() == label)
    print(f"{right} of {count} MNIST test images right, {steps} timesteps each")
    return right / count


def test_mnist_briefly():
    assert accuracy(20, 100) >= 0.85


@pytest.mark.slow
def test_mnist():
    assert accuracy(1000, 100) > 0.95
