"""All that keeps a model from being compiled, in one error, each with the nearest form that is supported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcuq.ops import FROM_ONNX

_BEFORE = "numbers as inputs, which are made of it before the network"
_BY_CHANCE = "an input of random numbers"
_AS_MANY = "as the data says how many it gives, and the C has fixed sizes"
_IN_INTEGERS = "QuantizeLinear and DequantizeLinear around"

# ONNX operator, behind its domain where that is another -> what of FROM_ONNX comes nearest to it, or else helps.
NEAREST: Mapping[str, str] = {
    "DeformConv": "Conv",
    "ImageDecoder": "pixels as an input",
    "MaxRoiPool": "MaxPool",
    "MelWeightMatrix": "constants as its inputs",
    "NegativeLogLikelihoodLoss": "--outputs to end before the loss",
    "NonMaxSuppression": f"--outputs to end before it, at boxes and scores, {_AS_MANY}",
    "NonZero": f"Mul by a mask, which keeps the shape, or --outputs to end before it, {_AS_MANY}",
    "SoftmaxCrossEntropyLoss": "Softmax",
    "Unique": f"inputs that are told apart before the network, or --outputs to end before it, {_AS_MANY}",
    "com.microsoft.QAttention": f"{_IN_INTEGERS} Attention's MatMul, Softmax and MatMul",
    **dict.fromkeys(("Bernoulli", "Multinomial"), _BY_CHANCE),
    **dict.fromkeys(("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"), _BY_CHANCE),
    **dict.fromkeys(("RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit"), _BEFORE),
    "TfIdfVectorizer": _BEFORE,
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
        return listed([*lines, *self.problems], name)


def listed(problems: Sequence[str], name: str) -> str:
    """The only one, or a title and a line for each; `name` is the file's."""
    title = f"{name}: {len(problems)} things are in the way:"
    return problems[0] if len(problems) == 1 else "\n  ".join([title, *problems])


def operators_text(unsupported: Mapping[str, list[str]]) -> str:
    """One line that lists all of them with their nodes, and what comes nearest."""
    listed = [f"{op} ({', '.join(map(repr, nodes))}){nearest(op)}" for op, nodes in sorted(unsupported.items())]
    return f"operators that are not supported: {'; '.join(listed)}; supported: {', '.join(sorted(FROM_ONNX))}"


def nearest(op_type: str) -> str:
    """What to use instead of an operator, "" where there is nothing like it."""
    if op_type in NEAREST:
        return f", use {NEAREST[op_type]}"
    domain, _, own = op_type.rpartition(".")
    return f", use ONNX's own {own}" if domain and own in FROM_ONNX else ""
