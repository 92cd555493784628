"""What the C of a model is optimized for, and what compilers are told about it."""

from __future__ import annotations

from collections.abc import Set
from typing import Literal, get_args

from mcuq.errors import one_of

Goal = Literal["balanced", "speed", "size", "ram"]
GOALS: tuple[Goal, ...] = get_args(Goal)

# What `speed` asks of GCC, by the feature of a CPU that decides its kernels: what took the fewest instructions on the
# reference networks without taking more than `balanced` on any (docs/optimize.md). Unrolling adds counters around
# loops that are hardware's own on Cortex-M55, and around rows of 16 outputs on RISC-V.
_SPEED = {"mve": ("O3",), "rv32m": ("O2", "peel-loops", "unswitch-loops")}
_SPEED_ELSEWHERE = ("O2", "unroll-loops")
# Stores of unrolled loops would be joined to words at any address, which some CPUs and configurations trap; leaving
# them apart costs no instruction on the reference networks.
_APART = ("no-store-merging", "no-tree-slp-vectorize")


def parse_goal(text: str) -> Goal:
    """One of GOALS by its name. Raises ModelError for any other text."""
    return one_of(GOALS, text, "optimize")


def gcc_options(goal: Goal, features: Set[str]) -> tuple[str, ...]:
    """Arguments of `#pragma GCC optimize` for the whole file; none where it is what the user's build says."""
    if goal in ("balanced", "ram"):
        return ()
    if goal == "size":
        return ("Os",)
    return next((options for feature, options in _SPEED.items() if feature in features), _SPEED_ELSEWHERE) + _APART
