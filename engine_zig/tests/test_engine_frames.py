"""Frames that a network is shown: what the grid of its input makes of them, channels last."""

import itertools

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from test_engine_law import levels

from snn_engine import Engine, EngineError
from snn_engine.library import Handle
from snn_engine.process import Process
from snn_kernel.network import Flatten, Format, Linear, Network

ROUNDINGS = st.sampled_from(["nearest", "floor", "ceil"])
SPIKES = st.sampled_from([0.0, -0.0, 1.0])
UNITS = st.integers(-40, 40).map(lambda n: n / 8)
NUMBERS = st.floats(width=32, allow_nan=False)
SHAPES = st.one_of(
    st.tuples(st.integers(1, 70)),
    st.tuples(st.integers(1, 5), st.integers(1, 40)),
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 9)),
)


@st.composite
def shown(draw):
    elements = draw(st.sampled_from([SPIKES, UNITS, NUMBERS]))
    shape = (draw(st.integers(1, 3)), *draw(SHAPES))
    return draw(arrays.arrays(np.float32, shape, elements=elements, fill=elements))


def network(shape, grid, whole):
    """Logits are the input as it is shown, in the document's order."""
    layers = [Flatten("f")]
    if whole:
        own = np.eye(int(np.prod(shape)), dtype=np.int8)
        layers.append(Linear("l", own, None, "int64", weight_format=Format(8, 0)))
    names = ["input", *(layer.name for layer in layers)]
    return Network(tuple(layers), tuple(itertools.pairwise(names)), shape, 1, "static", grid)


def agree(frames, grid, whole, **options):
    expected = frames
    if grid is not None:
        units = grid.quantise(frames)
        expected = np.ldexp(units, -grid.fraction).astype(np.float32)
    with Engine.load(network(frames.shape[1:], grid, whole), **options) as engine:
        logits = engine.run(frames, threads=2).logits
    np.testing.assert_array_equal(logits, expected.reshape(len(frames), -1))


@pytest.mark.parametrize("cpu", list(levels()))
@given(shown(), st.builds(Format, st.integers(2, 32), st.integers(-8, 30), ROUNDINGS))
@settings(deadline=None)
def test_a_quantised_network_is_shown_integers(cpu, frames, grid):
    agree(frames, grid, True, cpu=cpu)


@pytest.mark.parametrize("cpu", list(levels()))
@given(
    shown(),
    st.one_of(
        st.none(),
        st.builds(Format, st.integers(2, 25), st.integers(-8, 30), ROUNDINGS),
        # What float32 cannot hold is rounded once more, by the host.
        st.builds(Format, st.sampled_from([26, 64]), st.integers(-8, 30), ROUNDINGS),
    ),
)
@settings(deadline=None)
def test_a_network_of_floats_is_shown_multiples_of_a_unit(cpu, frames, grid):
    agree(frames, grid, False, cpu=cpu)


@pytest.mark.parametrize("whole", [False, True])
def test_every_frame_is_judged_by_itself(whole):
    """A number that must be rounded in one frame, spikes alone in the others."""
    frames = (np.random.default_rng(0).random((5, 2, 6, 9)) < 0.1).astype(np.float32)
    frames[3, 1, 5, 8] = 0.3
    agree(frames, Format(8, 2), whole)


def test_a_spike_that_the_grid_does_not_hold_saturates():
    agree(np.array([[0, 1, 1]], np.float32), Format(4, 3), True)
    agree(np.array([[0, 1, 1]], np.float32), Format(4, -1), False)


def test_no_integer_stands_for_a_nan():
    frames = np.zeros((4, 2, 30), np.float32)
    frames[2, 1, 17] = np.nan
    with Engine.load(network((2, 30), Format(8, 2), True)) as engine:
        with pytest.raises(EngineError, match="run: frames hold a NaN") as caught:
            engine.run(frames, threads=2)
        assert caught.value.code == "frames"
        assert not engine.run(frames[:2]).logits.any()
    with Engine.load(network((2, 30), Format(8, 2), False)) as engine:
        assert np.isnan(engine.run(frames).logits).sum() == 1


def test_a_grid_that_float32_cannot_hold_is_not_the_engines():
    with Engine.load(network((3,), Format(26, 2), False)) as engine:
        assert not engine._raw
        engine._raw = True
        with pytest.raises(EngineError, match="'raw' is asked of a network with an input format"):
            engine.run(np.zeros((1, 3), np.float32))


def test_frames_are_sent_or_lie_beside_the_request():
    run = {"op": "run", "samples": 2, "threads": 1, "spikes": False, "raw": True, "frames": None}
    frames = np.array([[0, 1, 0.3], [-2, 9, 1]], np.float32)
    load = {"op": "load", "network": msgpack.unpackb(network((3,), Format(4, 1), True).pack())}
    sent = msgpack.packb({**run, "frames": frames.tobytes()})
    for handle in (Handle(), Process()):
        assert msgpack.unpackb(handle.call(msgpack.packb(load)))["ok"]
        reply = bytes(handle.call(sent))
        assert np.frombuffer(msgpack.unpackb(reply)["logits"], "<f4")[2] == 0.5
        assert bytes(handle.call(msgpack.packb(run), frames)) == reply
        short = msgpack.unpackb(handle.call(msgpack.packb(run), frames[:1]))
        assert short["error"] == "run: 12 bytes of frames for 2 samples of 12 bytes each"
        # Those of one call are not those of the next.
        none = msgpack.unpackb(handle.call(msgpack.packb(run)))
        assert none["error"] == "request: 'frames' is nil, and none came with the request"
        handle.close()


def test_frames_come_once_and_for_a_run():
    frames = np.ones((1, 3), np.float32)
    run = {"op": "run", "samples": 1, "threads": 1, "spikes": False, "frames": frames.tobytes()}
    handle = Handle()
    load = {"op": "load", "network": msgpack.unpackb(network((3,), None, False).pack())}
    for request, text in (
        (load, "request: frames came with it: not a 'run'"),
        ({**run, "frames": 3}, "request: 'frames' is neither binary nor nil"),
        (run, "request: 'frames' is not nil, and others came with the request"),
    ):
        reply = msgpack.unpackb(handle.call(msgpack.packb(request), frames))
        assert (reply["code"], reply["error"]) == ("invalid", text)
        if request is load:
            assert msgpack.unpackb(handle.call(msgpack.packb(load)))["ok"]
    handle.close()


@pytest.mark.parametrize("rounding", ["nearest", "floor", "ceil"])
def test_a_zero_has_one_sign(rounding):
    """Whatever else is in its frame."""
    frames = np.array([[-0.0, 0, 1, 1], [-0.0, 0, 1, 0.3]], np.float32)
    with Engine.load(network((4,), Format(8, 3, rounding), False)) as engine:
        assert not np.signbit(engine.run(frames).logits).any()
