"""What is asked of inferences by steps."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.errors import ModelError


@dataclass(frozen=True)
class Stepped:
    """Of steps: that none takes more than about `longest` cycles, as far as layers can be cut; None: that layers stay
    as they are."""

    longest: int | None = None


def stepped(step: bool, longest: int | None = None) -> Stepped | None:
    """What the two options ask for: either is enough. Raises ModelError for no number of cycles."""
    if longest is not None and longest < 1:
        raise ModelError(f"--step-cycles {longest}: is no number of cycles; give one such as 20000")
    return Stepped(longest) if step or longest is not None else None
