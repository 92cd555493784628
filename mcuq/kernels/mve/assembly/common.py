"""What printed functions of MVE share."""

from __future__ import annotations

from collections.abc import Sequence

from mcuq.kernels.asm import code, each


def once_more(steps_back: Sequence[str]) -> str:
    """After a loop of fours from 2 on: where some are left, by how much %[walk] says at 20, four more that end with the
    last, and then 3."""
    return code(
        """
        ldrd %[a0], %[a1], [%[walk], #20]
        cmp %[a0], #0
        beq 3f
        cmp lr, #0 /* what LE leaves is 1; 0 ends it again */
        beq 3f
        mov lr, #0
        $steps_back
        b 2b
        3:
        """,
        steps_back=each(steps_back),
    )
