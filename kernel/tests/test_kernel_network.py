"""Documents survive the round trip; whatever else arrives is refused with a reason."""

from __future__ import annotations

import itertools
from typing import Any

import msgpack
import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_kernel.network import (
    INPUT,
    Add,
    BatchNorm,
    Conv,
    Flatten,
    Format,
    GlobalSum,
    Linear,
    Network,
    NetworkError,
    Neuron,
    Pool,
    Relu,
)

f32 = np.float32


def conv(name: str, cout: int, cin: int, k: int, **options: Any) -> Conv:
    weight = np.arange(cout * cin * k * k, dtype=f32).reshape(cout, cin, k, k)
    sides = {"stride": (1, 1), "padding": (k // 2, k // 2)} | options
    return Conv(name, weight, np.ones(cout, f32), **sides)


def small() -> Network:
    layers = (
        conv("c1", 4, 2, 3),
        BatchNorm("bn", np.ones(4, f32), np.zeros(4, f32)),
        Neuron("n1", 0.75, decay=0.5, gain=0.5, reset="value", value=-0.25, charge="lif", tau=2.0),
        conv("c2", 4, 4, 1, accumulator="float64"),
        Add("add"),
        Pool("p", "max", (2, 2), (2, 2), (0, 0)),
        Neuron("n2", 1.0),
        Flatten("f"),
        Linear("fc", np.ones((3, 36), f32), None),
    )
    chain = [INPUT, "c1", "bn", "n1", "c2", "add", "p", "n2", "f", "fc"]
    edges = (*itertools.pairwise(chain), ("n1", "add"))
    return Network(layers, edges, (2, 6, 7), 4, input_format=Format(9, 4))


def test_shapes() -> None:
    shapes = small().shapes
    assert shapes["c1"] == shapes["add"] == (4, 6, 7)
    assert shapes["p"] == (4, 3, 3)
    assert shapes["fc"] == (3,)
    assert [n.name for n in small().only(Neuron)] == ["n1", "n2"]


def test_one_dimension_and_global_sum() -> None:
    layers = (Conv("c", np.ones((4, 1, 5), f32), None, (2,), (1,), groups=2), GlobalSum("g"))
    network = Network(layers, ((INPUT, "c"), ("c", "g")), (2, 11), 1)
    assert network.shapes == {INPUT: (2, 11), "c": (4, 5), "g": (4,)}


def test_round_trip() -> None:
    network = small()
    assert Network.unpack(network.pack()) == network
    assert Network.unpack(memoryview(network.pack())).pack() == network.pack()


finite = st.floats(-1e6, 1e6, width=32)
neurons = st.builds(
    Neuron,
    name=st.just("n"),
    threshold=finite,
    decay=finite,
    reset=st.sampled_from(["subtract", "value"]),
    charge=st.sampled_from(["normal", "lif", "lif_undecayed"]),
    tau=finite,
)


formats = st.none() | st.builds(
    Format,
    bits=st.integers(2, 25),
    fraction=st.integers(-20, 60),
    rounding=st.sampled_from(["nearest", "floor", "ceil"]),
)
accumulators = st.sampled_from(["float32", "float64", "int32", "int64"])


@given(formats, formats, formats, formats, accumulators, st.sampled_from(["max", "avg", "sum"]))
def test_round_trip_of_formal_layers(a: Any, b: Any, c: Any, d: Any, kind: Any, how: Any) -> None:
    layers = (
        Relu("r", a),
        Pool("p", how, (2,), (1,), (1,), kind, b),
        Add("a", c),
        GlobalSum("g", kind, d),
    )
    edges = ((INPUT, "r"), ("r", "p"), ("p", "a"), ("p", "a"), ("a", "g"))
    network = Network(layers, edges, (2, 5), 1)
    assert Network.unpack(network.pack()) == network
    assert network.shapes == {INPUT: (2, 5), "r": (2, 5), "p": (2, 6), "a": (2, 6), "g": (2,)}


@given(neurons, st.integers(1, 5), st.integers(1, 5), st.sampled_from(["f4", "i1", "i4", "f8"]))
def test_round_trip_of_any_layer(neuron: Neuron, n: int, k: int, dtype: str) -> None:
    weight = np.arange(n * k).reshape(n, k).astype(dtype)
    network = Network((Linear("l", weight, None), neuron), ((INPUT, "l"), ("l", "n")), (k,), 3)
    again = Network.unpack(network.pack())
    assert again == network
    assert again.layers[0].weight.dtype == weight.dtype


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"timesteps": 0}, "needs timesteps"),
        ({"layers": ()}, "needs timesteps, layers"),
        ({"input_shape": (0, 2)}, "a shape of its input"),
        ({"input_shape": (3, 6, 7)}, "'c1' does not fit"),
        ({"input_shape": (2, 6)}, "'c1' does not fit"),
        ({"edges": ((INPUT, "c1"), ("c1", "x"))}, "layers that are not there: ['x']"),
        ({"edges": ((INPUT, "c1"),)}, "must be the readout"),
    ],
)
def test_contradictions(change: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError) as caught:
        evolve(small(), **change)
    assert message in str(caught.value)


def test_order_names_and_inputs() -> None:
    a, b = Neuron("a", 1.0), Neuron("b", 1.0)
    with pytest.raises(NetworkError, match="comes before its input"):
        Network((b, a, Neuron("c", 1.0)), ((INPUT, "a"), ("a", "b"), ("b", "c")), (2,), 1)
    with pytest.raises(NetworkError, match="not unique"):
        Network((a, a), ((INPUT, "a"),), (2,), 1)
    with pytest.raises(NetworkError, match="has 2 inputs"):
        Network((a, b), ((INPUT, "a"), (INPUT, "b"), ("a", "b")), (2,), 1)
    pool = Pool("p", "avg", (9, 9), (1, 1), (0, 0))
    with pytest.raises(NetworkError, match="'p' does not fit"):
        Network((pool,), ((INPUT, "p"),), (1, 4, 4), 1)


def tampered(change: Any) -> bytes:
    document = msgpack.unpackb(small().pack())
    change(document)
    packed: bytes = msgpack.packb(document)
    return packed


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a network document"),
        (b"\xc1", "not a network document"),
        (msgpack.packb([1]), "'format' is not"),
        (tampered(lambda d: d.update(version=2)), "version 2"),
        (tampered(lambda d: d.update(surprise=1)), "surprise"),
        (tampered(lambda d: d.update(timesteps=True)), "timesteps"),
        (tampered(lambda d: d.update(timesteps="4")), "timesteps"),
        (tampered(lambda d: d.update(mode="always")), "mode"),
        (tampered(lambda d: d["layers"][0].update(type="Conf")), "layers[0]"),
        (tampered(lambda d: d["layers"][0]["weight"].update(shape=[9])), "layers[0].weight"),
        (tampered(lambda d: d["layers"][0]["weight"].update(dtype="|O")), "layers[0].weight"),
        (tampered(lambda d: d["layers"][0]["weight"].update(shape=[-72, -1])), "weight"),
        (tampered(lambda d: d["layers"][0].update(stride=[0, 1])), "'c1' does not fit"),
        (tampered(lambda d: d["edges"].append([1, 2])), "edges"),
        (tampered(lambda d: d["layers"][5].update(format={"bits": 9})), "layers[5]"),
        (tampered(lambda d: d["layers"][5].update(format=[9, 4])), "layers[5]"),
        (tampered(lambda d: d["layers"][5].update(accumulator="float16")), "layers[5]"),
    ],
)
def test_refused(data: bytes, message: str) -> None:
    with pytest.raises(NetworkError) as caught:
        Network.unpack(data)
    assert message in str(caught.value)


@settings(max_examples=300)
@given(st.data())
def test_damaged_documents_are_refused_or_read(data: st.DataObject) -> None:
    packed = bytearray(small().pack())
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(packed)))
    for damaged in (bytes(packed), bytes(packed[:cut])):
        try:
            assert isinstance(Network.unpack(damaged), Network)
        except NetworkError:
            continue


@given(st.integers(2, 25), st.integers(-8, 20), st.lists(st.floats(-4e3, 4e3), min_size=1))
def test_format_is_the_law(bits: int, fraction: int, values: list[float]) -> None:
    x = np.array(values)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    for rounding in ("nearest", "floor", "ceil"):
        form = Format(bits, fraction, rounding)  # type: ignore[arg-type]
        integers = form.quantise(x)
        scaled = x * 2.0**fraction
        exact = {"nearest": np.floor(scaled + 0.5), "floor": np.floor(scaled)}
        assert np.array_equal(integers, np.clip(exact.get(rounding, np.ceil(scaled)), low, high))
        on_grid = form.apply(x)
        assert np.array_equal(form.apply(on_grid), on_grid)
        assert np.array_equal(on_grid.astype(np.float64) * 2.0**fraction, integers)
