"""The integers of a Total, by the names that its kernels have for them."""

from __future__ import annotations

from mcuq.ops.total import IntegerTotal


def total_numbers(parameters: IntegerTotal) -> dict[str, int]:
    """`factor_0` and its like, `constant` and `shift`."""
    factors = {f"factor_{i}": factor for i, factor in enumerate(parameters.factors)}
    return {**factors, "constant": parameters.constant, "shift": parameters.shift}
