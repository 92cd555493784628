"""Whether rows are worth the flash that they take."""

from __future__ import annotations

from collections.abc import Sequence

from mcuq.lower import Program
from mcuq.lower.smallest import flash_of_calls
from mcuq.plan.segments import Segment

# How much more flash than whole layers take rows may cost, as a part of it, whatever they save.
MOST_MORE = 0.03
_NEEDS = ("mcuq_row_layer",)  # of the runtime, where there are segments
# Code that begins a segment and, for each stage, what mcuq_next_band is told of it, and the code that asks and calls:
# MobileNetV2, mnist_cnn and examples/digits took mostly that or less, down to half of it, on Cortex-M0, M4, M55 and
# RV32.
_A_SEGMENT = 20
_A_STAGE = 40 + 40


def flash_of(program: Program, segments: Sequence[Segment] = ()) -> int:
    """About the bytes of constants and code, that of segments too."""
    own = sum(_A_SEGMENT + _A_STAGE * len(segment.stages) for segment in segments)
    return own + flash_of_calls([c for step in program.steps for c in step.calls], _NEEDS if segments else ())


def is_worth_flash(more_bytes: int, flash_bytes: int, saved_bytes: int) -> bool:
    """Whether rows that take `more_bytes` of flash beyond a program's `flash_bytes` are to be: that is little of it, or
    they save as many bytes of RAM at least, so that the two together get no larger."""
    return more_bytes <= max(MOST_MORE * flash_bytes, saved_bytes)
