"""What a user has to know where a condition is computed."""

from __future__ import annotations


def both_branches(kind: str, name: str) -> str:
    """Of an operator of this kind and name."""
    return f"{kind} '{name}' has a condition that is computed: both of its branches run, and one result is taken"
