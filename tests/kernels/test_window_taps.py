"""firmware/kernels/mcuq_window.h against a count."""

from __future__ import annotations

from itertools import product

from mcuq.build.shared_library import build_library
from mcuq.resources import resource_dir


def test_taps_before_a_position_are_those_that_lie_before_it() -> None:
    header = (resource_dir("firmware") / "kernels" / "mcuq_window.h").read_text()
    heading = "int32_t taps_before(int32_t position, int32_t dilation, int32_t kernel)"
    body = "return mcuq_taps_before(position, dilation, kernel);"
    library = build_library(f"{header}\n{heading};\n{heading}\n{{\n    {body}\n}}\n")
    for position, dilation, kernel in product(range(-9, 15), range(1, 5), range(1, 5)):
        want = sum(k * dilation < position for k in range(kernel))
        assert library.taps_before(position, dilation, kernel) == want, (position, dilation, kernel)
