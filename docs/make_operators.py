"""Writes docs/operators.md from the tables of operators and kernels.

python docs/make_operators.py
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill

import onnx

from mcuq.boards.find import load_board
from mcuq.graph.operator import Operator
from mcuq.importer.flatten import RULES
from mcuq.importer.flattening import Rules
from mcuq.importer.labels import DOMAIN
from mcuq.importer.load import OLDEST_OPSET
from mcuq.importer.problems import NEAREST
from mcuq.importer.transformers import RMS
from mcuq.importer.transformers import TRANSFORMERS as FUSED
from mcuq.kernels import KERNELS
from mcuq.kernels.kernel import Kernel
from mcuq.kernels.packed import PACKED_CONSTANTS
from mcuq.ops import FROM_ONNX, OPS
from mcuq.ops.function import Function
from mcuq.passes import optimize

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent / "tests"), str(DOCS.parent / "tests" / "importer")]

from onnx_models import imported  # noqa: E402
from refusals import UNKNOWN, refusals  # noqa: E402
from test_import_operators import NEWEST, plain_model, versions  # noqa: E402

NEWEST_OF = dict(versions())  # the last of each operator
# What a column is called, and a board whose CPU has its features.
CPUS = {
    "M0, M0+": "cortex-m0",
    "M3": "cortex-m3",
    "M4, M7, M33": "cortex-m4",
    "M55": "cortex-m55",
    "RV32IM": "rv32imc",
}
TYPES = ("int8", "int16", "float32")
INTRODUCTION = f"""\
# Operators

What of ONNX is read, of which layers it is made, and which kernels compute those; `python docs/make_operators.py`
writes this page from the code.

## What files may have

Files may be of opset {OLDEST_OPSET} to {NEWEST}, and of earlier ones which ONNX's converter brings there. "Opsets"
are those that define an operator anew. What is constant is folded away, whatever its operator. Layers are those of a
plain form, each once, after fusion: a Transpose vanishes where its neighbours can do without, a Reshape costs nothing.
Functions of one value are in [functions.md](functions.md). Quantized operators (QLinearConv and its like), control
flow, sequences, and what of ai.onnx.ml is read (below) are spelled in these before they are read. Limits are what is
refused as not supported, in the words of the error, with … for what the file has.
"""
MACHINE_LEARNING = """\
## Classic machine learning

Operators of ai.onnx.ml, as scikit-learn, LightGBM and XGBoost are exported. ZipMap is the scores that it makes a
dictionary of. Labels that are texts are their places in a list, which the C's header states. In int8 and int16 trees
and categories decide as finely as features are quantized.
"""
RUNTIME = """\
## What ONNX Runtime fuses

Operators of com.microsoft that ONNX Runtime's optimizers leave, beside those of quantized files. The last one has
ONNX's domain there.
"""
MASKS = """\
## Masks of attention

A file makes scores so low that Softmax leaves them out: it adds -inf or a large number to them, or chooses it by Where.
Such numbers are no scores, and in a scale with them all others would be one code. They are read as what they mean, the
Softmax's mask, which costs no scale, where

- they are below -9999: -1e4, -1e9, the least float32 and -inf are;
- one Add or Where puts them in, or several one after the other, all by -inf or all Where by the same number; the
  Softmax that follows is along the last dimension, and nothing else reads what is between;
- they are constant, or one of two numbers by place and by one computed mask or two: booleans, integers of 0 and 1, or
  reals of which `compile` notes that it reads zeros and ones. Samples that have others are refused.

Rows of which nothing is kept give what ONNX Runtime makes of the file; where that is NaN, integers have 0.

In other places such numbers are refused in int8 and int16, and `--scheme float32` computes with them as they stand:

- `... numbers down to ... for what no Softmax alone reads`: constants below -1e30 are the mask of no one Softmax, which
  float32 refuses, too. Let one Add or Where put them into the scores of one Softmax.
- `... adds numbers down to ... to its scores`: a computed tensor that is added reaches below -9999, and the scores do
  not. Give the mask as booleans, or as 0 and 1 by which Where chooses.
- `... its scores reach from ... to ...`: what a Softmax reads is made with a constant beyond 9999, of finite masks
  that are added one after the other, or along another dimension. Put both into one Add or Where; let Softmax be along
  the last dimension.

Scores that reach so far without such a constant are scores, and quantized as they are."""
CONTROL_FLOW = """\
## Control flow and sequences

An If, or a TensorFlow Lite file's IF, whose condition is computed runs both of its branches, which must give one shape,
and takes one result: `compile` notes it. Where its condition is an input that is always the same, `--fix-input` leaves
one of them. Where conditions, counts and positions are known when compiling, these are spelled out:
"""
LAYERS = """\
## Layers

Types are those that a layer's output may have, besides integers of the file. "packed" are weights of few bits (int4,
int2, ternary, codebook), "float16" weights of that type, "dynamic" floats that int8 weights are multiplied with in
int8. A CPU's column says what its own kernels compute; portable C computes everything else.
"""
MISSING = """\
## What is not read

`inspect` and `compile` list all that is in the way of a file at once. To operators that are not read, these come near.
Sizes are fixed when compiling, so that none is read whose output has as many rows as the data says (NonMaxSuppression,
NonZero, Unique), but of constants.
"""


def main() -> None:
    """Write the page."""
    (DOCS / "operators.md").write_text(page(), encoding="utf-8")


def page() -> str:
    """The whole text."""
    parts = (
        (INTRODUCTION, *_onnx_rows()),
        (MACHINE_LEARNING, *_machine_learning_rows()),
        (RUNTIME, *_rule_rows({key: rule for key, rule in FUSED.items() if key != RMS} | {RMS: FUSED[RMS]})),
        (MASKS,),
        (CONTROL_FLOW + fill(", ".join(sorted(name for _, name in _of_control_flow())) + ".", 120),),
        (LAYERS, *_layer_rows()),
        (MISSING, *_missing_rows()),
    )
    return "\n".join(line for part in parts for line in (*part, ""))


def _onnx_rows() -> Iterator[str]:
    yield from _head("operator", "opsets", "layers", "of the file", "limits")
    for name in sorted(FROM_ONNX):
        yield _row(name, ", ".join(map(str, _opsets(name))), _made_of(name), _note(name), _limits(name))


def _machine_learning_rows() -> Iterator[str]:
    yield from _rule_rows({key: RULES[key] for key in sorted(RULES) if key[0] == DOMAIN})


def _rule_rows(rules: Rules) -> Iterator[str]:
    yield from _head("operator", "what it is")
    for (_, name), rule in rules.items():
        yield _row(name, re.sub(r"\s+", " ", inspect.getdoc(rule) or ""))


def _of_control_flow() -> list[tuple[str, str]]:
    return [key for key in RULES if not key[0] and key != RMS]


def _opsets(name: str) -> list[int]:
    """Those that define the operator, as far as they are read."""
    own = [s for s in onnx.defs.get_all_schemas_with_history() if (s.domain, s.name) == ("", name)]
    return sorted(s.since_version for s in own if s.since_version <= NEWEST and not s.deprecated)


def _made_of(name: str) -> str:
    """The layers of a plain form at the newest opset that has it, each once."""
    graph = optimize(imported(plain_model(name, NEWEST_OF[name])))
    return ", ".join(dict.fromkeys(type(layer.op).__name__ for layer in graph.layers()))


def _note(name: str) -> str:
    """What the function that reads it says of it."""
    text = re.sub(r"\s+", " ", (inspect.getdoc(FROM_ONNX[name]) or "").split("\n\n")[0])
    return re.sub(r" ?Raises ModelError.*", "", text)


def _limits(name: str) -> str:
    """What is refused as not supported, not as wrong."""
    return "<br>".join(t for t in refusals(FROM_ONNX[name]) if "supported" in t and not t.startswith(UNKNOWN))


def _layer_rows() -> Iterator[str]:
    yield from _head("layer", "types", "weights", *CPUS)
    features = {cpu: load_board(board).cpu.features for cpu, board in CPUS.items()}
    for name, op in sorted(OPS.items()):
        if issubclass(op, Function):
            continue
        kernels = KERNELS.get(op, ())
        own = ((k for k in kernels if k.needs and k.needs <= has) for has in features.values())
        yield _row(name, _types(op), _weights(kernels), *map(_computed, map(tuple, own)))
    yield _row("functions of one value", _types(Function), "", *("" for _ in CPUS))


def _types(op: type[Operator]) -> str:
    return ", ".join(t for t in TYPES if t in op.dtypes)


def _weights(kernels: Sequence[Kernel]) -> str:
    """What constants may be beside the layer's own type."""
    return ", ".join(kind for kind in ("packed", "float16", "dynamic") if any(kind in _kinds(k) for k in kernels))


def _computed(kernels: Sequence[Kernel]) -> str:
    """What kernels of one CPU compute."""
    found = {kind for kernel in kernels for kind in _kinds(kernel)}
    return ", ".join(kind for kind in (*TYPES, "packed", "float16", "dynamic") if kind in found)


def _kinds(kernel: Kernel) -> set[str]:
    """The types of its activations, or of its constants where those are what it is for."""
    if kernel.constants == PACKED_CONSTANTS:
        return {"packed"}
    if kernel.activations == {"float32"} and kernel.constants >= {"int8", "float32"}:
        return {"dynamic"}
    return {t for t in kernel.activations if t in TYPES} | ({"float16"} & kernel.constants)


def _missing_rows() -> Iterator[str]:
    yield from _head("operator", "use")
    for name, nearest in sorted(NEAREST.items()):
        yield _row(name, nearest)


def _head(*cells: str) -> Iterator[str]:
    yield _row(*cells)
    yield "|" + "---|" * len(cells)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    main()
