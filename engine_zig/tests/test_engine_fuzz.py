"""Whatever bytes arrive: a reply, never a crash, and an engine that works on."""

import copy
import math

import msgpack
import numpy as np
import pytest
from engine_corpus import rich, whole
from engine_networks import frames, networks
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_engine import Engine, EngineError
from snn_engine.library import Handle
from snn_kernel.network import Linear, Network

CODES = {"malformed", "invalid", "unsupported", "limit", "state", "frames", "memory"}
ONE = np.ones((1, 1), np.float32)


def ask(handle: Handle, message: object) -> dict:
    packed = message if isinstance(message, bytes) else msgpack.packb(message)
    return msgpack.unpackb(bytes(handle.call(packed)))


def refused(reply: dict) -> bool:
    if reply["ok"]:
        return False
    assert reply["error"]
    assert reply["code"] in CODES
    return True


def exercise(handle: Handle, request: bytes) -> None:
    """Ask; if that loaded something light, run it; then the engine must still work."""
    reply = ask(handle, request)
    if not refused(reply) and "frame_bytes" in reply and reply["work"] < 1e7:
        # As integers, from -2 to 1: every format takes them.
        data = np.resize(np.array([-2, 1, 0, 1, -1], "<i4"), reply["frame_bytes"] // 4).tobytes()
        run = {"op": "run", "samples": 1, "threads": 2, "spikes": True, "frames": data}
        made = ask(handle, run)
        assert made["ok"]
        assert len(made["logits"]) == 4 * reply["outputs"]
    ask(handle, {"op": "unload"})


@pytest.fixture(scope="module")
def handle():
    made = Handle()
    yield made
    made.close()
    with Engine.load(rich()) as engine:
        assert engine.run(np.ones((1, 1, 4, 4), np.float32)).logits.shape == (1, 3)


@given(st.binary(max_size=200))
@settings(max_examples=500, deadline=None)
def test_random_bytes(handle, data):
    assert refused(ask(handle, data))


scalars = st.none() | st.booleans() | st.floats() | st.text() | st.binary()
numbers = st.integers(-(2**63), 2**64 - 1)
messages = st.recursive(
    scalars | numbers, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(messages)
@settings(max_examples=200, deadline=None)
def test_any_other_message(handle, message):
    assert refused(ask(handle, message))
    assert refused(ask(handle, {"op": message}))
    assert refused(ask(handle, {"op": "load", "network": message}))
    assert refused(ask(handle, {"op": "run", "samples": message, "frames": message}))


@pytest.mark.parametrize("make", [rich, whole])
@given(data=st.data())
@settings(max_examples=600, deadline=None)
def test_damaged_documents(handle, make, data):
    request = bytearray(msgpack.packb({"op": "load"}) + msgpack.packb("network") + make().pack())
    request[0] = 0x82
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(request) - 1))
        request[at] = data.draw(st.integers(0, 255))
    exercise(handle, bytes(request))


@pytest.mark.parametrize("make", [rich, whole])
def test_every_truncation_is_refused(handle, make):
    request = msgpack.packb({"op": "load", "network": msgpack.unpackb(make().pack())})
    for length in range(len(request)):
        assert refused(ask(handle, request[:length])), length
    assert refused(ask(handle, request + b"\xc0"))


ODD = [None, True, 0, 1, -1, 2**16, 2**26, 2**32, 2**63, 0.5, math.nan, math.inf, -1e300]
ODD += ["", "n", "input", b"", b"\0" * 8, [], [0], [1, 1, 1], [2**31] * 2, [2**32, 2**32], {"a": 1}]


def leaves(node, path=()):
    """The paths of everything in a document."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in pairs:
        yield *path, key
        if isinstance(value, (dict, list)):
            yield from leaves(value, (*path, key))


@pytest.mark.parametrize("make", [rich, whole])
def test_every_field_with_every_odd_value(handle, make):
    """One value of the document replaced, removed or doubled at a time."""
    document = msgpack.unpackb(make().pack())
    count = 0
    for path in leaves(document):
        for odd in (*ODD, "remove", "add"):
            changed = copy.deepcopy(document)
            node = changed
            for key in path[:-1]:
                node = node[key]
            if odd == "remove":
                del node[path[-1]]
            elif odd == "add" and isinstance(node, dict):
                node["unknown"] = 1
            else:
                node[path[-1]] = odd
            exercise(handle, msgpack.packb({"op": "load", "network": changed}))
            count += 1
    assert count > 2000


@given(network=networks(), data=st.data())
@settings(max_examples=100, deadline=None)
def test_frames_of_wrong_length(network, data):
    x = frames(network, 2, 0).tobytes()
    length = data.draw(st.integers(0, 2 * len(x)))
    handle = Handle()
    message = {"op": "load", "network": msgpack.unpackb(network.pack())}
    assert not refused(ask(handle, message))
    reply = ask(
        handle,
        {"op": "run", "samples": 2, "threads": 1, "spikes": False, "frames": (x + x)[:length]},
    )
    assert refused(reply) == (length != len(x))
    handle.close()


def replaced(**fields):
    """The rich document with top-level fields replaced."""
    return {**msgpack.unpackb(rich().pack()), **fields}


def grid(**changes) -> dict:
    return {"bits": 9, "fraction": 4, "rounding": "nearest"} | changes


def layer(index, **fields):
    """The rich document with fields of one layer replaced."""
    document = replaced()
    document["layers"][index].update(fields)
    return document


def array(*shape, value=1.0):
    data = np.full(shape, value, np.float32)
    return {"dtype": "<f4", "shape": list(shape), "data": data.tobytes()}


@pytest.mark.parametrize(
    ("document", "code", "text"),
    [
        (replaced(timesteps=0), "invalid", "network: 'timesteps' is 0"),
        (replaced(timesteps=2**40), "limit", "network: 'timesteps' is 1099511627776"),
        (replaced(version=2), "unsupported", "version 2; this engine reads 1"),
        (replaced(format="x"), "invalid", "network: 'format' is not 'snn-network'"),
        (replaced(mode="x"), "unsupported", "known: static, sequence"),
        (replaced(more=1), "invalid", "network: 'more' is not a known key"),
        (replaced(input_shape=[2**20, 2**20, 2**20]), "limit", "too many elements"),
        (replaced(input_shape=[1, 1, 1, 1]), "unsupported", "one to three axes"),
        (replaced(layers=[]), "limit", "0 layers"),
        (replaced(edges=[["input", "c"], ["c", "b"], ["b", "c"]]), "invalid", "before its input"),
        (replaced(edges=[["input", "c"], ["x", "b"]]), "invalid", "an edge names 'x'"),
        (replaced(edges=[["input", "c"]]), "invalid", "layer 'c': it feeds no other"),
        (layer(0, name="b"), "invalid", "layer 'b': not a unique name"),
        (layer(0, name="input"), "invalid", "layer 'input': not a unique name"),
        (layer(0, type="Conv3"), "unsupported", "layer 'c': 'type' is 'Conv3'"),
        (layer(0, accumulator="int32"), "unsupported", "'accumulator' is an integer"),
        (layer(0, stride=[0, 1]), "invalid", "layer 'c': 'stride' holds 0"),
        (layer(0, padding=[1]), "invalid", "layer 'c': 'padding' has 1 entries where 2"),
        (layer(0, padding=[2**16, 2**16]), "limit", "layer 'c': too many elements"),
        (layer(0, groups=2), "invalid", "in 2 groups does not fit input [1, 4, 4]"),
        (layer(0, weight=array(2, 1, 9, 9)), "invalid", "a kernel of 9 does not fit into 4"),
        (layer(0, weight=array(2, 1, 3, 3, value=np.nan)), "invalid", "not finite"),
        (layer(0, bias=array(3)), "invalid", "layer 'c': 'bias' has 3 numbers for 2 channels"),
        (layer(1, scale=None), "invalid", "layer 'b': 'scale' is missing"),
        (layer(2, threshold=math.nan), "invalid", "'threshold' is not a finite float32"),
        (layer(2, threshold=1e300), "invalid", "'threshold' is not a finite float32"),
        (layer(2, tau=0.0), "invalid", "layer 'n': 'tau' is zero"),
        (layer(2, charge="qif"), "unsupported", "known: normal, lif, lif_undecayed"),
        (layer(4, accumulator="int64"), "unsupported", "layer 'q': 'accumulator' is an integer"),
        (layer(4, accumulator="double"), "invalid", "'accumulator' is not float32, float64"),
        (layer(4, format=4), "malformed", "layer 'q': 'format': expected a map"),
        (layer(8, format=grid(bits=26)), "unsupported", "'bits' is 26, not within 2 … 25"),
        (layer(8, format=grid(bits="9")), "invalid", "'bits' is not a whole number"),
        (layer(8, format=grid(fraction=4.0)), "invalid", "'fraction' is not a whole number"),
        (layer(8, format=grid(fraction=-104)), "unsupported", "'fraction' is -104, not within"),
        (layer(8, format=grid(rounding="up")), "unsupported", "known: nearest, floor, ceil"),
        (layer(8, format=grid(more=1)), "invalid", "layer 'r': 'format': 'more' is not a known"),
        (layer(6, format=grid()), "unsupported", "layer 'f': 'format' is that of a quantised"),
        (
            layer(0, weight_format=grid()),
            "unsupported",
            "layer 'c': 'weight': 'dtype' is not '|i1'",
        ),
        (layer(3, input_formats=[grid()]), "unsupported", "layer 'p': 'input_formats' is that of"),
        (layer(3, input_formats=4), "invalid", "layer 'p': 'input_formats' is not a list"),
        (layer(2, leak=0.5), "unsupported", "layer 'n': 'leak' is that of a quantised layer"),
        (layer(1, accumulator="int32"), "unsupported", "layer 'b': 'accumulator' is that of"),
        (layer(7, weight=array(3, 31)), "invalid", "a weight of 3 × 31 does not fit input [32]"),
    ],
)
def test_errors_name_the_place(handle, document, code, text):
    reply = ask(handle, {"op": "load", "network": document})
    assert refused(reply)
    assert (reply["code"], text in reply["error"]) == (code, True), reply


FINE = {"bits": 30, "fraction": 25, "rounding": "nearest"}


def integer(index, **fields):
    """The quantised document with fields of one layer replaced, or of the network (None)."""
    document = msgpack.unpackb(whole().pack())
    (document if index is None else document["layers"][index]).update(fields)
    return document


@pytest.mark.parametrize(
    ("document", "code", "text"),
    [
        (integer(None, input_format=None), "invalid", "network: 'input_format' is missing"),
        (integer(None, input_format=grid(bits=33)), "unsupported", "'bits' is 33, not within 2 …"),
        (integer(0, weight_format=None), "invalid", "layer 'c': 'weight_format' is missing"),
        (integer(0, weight_format=grid(bits=3)), "invalid", "'weight' is not integers of 3 bits"),
        (integer(0, bias_format=grid(bits=7)), "invalid", "'bias' is not integers of 7 bits"),
        (
            integer(0, weight=array(2, 1, 3, 3)),
            "unsupported",
            "'weight': 'dtype' is not '|i1', '<i2",
        ),
        (integer(0, accumulator="float32"), "unsupported", "layer 'c': 'accumulator' is of floats"),
        (integer(0, format=grid(fraction=61)), "unsupported", "'fraction' is 61, not within -60"),
        (integer(0, format=grid(fraction=-60)), "limit", "from 7 to -60 fraction bits is further"),
        (integer(0, input_formats=[None] * 2), "invalid", "layer 'c': 1 inputs, 2 input formats"),
        (integer(0, input_formats=4), "invalid", "layer 'c': 'input_formats' is not a list"),
        (integer(0, bias_format=grid(fraction=60)), "limit", "more than the 53 bits in which they"),
        (integer(2, state_format=None), "invalid", "layer 'n': 'state_format' is missing"),
        (
            integer(2, threshold=0.3),
            "invalid",
            "'threshold' is 0.3, no multiple of 2^-3 below 2^53",
        ),
        (integer(2, leak=1e-5), "invalid", "layer 'n': 'leak' is 0.00001, no multiple of 2^-60"),
        (integer(2, leak=2.0**52), "limit", "layer 'n': sums reach"),
        (integer(2, start=16.0), "invalid", "layer 'n': 'start' is beyond its state_format"),
        (integer(2, rest=math.inf), "invalid", "layer 'n': 'rest' is not a finite number"),
        (integer(3, padding=[2, 0]), "invalid", "layer 'p': 'padding' leaves windows without"),
        (integer(4, accumulator="int8"), "invalid", "layer 'q': 'accumulator' is not float32"),
        (integer(6, format=None), "invalid", "layer 'f': 'format' is not a known key"),
        (integer(7, accumulator="int32", input_formats=[FINE]), "invalid", "beyond its int32"),
    ],
)
def test_errors_of_quantised_documents_name_the_place(handle, document, code, text):
    reply = ask(handle, {"op": "load", "network": document})
    assert refused(reply)
    assert (reply["code"], text in reply["error"]) == (code, True), reply


def test_states(handle):
    run = {"op": "run", "samples": 1, "threads": 1, "spikes": False, "frames": bytes(64)}
    load = {"op": "load", "network": replaced()}
    assert ask(handle, run)["code"] == "state"
    assert ask(handle, load)["ok"]
    assert ask(handle, load)["code"] == "state"
    assert ask(handle, run)["ok"]
    assert ask(handle, {**run, "threads": 0})["code"] == "invalid"
    assert ask(handle, {**run, "threads": 10**9})["code"] == "limit"
    assert ask(handle, {**run, "more": 0})["error"] == "request: 'more' is not a known key"
    assert ask(handle, {"op": "unload"})["ok"]
    assert ask(handle, run)["code"] == "state"


def test_sizes_that_overflow_are_not_taken_for_small_ones(handle):
    """2^20 samples of 2^16 timesteps of 2^26 inputs of 4 bytes are 2^64 bytes, not none."""
    layers = ({"type": "GlobalSum", "name": "g", "accumulator": "float32", "format": None},)
    large = replaced(layers=layers, edges=[["input", "g"]], timesteps=2**16, mode="sequence")
    large["input_shape"] = [1, 2**13, 2**12]
    assert ask(handle, {"op": "load", "network": large})["frame_bytes"] == 2**43
    run = {"op": "run", "samples": 2**21, "threads": 1, "spikes": True, "frames": b""}
    assert ask(handle, run)["code"] == "frames"
    ask(handle, {"op": "unload"})


def test_work_of_one_request_is_bounded():
    linear = Linear("l", np.ones((2000, 2000), np.float32), None)
    heavy = Network((linear,), (("input", "l"),), (2000,), 60_000)
    handle = Handle()
    assert ask(handle, {"op": "load", "network": msgpack.unpackb(heavy.pack())})["ok"]
    frames = bytes(2000 * 4 * 100)
    run = {"op": "run", "samples": 100, "threads": 1, "spikes": False, "frames": frames}
    assert ask(handle, run)["code"] == "limit"
    handle.close()
    with pytest.raises(EngineError, match="closed"):
        handle.call(b"\x80")
