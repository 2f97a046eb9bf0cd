import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snn_kernel import ConfigError, DataError, Samples, configure
from snn_preprocessing_events.splitting import Split2TimeSteps

LAYOUTS = {"NC": "NTC", "NLC": "NTLC", "NHWC": "NTHWC"}
quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def numbered(*shape, layout) -> Samples:
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    x.flags.writeable = False
    return Samples(x, np.arange(shape[0], dtype=np.int64), layout)


@quick
@given(st.sampled_from(list(LAYOUTS)), st.integers(0, 3), st.integers(1, 9), st.integers(1, 9))
def test_chunks_are_consecutive(context, train_of, layout, count, length, chunks):
    found = numbered(count, length, *(2, 3)[: len(layout) - 2], layout=layout)
    step, size = Split2TimeSteps(chunks), length // chunks
    if not size:
        with pytest.raises(DataError, match=f"samples of {length} cannot be cut in {chunks}"):
            step.apply(train_of(found), context)
        return
    made = step.apply(train_of(found), context).train
    assert made.layout == LAYOUTS[layout]
    assert made.x.shape == (count, chunks, size, *found.x.shape[2:])
    for chunk in range(chunks):
        assert np.array_equal(made.x[:, chunk], found.x[:, chunk * size : (chunk + 1) * size])
    assert np.array_equal(made.y, found.y)


def test_timesteps_and_events_are_not_cut(context, events_of, train_of):
    for found, what in (
        (numbered(2, 4, 3, layout="NTC"), r"has timesteps in the data already \(NTC\)"),
        (events_of([[(0, 0, 0, 0)]]), "holds events, not samples"),
    ):
        with pytest.raises(DataError, match=rf"train set \(Split2TimeSteps\): {what}"):
            Split2TimeSteps(2).apply(train_of(found), context)


def test_params_that_cannot_be_are_faults_of_the_file():
    with pytest.raises(ConfigError, match="'chunks' must be >= 1: -1"):
        configure("preprocessing", "Split2TimeSteps", {"chunks": -1})
