"""What every kind promises, on every layout that it takes."""

import subprocess
import sys

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snn_augmentation.plugin import MODULES
from snn_kernel import ConfigError, DataError, Shapes
from snn_kernel.config import configure
from snn_kernel.registry import Registry

CLASSES = 3
STEPS = 5
INPUTS = {"NC": (6,), "NLC": (9, 2), "NHWC": (6, 8, 2)}
INPUTS |= {"NTC": (6,), "NTLC": (9, 2), "NTHWC": (6, 8, 2)}
IMAGES = ("NHWC", "NTHWC")
SPACES = ("NLC", "NTLC", *IMAGES)
TIMES = ("NLC", "NTC", "NTLC", "NTHWC")
TAKES = {
    "GaussianNoise": ({}, INPUTS),
    "ExponentialNoise": ({}, INPUTS),
    "HorizontalFlip": ({"p": 1}, IMAGES),
    "Rotation2D": ({"angle": 40}, IMAGES),
    "Crop": ({"padding": 3}, SPACES),
    "ResizedCrop": ({"scale": [0.2, 0.6]}, IMAGES),
    "Cutout1D": ({"length": 2}, TIMES),
    "Mixup": ({"alpha": 1}, INPUTS),
    "TimeShifting": ({"max_shift": 3}, TIMES),
    "Amplitude": ({}, INPUTS),
    "Normalize": ({"mean": 0.5, "std": 0.25}, INPUTS),
}
TAKEN = [(kind, layout) for kind, (_, layouts) in TAKES.items() for layout in layouts]
REFUSED = [(kind, layout) for kind in TAKES for layout in INPUTS if layout not in TAKES[kind][1]]
RANDOM = [(kind, layout) for kind, layout in TAKEN if kind not in ("Mixup", "Normalize")]
# These move or blank the timesteps themselves where there is no L.
ALONG_TIME = {(k, y) for k in ("Cutout1D", "TimeShifting") for y in ("NTC", "NTHWC")}
seeds = st.integers(0, 2**63)


def made(kind: str, **params):
    return configure("augmentation", kind, {**TAKES[kind][0], **params})


def shapes(layout: str) -> Shapes:
    return Shapes(INPUTS[layout], (CLASSES,), STEPS if "T" in layout else None)


def batch(layout: str, n: int = 8, seed: int = 0):
    """Values from 1 to 2, so that what is blanked shows, and locked against writing."""
    draw = np.random.default_rng(seed)
    times = (STEPS,) if "T" in layout else ()
    x = draw.uniform(1, 2, (n, *times, *INPUTS[layout])).astype(np.float32)
    y = draw.integers(0, CLASSES, n)
    x.flags.writeable = y.flags.writeable = False
    return x, y


@pytest.mark.parametrize(("kind", "layout"), TAKEN)
@given(st.integers(0, 5), seeds)
def test_shape_and_type_stay_and_arrays_are_left_alone(seeded, kind, layout, n, seed):
    x, y = batch(layout, n)
    kept = x.copy()
    after, labels = made(kind).apply(x, y, seeded(seed), shapes(layout))
    assert (after.shape, after.dtype) == (x.shape, np.float32)
    assert np.isfinite(after).all()
    assert np.array_equal(x, kept)
    assert not np.shares_memory(after, x)
    if kind != "Mixup":
        assert np.array_equal(labels, y)


@pytest.mark.parametrize(("kind", "layout"), TAKEN)
def test_one_seed_one_result(seeded, kind, layout):
    x, y = batch(layout)
    first, again, other = (
        made(kind).apply(x, y, seeded(seed), shapes(layout)) for seed in (7, 7, 8)
    )
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    if kind not in ("Normalize", "HorizontalFlip"):
        assert not np.array_equal(first[0], other[0])
    if kind != "HorizontalFlip":
        assert not np.array_equal(first[0], x)


@pytest.mark.parametrize(("kind", "layout"), RANDOM)
def test_with_no_probability_nothing_changes(seeded, kind, layout):
    x, y = batch(layout)
    after, labels = made(kind, p=0).apply(x, y, seeded(), shapes(layout))
    assert np.array_equal(after, x)
    assert not np.shares_memory(after, x)
    assert np.array_equal(labels, y)


@pytest.mark.parametrize("kind", ["GaussianNoise", "HorizontalFlip", "Amplitude", "Rotation2D"])
def test_so_many_samples_change_as_p_says(seeded, kind):
    x, y = batch("NHWC", 2000)
    after, _ = made(kind, p=0.3).apply(x, y, seeded(), shapes("NHWC"))
    changed = (after != x).any(axis=(1, 2, 3)).mean()
    assert abs(changed - 0.3) < 0.05  # five standard deviations


@pytest.mark.parametrize(
    ("kind", "layout"), [p for p in TAKEN if "T" in p[1] and p not in ALONG_TIME]
)
def test_all_timesteps_of_a_sample_share_one_draw(seeded, kind, layout):
    x, y = batch(layout)
    after, _ = made(kind).apply(x, y, seeded(3), shapes(layout))
    for t in range(STEPS):
        still, _ = made(kind).apply(x[:, t], y, seeded(3), shapes(layout.replace("T", "")))
        assert np.array_equal(after[:, t], still)


@pytest.mark.parametrize(
    ("kind", "layout"), [p for p in RANDOM if p[0] not in ("Cutout1D", "HorizontalFlip")]
)
def test_samples_of_a_batch_have_draws_of_their_own(seeded, kind, layout):
    x, y = batch(layout, 1)
    after, _ = made(kind).apply(np.repeat(x, 20, 0), np.repeat(y, 20), seeded(), shapes(layout))
    assert len(np.unique(after, axis=0)) > 3


@pytest.mark.parametrize(("kind", "layout"), REFUSED)
def test_other_samples_are_refused(seeded, kind, layout):
    with pytest.raises(DataError, match=rf"^{kind}: "):
        made(kind).apply(*batch(layout), seeded(), shapes(layout))


def test_shapes_say_what_the_axes_are(seeded):
    x, y = batch("NTLC")
    flip = made("HorizontalFlip")
    with pytest.raises(DataError, match=r"HorizontalFlip: changes images .* shape \(9, 2\)"):
        flip.apply(x, y, seeded(), Shapes((9, 2), (3,), STEPS))
    taken, _ = flip.apply(x, y, seeded(), Shapes((STEPS, 9, 2), (3,)))
    assert np.array_equal(taken, x[:, :, ::-1])
    assert np.array_equal(flip.apply(x, y, seeded())[0], taken)
    with pytest.raises(DataError, match="does not hold samples"):
        flip.apply(x, y, seeded(), Shapes((4, 4, 2), (3,)))


def test_without_shapes_five_axes_have_timesteps(seeded):
    x, y = batch("NTHWC")
    plain, told = (
        made("Crop").apply(x, y, seeded(1), *more)[0] for more in ((), (shapes("NTHWC"),))
    )
    assert np.array_equal(plain, told)


@pytest.mark.parametrize(
    ("kind", "params", "what"),
    [
        ("GaussianNoise", {"sigma": -0.1}, "'sigma' must be >= 0, not -0.1"),
        ("GaussianNoise", {"sigma": float("inf")}, "'sigma' must be >= 0, not inf"),
        ("GaussianNoise", {"p": 1.5}, "'p' must be between 0 and 1, not 1.5"),
        ("ExponentialNoise", {"scale": float("nan")}, "'scale' must be >= 0, not nan"),
        ("HorizontalFlip", {"p": -1}, "'p' must be between 0 and 1, not -1"),
        ("Rotation2D", {"angle": -5}, "'angle' must be between 0 and 360, not -5"),
        ("Rotation2D", {"angle": [5, -5]}, "'angle' must be [low, high], not [5.0, -5.0]"),
        ("Rotation2D", {"fill": 1e39}, "'fill' must be a finite number, not 1e+39"),
        ("Rotation2D", {"interpolation": "cubic"}, "'interpolation' must be one of 'bilinear'"),
        ("Crop", {"padding": -1}, "'padding' must be >= 0, not -1"),
        ("Crop", {"padding": [1, -1]}, "'padding' must be >= 0, not [1, -1]"),
        ("ResizedCrop", {"scale": [0, 1]}, "'scale' must be > 0, not [0.0, 1.0]"),
        ("ResizedCrop", {"scale": [0.5, 2]}, "'scale' must be between 0 and 1, not [0.5, 2.0]"),
        ("ResizedCrop", {"ratio": [2, 1]}, "'ratio' must be [low, high], not [2.0, 1.0]"),
        ("Cutout1D", {"length": 0}, "'length' must be >= 1: 0"),
        ("TimeShifting", {"max_shift": -1}, "'max_shift' must be >= 0: -1"),
        ("Amplitude", {"amplitude": [-1, 1]}, "'amplitude' must be >= 0, not [-1.0, 1.0]"),
        ("Normalize", {"std": [1, 0]}, "'std' must be > 0, not [1.0, 0.0]"),
        ("Mixup", {"alpha": 0}, "'alpha' must be > 0, not 0"),
        ("Mixup", {"classes": 1}, "'classes' must be >= 2: 1"),
        ("Mixup", {"evaluate": True}, "'evaluate' must be false"),
        ("Crop", {"before": False, "after": False}, "it would never act"),
    ],
)
def test_params_out_of_range_are_faults_of_the_file(kind, params, what):
    with pytest.raises(ConfigError) as caught:
        made(kind, **params)
    assert what in str(caught.value)


@pytest.mark.parametrize("kind", TAKES)
def test_documented_keys_are_read_and_explained(kind):
    offer = Registry.discover().find("augmentation", kind)
    assert offer.plugin == "snn-augmentation"
    assert made(kind, before=True, after=False, evaluate=False).evaluate is False
    assert made(kind).evaluate is (kind == "Normalize")
    text = offer.kind.config.__doc__
    for attribute in attrs.fields(offer.kind.config):
        assert f"\n    {attribute.alias}" in text or f", {attribute.alias}:" in text
    assert {name for names in MODULES.values() for name in names} == set(TAKES)


def test_the_plugin_is_light():
    heavy = "('torch', 'sklearn', 'scipy')"
    code = (
        "import sys, snn_augmentation.plugin as p; [k.config for k in p.snnk_augmentations()];"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
