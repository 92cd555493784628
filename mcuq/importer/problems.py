"""All that keeps a model from being compiled, in one error, each with the nearest form that is supported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcuq.ops import FROM_ONNX

# ONNX operator -> what of FROM_ONNX comes nearest to it.
NEAREST: Mapping[str, str] = {
    "GRU": "Conv over time",
    "LSTM": "Conv over time",
    "MaxRoiPool": "MaxPool",
    "RNN": "Conv over time",
}


@dataclass(frozen=True)
class Unsupported:
    """Why a model cannot be converted.

    `operators`: operator type -> names of its nodes; `problems`: a line for each other reason.
    """

    operators: Mapping[str, list[str]]
    problems: tuple[str, ...]

    def text(self, name: str) -> str:
        """One line, or a title and a line for each reason; `name` is the file's."""
        lines = [f"{name}: {operators_text(self.operators)}"] if self.operators else []
        lines += self.problems
        return lines[0] if len(lines) == 1 else "\n  ".join([f"{name}: {len(lines)} things are in the way:", *lines])


def operators_text(unsupported: Mapping[str, list[str]]) -> str:
    """One line that lists all of them with their nodes, and what comes nearest."""
    listed = [f"{op} ({', '.join(map(repr, nodes))}){nearest(op)}" for op, nodes in sorted(unsupported.items())]
    return f"operators that are not supported: {'; '.join(listed)}; supported: {', '.join(sorted(FROM_ONNX))}"


def nearest(op_type: str) -> str:
    """What to use instead of an operator, "" where there is nothing like it."""
    return f", use {NEAREST[op_type]}" if op_type in NEAREST else ""
