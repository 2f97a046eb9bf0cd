"""The parts of the generator: constants, places in memory, kernels, variants."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compiled_networks import STRICT, compiler
from hypothesis import given
from hypothesis import strategies as st

from snn_codegen.arena import Span, plan
from snn_codegen.convolution import ordered, variant
from snn_codegen.element import DTYPES, literal, literals, of_bits, of_peak
from snn_codegen.kernels import kernel
from snn_codegen.tensor import Tensor
from snn_kernel.network import Conv

KERNELS = Path(__file__).parents[1] / "src" / "snn_codegen" / "kernels"


@given(
    st.dictionaries(
        st.integers(0, 50),
        st.builds(
            lambda element, length, first, lasts: Span(element, length, first, first + lasts),
            st.sampled_from(["i8", "i32"]),
            st.integers(1, 40),
            st.integers(0, 10),
            st.integers(0, 4),
        ),
    )
)
def test_nothing_that_is_needed_shares_its_place(spans: dict[int, Span]) -> None:
    offsets, lengths = plan(spans)
    for a, one in spans.items():
        assert 0 <= offsets[a] <= offsets[a] + one.length <= lengths[one.element]
        for b, other in spans.items():
            if a < b and one.element == other.element and one.meets(other):
                apart = offsets[a] + one.length <= offsets[b]
                assert apart or offsets[b] + other.length <= offsets[a]
    for element, length in lengths.items():
        assert length <= sum(s.length for s in spans.values() if s.element == element)


def test_what_is_needed_one_after_another_takes_the_same_place() -> None:
    spans = {i: Span("i8", 10, i, i + 1) for i in range(8)}
    assert plan(spans)[1] == {"i8": 20}


@pytest.mark.parametrize(
    ("element", "values"),
    [
        ("i8", [-128, -1, 0, 127]),
        ("i16", [-(1 << 15), (1 << 15) - 1]),
        ("i32", [-(1 << 31), (1 << 31) - 1]),
        ("i64", [-(1 << 63), -(1 << 31), (1 << 63) - 1]),
        ("f32", [0.1, -1e-30, 3.4e38, 1e-45]),
        ("f64", [0.1, -5e-324, 1.7e308]),
    ],
)
def test_constants_arrive_as_they_are(element: Any, values: list[Any], tmp_path: Path) -> None:
    exact = np.array(values, DTYPES[element])
    kinds = {"f32": "float", "f64": "double"}
    ctype = kinds.get(element, f"int{8 * exact.itemsize}_t")
    text = f"static const {ctype} v[] = {{ {literals(element, exact.tolist())} }};\n"
    main = "int main(void) { return fwrite(v, sizeof v, 1u, stdout) != 1u; }\n"
    (tmp_path / "v.c").write_text(f"#include <stdint.h>\n#include <stdio.h>\n{text}{main}")
    subprocess.run([*compiler(), *STRICT, "v.c", "-o", "v"], check=True, cwd=tmp_path)
    done = subprocess.run([tmp_path / "v"], capture_output=True, check=True)
    assert done.stdout == exact.tobytes()


def test_no_constant_is_rounded() -> None:
    for element, value in [("i8", 128), ("i32", 0.5), ("f32", float("inf"))]:
        with pytest.raises((AssertionError, OverflowError)):
            literal(element, value)  # type: ignore[arg-type]


@given(st.integers(0, 1 << 62))
def test_integers_hold_their_peak(peak: int) -> None:
    bits = 8 * DTYPES[of_peak(peak)].itemsize
    assert peak < 1 << (bits - 1)
    assert bits == 8 or peak >= 1 << (bits // 2 - 1)
    assert of_bits(9) == "i16"


def test_kernels_get_their_types_and_names() -> None:
    made = kernel("at_values", {"input": "i8", "sum": "i32"})
    assert made.name == "at_values_i8_i32"
    assert "static int32_t at_values_i8_i32(const int8_t *x" in made.text
    assert "_t)" not in made.text.replace("int32_t)", "")


def test_kernels_are_freestanding_and_allocate_nothing() -> None:
    for path in KERNELS.iterdir():
        text = path.read_text("utf-8")
        headers = set(re.findall(r"#include <(\w+)\.h>", text))
        assert headers <= {"stdint", "stddef", "stdbool"}, path.name
        assert not re.search(r"\b(malloc|calloc|alloca|goto|setjmp|union)\b", text), path.name
        assert all(len(line) <= 110 for line in text.splitlines()), path.name


@pytest.mark.parametrize(
    ("element", "rate", "chosen"),
    [
        *[("bits", None, "gather"), ("bits", 0.5, "gather"), ("bits", 0.01, "scatter")],
        *[("i8", None, "dense"), ("i8", 0.9, "dense"), ("i8", 0.1, "gather")],
    ],
)
def test_the_rate_chooses_the_kernel(element: Any, rate: float | None, chosen: str) -> None:
    layer = Conv("c", np.zeros((4, 2, 3, 3), np.int8), None, (1, 1), (1, 1))
    x = Tensor(element, (2, 8, 8))
    assert variant("auto", layer, x, (4, 8, 8), rate) == chosen
    assert variant("dense", layer, x, (4, 8, 8), rate) == "dense"


def test_scattering_needs_room() -> None:
    layer = Conv("c", np.zeros((64, 2, 3, 3), np.int8), None, (1, 1), (1, 1))
    assert variant("auto", layer, Tensor("bits", (2, 32, 32)), (64, 32, 32), 0.001) == "gather"


def test_weights_keep_their_group() -> None:
    weight = np.arange(4 * 1 * 1 * 2).reshape(4, 1, 1, 2)
    made = ordered("gather", weight, 2)
    assert made.shape == (2, 1, 2, 1, 2)
    assert made[1, 0, 1, 0, 0] == weight[2, 0, 0, 1]
    assert ordered("dense", weight[:, :, 0], 2).shape == (4, 1, 2, 1)
