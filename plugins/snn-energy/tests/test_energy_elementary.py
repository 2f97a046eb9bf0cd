"""Elementary costs against values written down from the published formulas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snn_energy.elementary import ESTIMATIONS, access_pj, operation_pj


@pytest.mark.parametrize(
    ("estimation", "bits", "add", "mul"),
    [
        ("ICONIP", 4, 0.1, 3.1),
        ("ICONIP", 64, 0.1, 3.1),
        ("saturation", 8, 0.03, 0.2),
        ("saturation", 9, 0.1, 3.1),
        ("saturation", 32, 0.1, 3.1),
        ("linear", 8, 0.03, 0.2),
        ("linear", 20, 0.065, 1.65),
        ("quadratic", 8, 0.03, 0.2),
        ("quadratic", 32, 0.1, 3.1),
        ("quadratic", 16, 0.17 / 3, 2.35 / 3),
    ],
)
def test_operation(estimation, bits, add, mul):
    assert operation_pj("add", estimation, bits) == pytest.approx(add, rel=1e-12)
    assert operation_pj("mul", estimation, bits) == pytest.approx(mul, rel=1e-12)


@pytest.mark.parametrize("bits", [1, 4, 6])
def test_linear_multiplications_below_their_root_are_refused(bits):
    with pytest.raises(ValueError, match=rf"'linear' gives 'mul' .*-0\..* pJ at {bits} bits"):
        operation_pj("mul", "linear", bits)
    assert operation_pj("add", "linear", bits) > 0


def test_saturation_ends_at_32_bits():
    with pytest.raises(ValueError, match="'add' wider than 32 bits"):
        operation_pj("add", "saturation", 33)


def test_quadratic_additions_turn_negative_and_are_refused():
    assert operation_pj("add", "quadratic", 151) > 0
    with pytest.raises(ValueError, match="'quadratic' gives 'add'"):
        operation_pj("add", "quadratic", 153)


def test_access():
    assert access_pj(0, 8, "old") == 13.2
    assert access_pj(1_000_000, 16, "old") == pytest.approx(13.2 + 174.4, rel=1e-12)
    assert [access_pj(1000, bits, "new") for bits in (8, 12, 32, 33, 64)] == [1.25, 2, 5, 10, 10]
    with pytest.raises(ValueError, match="65 bits do not fit"):
        access_pj(1, 65, "new")


@given(st.sampled_from(sorted(ESTIMATIONS)), st.sampled_from(["add", "mul"]), st.integers(7, 32))
def test_wider_operands_never_cost_less(estimation, operation, bits):
    wide, narrow = (operation_pj(operation, estimation, b) for b in (bits, bits - (bits > 7)))
    assert wide >= narrow > 0
