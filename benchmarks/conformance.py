"""Holds mcuq against ONNX's own backend tests, and writes benchmarks/conformance.md: which pass, and why others do not.

    python benchmarks/conformance.py [--only TEXT] [--jobs N]

Each test is a model with inputs and the outputs that it has to give: some 1,900 of single operators, and their
functions spelled in others, and some 140 of networks' parts that exporters wrote. A compiler is told shapes, axes and
weights when it compiles: where a model is refused with all its inputs computed, those of integers and bools are given
as constants, and if that is refused too, all but the first (the lists say which are computed).

float32: the simulator's outputs are those of the test to 1e-4 of the largest magnitude; float16, bfloat16 and float64
are computed as float32, and have that type's rounding besides. int8: calibrated on the test's input, the output is
within 4 steps of what float32 makes of the inputs as their int8 codes have them. Integers and bools are equal.

Those of floats are the node tests all of whose inputs and outputs are float32 tensors, and whose operator is one of
OF_NETWORKS: the first node's, or where that is a function spelled in others, the function.
"""

from __future__ import annotations

import argparse
import re
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from mcuq.compile import quantize_model
from mcuq.errors import DataError, McuqError
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array, ChannelQuant, Tensor
from mcuq.importer import read_model
from mcuq.onnx_runtime.float_model import FloatModel

RESULTS = Path(__file__).with_name("conformance.md")
KINDS = ("node", "simple", "pytorch-operator", "pytorch-converted")
RELATIVE = 1e-4
STEPS = 4.0
# What rounding to a type may add, relative to the largest magnitude.
# Corners are aligned by the size before it is rounded in ONNX Runtime, which mcuq's meaning is that of; its own run of
# ONNX's tests leaves these out, too.
AS_RUNTIME = {"test_resize_downsample_scales_cubic_align_corners", "test_resize_downsample_scales_linear_align_corners"}
LEAST = float(np.finfo(np.float32).tiny)
ROUNDING = {"float16": 2e-3, "bfloat16": 2e-2}

# What networks are made of, and their exporters write: arithmetic, functions of one value, movement and selection,
# reductions and normalizations, convolutions and pools, attention, recurrent layers, control flow.
_NETWORKS = """
Add Cast Div Max Mean Min Mod Mul Neg Pow Sub Sum And Equal Greater GreaterOrEqual Less LessOrEqual Not Or Where Xor
Abs Acos Acosh Asin Asinh Atan Atanh Ceil Celu Clip Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish LeakyRelu
Log Mish PRelu Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh
ThresholdedRelu
ArgMax ArgMin Compress Concat CumSum DepthToSpace Expand Flatten Gather GatherElements GatherND Hardmax Identity
NonMaxSuppression OneHot Pad Reshape ReverseSequence ScatterElements ScatterND Slice SpaceToDepth Split Squeeze Tile
TopK Transpose Trilu Unique Unsqueeze
GlobalLpPool LpNormalization LpPool ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin
ReduceProd ReduceSum ReduceSumSquare
BatchNormalization GroupNormalization InstanceNormalization LRN LayerNormalization MeanVarianceNormalization
RMSNormalization
AveragePool Col2Im Conv ConvTranspose DeformConv GlobalAveragePool GlobalMaxPool GridSample MaxPool MaxUnpool Resize
Upsample
Attention Einsum Gemm LogSoftmax MatMul RotaryEmbedding Softmax
GRU If LSTM Loop RNN Scan
"""
OF_NETWORKS = frozenset(_NETWORKS.split())

Value = Any  # an array, or a list of them for a sequence, or None for an optional that holds nothing


@dataclass(frozen=True)
class Case:
    """A model with inputs and outputs in its order."""

    kind: str
    name: str
    model: onnx.ModelProto
    inputs: Sequence[Value]
    outputs: Sequence[Value]


@dataclass(frozen=True)
class Result:
    """How a case went with a scheme: `verdict` is pass, refused or WRONG; `inputs` which were computed; `detail` the
    reason, or the largest error."""

    verdict: str
    inputs: str
    detail: str


@cache
def cases(kind: str) -> Sequence[Case]:
    """All of a kind, by name; ONNX computes them when it is asked first."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        np.random.seed(0)  # many of the tests draw their inputs when they are made
        found = load_model_tests(kind=kind)
    return sorted((_case(kind, test) for test in found), key=lambda case: case.name)


def _case(kind: str, test: Any) -> Case:
    if test.model is not None:
        inputs, outputs = test.data_sets[0]
        return Case(kind, test.name, test.model, [*map(_value, inputs)], [*map(_value, outputs)])
    folder = Path(test.model_dir)
    model = onnx.load(folder / "model.onnx")
    data = folder / "test_data_set_0"
    read = [
        [
            _stored(data / f"{side}_{i}.pb", value)
            for i, value in enumerate(values)
            if (data / f"{side}_{i}.pb").exists()
        ]
        for side, values in (("input", model.graph.input), ("output", model.graph.output))
    ]
    return Case(kind, test.name, model, *read)


def _value(value: Any) -> Value:
    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    return value if isinstance(value, list) or value is None else np.asarray(value)


def _stored(path: Path, value: onnx.ValueInfoProto) -> Value:
    data = path.read_bytes()
    if value.type.WhichOneof("value") == "sequence_type":
        return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    if value.type.WhichOneof("value") == "optional_type":
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    return numpy_helper.to_array(TensorProto.FromString(data))


def attempt(case: Case, scheme: str) -> Result:
    """The case with as many of its inputs computed as mcuq takes."""
    refusals = []
    for how, fixed in _ways(case):
        model, inputs = with_constants(case, fixed)
        try:
            return Result(*_compared(model, inputs, case, scheme, how))
        except McuqError as error:
            refusals.append((how, str(error)))
        except Exception as error:  # a bug: the table must show it
            refusals.append((how, f"CRASH {type(error).__name__}: {error}"))
    how, text = next((r for r in refusals if "CRASH" in r[1]), refusals[min(1, len(refusals) - 1)])
    return Result("CRASH" if text.startswith("CRASH") else "refused", how, plain_reason(text))


def _ways(case: Case) -> Iterator[tuple[str, frozenset[int]]]:
    """Names and the indices of inputs that are constant, without repetition."""
    values = list(case.model.graph.input)
    weights = {t.name for t in case.model.graph.initializer}
    given = [i for i, v in enumerate(values) if v.name not in weights and i < len(case.inputs)]
    arrays = [i for i in given if isinstance(case.inputs[i], np.ndarray) and case.inputs[i].dtype != object]
    yield "all", frozenset()
    seen = {frozenset[int]()}
    integers = frozenset(i for i in arrays if case.inputs[i].dtype.kind in "iub")
    integers = integers if len(integers) < len(given) else integers - {*given[:1]}
    rest = frozenset(i for i in arrays if i != (given[0] if given else None))
    for how, fixed in (("but integers", integers), ("the first", rest)):
        if fixed not in seen and len(fixed) < len(given):
            seen.add(fixed)
            yield how, fixed


def with_constants(case: Case, fixed: frozenset[int]) -> tuple[onnx.ModelProto, dict[str, Value]]:
    """The model with those inputs as weights, and the values of the others by name."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    values = list(model.graph.input)
    for i in fixed:
        model.graph.initializer.append(numpy_helper.from_array(case.inputs[i], values[i].name))
    del model.graph.input[:]
    # Before IR version 4 weights are inputs too.
    model.graph.input.extend(v for i, v in enumerate(values) if i not in fixed or model.ir_version < 4)
    for value, data in zip(values, case.inputs, strict=False):
        dims = value.type.tensor_type.shape.dim
        if isinstance(data, np.ndarray) and len(dims) == data.ndim:
            for dim, size in zip(dims, data.shape, strict=True):
                dim.dim_value = size
    weights = {t.name for t in model.graph.initializer}
    return model, {
        v.name: case.inputs[i] for i, v in enumerate(values) if v.name not in weights and i < len(case.inputs)
    }


def _compared(
    model: onnx.ModelProto, inputs: dict[str, Value], case: Case, scheme: str, how: str
) -> tuple[str, str, str]:
    data = model.SerializeToString()
    scales = _edge_scales(read_model(data))
    # One sample, with the batch that the model has.
    sample = {name: _real(_as_given(value), scales.get(name)) for name, value in inputs.items() if value is not None}
    exact = quantize_model(data, scheme="float32").graph
    for name, x in sample.items():
        # A size of 0 in the file is one that is not known.
        if np.size(x) != exact.tensors[name].elements:
            raise DataError(f"input '{name}' of shape {list(np.shape(x))} is not {list(exact.tensors[name].shape)}")
    if scheme == "float32":
        wanted = {v.name: want for v, want in zip(case.model.graph.output, case.outputs, strict=False)}
        if case.name in AS_RUNTIME:
            wanted |= FloatModel(data).run(inputs)
        got = _run(exact, sample)
        worst = max(
            _codes_off(got[name], wanted[name], *scales[name])
            if name in scales and wanted[name].dtype.kind in "iu"
            else _error(got[name], wanted[name])
            for name in got
        )
        return ("pass" if worst <= RELATIVE else "WRONG"), how, f"{worst:.2g} off"
    sample = {name: _varied(x) for name, x in sample.items()}
    graph = quantize_model(data, sample, scheme=scheme).graph
    coded = {name: graph.tensors[name].decode(graph.tensors[name].encode(x)) for name, x in sample.items()}
    wanted, got = _run(exact, coded), _run(graph, sample)
    worst = max(_steps(graph.tensors[name], got[name], wanted[name]) for name in got)
    return ("pass" if worst <= STEPS else "beyond"), how, f"{worst:.2g} steps"


def compiled(case: Case, scheme: str) -> tuple[Graph, dict[str, Array]]:
    """The graph of a case that passes, and the case's sample as the graph takes it."""
    for _, fixed in _ways(case):
        model, inputs = with_constants(case, fixed)
        data = model.SerializeToString()
        try:
            scales = _edge_scales(read_model(data))
            sample = {n: _varied(_real(_as_given(v), scales.get(n))) for n, v in inputs.items() if v is not None}
            graph = quantize_model(data, sample if scheme != "float32" else None, scheme=scheme).graph
        except McuqError:
            continue
        return graph, quantize_inputs(graph, {name: sample[name] for name in graph.inputs})
    raise AssertionError(f"{case.name} is refused")


def _edge_scales(model: onnx.ModelProto) -> dict[str, tuple[Array, Array]]:
    """Scales and zero points of inputs and outputs that the file quantizes, of which mcuq speaks in real values."""
    stored = {t.name: t for t in model.graph.initializer}
    edges = {v.name for v in (*model.graph.input, *model.graph.output)}
    found = {}
    for node in model.graph.node:
        edge = node.input[:1] if node.op_type == "QuantizeLinear" else node.output[:1]
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and edges.issuperset(edge):
            given = [numpy_helper.to_array(stored[name]) for name in node.input[1:3] if name in stored]
            if len(given) == 2:
                found[edge[0]] = (given[0], given[1])
    return found


def _real(value: Value, scale: tuple[Array, Array] | None) -> Value:
    if scale is None or value.dtype.kind not in "iu":
        return value
    return ((value.astype(np.float64) - scale[1].astype(np.float64)) * scale[0]).astype(np.float32)


def _codes_off(got: Array, want: Array, scale: Array, zero_point: Array) -> float:
    """How much real values err beyond a step of the codes that a file quantizes them to; float32 does not round."""
    info = np.iinfo(want.dtype)
    codes = np.clip(got / scale.astype(np.float64) + zero_point, info.min, info.max)
    return max(0.0, float(np.abs(codes - want.astype(np.float64)).max(initial=0.0)) - 1)


def _run(graph: Graph, sample: dict[str, Array]) -> dict[str, Array]:
    for name in graph.inputs:
        if sample[name].shape[1:] != graph.tensors[name].shape:
            raise DataError(f"input '{name}' without elements is taken for one of an unknown size")
    given = quantize_inputs(graph, {name: sample[name] for name in graph.inputs})
    return {name: value[0] for name, value in dequantize_outputs(graph, simulate(graph, given)).items()}


def _steps(tensor: Tensor, got: Array, want: Array) -> float:
    """The largest difference in steps of the output; what lies beyond its codes counts as the nearest of them."""
    if tensor.quant is None:
        return 0.0 if _error(got, want) <= RELATIVE else np.inf
    quant = tensor.quant
    off = np.abs(got - np.clip(want, *quant.real_bounds))
    if isinstance(quant, ChannelQuant):  # what its parts hold differs, and so do their steps
        column = [-1 if axis == off.ndim + quant.axis else 1 for axis in range(off.ndim)]
        return float((off / np.array(quant.scale).reshape(column)).max(initial=0.0))
    return float(off.max(initial=0.0) / quant.step)


def _varied(x: Array) -> Array:
    """Floats that ranges can be found of: where a test has a single value, or some that float32 cannot hold, random
    ones."""
    is_fit = x.size == 0 or (np.isfinite(x).all() and x.min() < x.max())
    if x.dtype != np.float32 or is_fit:
        return x
    return np.random.default_rng(0).normal(0, 1, x.shape).astype(np.float32)


def _as_given(value: Value) -> Value:
    """What mcuq is given as samples: floats of any kind as float32; strings as they are, for its own word on them."""
    if not isinstance(value, np.ndarray):
        return value
    is_float = value.dtype.name in ("float16", "bfloat16", "float64")
    return (value.astype(np.float32) if is_float else value)[np.newaxis]


def _error(got: Array, want: Array) -> float:
    """The largest difference relative to the largest finite magnitude; infinite where one is not finite alone."""
    want = np.asarray(want)
    if got.shape != want.shape:
        return np.inf
    rounding = ROUNDING.get(want.dtype.name, 0.0)
    if want.dtype.kind in "iub":
        return 0.0 if np.array_equal(got.astype(np.float64), want.astype(np.float64)) else np.inf
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, or 0
        held = want.astype(np.float32)
    got, want = got.astype(np.float64), held.astype(np.float64)
    finite = np.isfinite(want)
    if not np.array_equal(got[~finite], want[~finite], equal_nan=True) or not np.isfinite(got[finite]).all():
        return np.inf
    # Some tests state their outputs to four digits.
    digits = 5e-5 if np.array_equal(want[finite], want[finite].round(4).astype(np.float32)) else 0.0
    off = float(np.abs(got - want)[finite].max(initial=0.0)) - digits
    return max(0.0, off / max(float(np.abs(want[finite]).max(initial=0.0)), LEAST) - rounding)


def plain_reason(text: str) -> str:
    """What is refused, without what is the case's own."""
    text = text.removeprefix("model: ")
    text = re.sub(r"; supported: .*", "", text, flags=re.DOTALL)
    return " / ".join(line.strip() for line in text.splitlines())


def kinds_of_reasons(text: str) -> str:
    """The reason without names, numbers and lists."""
    text = re.sub(r"'[^']*'", "'_'", text)
    text = re.sub(r"\[[^\]]*\]", "[_]", text)
    return re.sub(r"-?\d+", "N", text)


def _both(case: Case) -> tuple[str, str, dict[str, Result]]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        exact = attempt(case, "float32")
        return (
            case.kind,
            case.name,
            {"float32": exact, "int8": attempt(case, "int8") if exact.verdict == "pass" else exact},
        )


Found = list[tuple[str, str, dict[str, Result]]]


def run(wanted: Sequence[Case], jobs: int) -> Found:
    """Kind, name and the results by scheme of each case."""
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(_both, wanted, chunksize=20))


def outcome(results: dict[str, Result]) -> str:
    """In which of the table's lists a case stands."""
    verdicts = {scheme: result.verdict for scheme, result in results.items()}
    if verdicts["float32"] != "pass":
        return verdicts["float32"]
    return "pass" if verdicts["int8"] == "pass" else f"int8 {verdicts['int8']}"


def of_floats(wanted: Sequence[Case]) -> frozenset[str]:
    """Names of the node tests of floats (above)."""
    operators = {case.name: case.model.graph.node[0].op_type for case in wanted if case.kind == "node"}

    def is_of_floats(case: Case) -> bool:
        values = (*case.model.graph.input, *case.model.graph.output)
        operator = operators[case.name]
        if "_expanded" in case.name:
            operator = operators.get(case.name.split("_expanded")[0], operator)
        return operator in OF_NETWORKS and all(v.type.tensor_type.elem_type == TensorProto.FLOAT for v in values)

    return frozenset(case.name for case in wanted if case.kind == "node" and is_of_floats(case))


def table(found: Found, floats: frozenset[str]) -> str:
    """The text of conformance.md; `floats` are the names of the node tests of floats."""
    assert __doc__ is not None
    lines = ["# ONNX's backend tests", "", "What `python benchmarks/conformance.py` found.", ""]
    lines += [
        *__doc__.split("\n\n", 2)[2].strip().splitlines(),
        "",
        "| tests | of | float32 | int8 |",
        "|---|---|---|---|",
    ]
    groups_of_tests = [
        ("node", [results for k, _, results in found if k == "node"]),
        ("of these, of floats", [results for k, name, results in found if k == "node" and name in floats]),
        *((kind, [results for k, _, results in found if k == kind]) for kind in KINDS[1:]),
    ]
    for title, of_kind in groups_of_tests:
        passed = [sum(r[scheme].verdict == "pass" for r in of_kind) for scheme in ("float32", "int8")]
        lines.append(f"| {title} | {len(of_kind):,} | {passed[0]:,} | {passed[1]:,} |")
    lines += ["", "## Pass in both", ""]
    for kind in KINDS:
        for how in ("all", "but integers", "the first"):
            names = [n for k, n, r in found if k == kind and outcome(r) == "pass" and r["float32"].inputs == how]
            lines += _list(f"{kind}, computed: {how}", names)
    lines += ["", "## Pass in float32 alone", ""]
    for kind, name, results in found:
        if outcome(results).startswith("int8"):
            lines.append(f"- {kind}/{name}: {results['int8'].verdict}, {results['int8'].detail}")
    for verdict, title in (("WRONG", "Wrong"), ("CRASH", "End with a traceback"), ("refused", "Refused")):
        groups: dict[str, list[str]] = {}
        for kind, name, results in found:
            if outcome(results) == verdict:
                groups.setdefault(kinds_of_reasons(results["float32"].detail), []).append(f"{kind}/{name}")
        lines += ["", f"## {title}", ""] if groups else []
        for reason, names in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
            lines += _list(reason, names)
    return "\n".join(lines) + "\n"


def _list(title: str, names: Sequence[str]) -> list[str]:
    return (
        [f"- {title} ({len(names)}):", *(f"  {line}" for line in wrap(" ".join(names), 118, break_on_hyphens=False))]
        if names
        else []
    )


def read_table(text: str) -> dict[str, str]:
    """`kind/name` -> its outcome, as the table has it."""
    found: dict[str, str] = {}
    section = kind = ""
    for line in text.splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif line.startswith("- ") and section == "Pass in float32 alone":
            name, verdict = line[2:].split(": ", 1)
            found[name] = f"int8 {verdict.split(',')[0]}"
        elif line.startswith("- "):
            kind = line[2:].split(",")[0]
        elif line.startswith("  ") and section == "Pass in both":
            found |= {f"{kind}/{name}": "pass" for name in line.split()}
        elif line.startswith("  "):
            verdict = {"Wrong": "WRONG", "Refused": "refused"}.get(section, "CRASH")
            found |= dict.fromkeys(line.split(), verdict)
    return found


def main() -> None:
    """Run them, and write what is found, or print what is not passed of some."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="names that hold this; nothing is written then")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    wanted = [case for kind in KINDS for case in cases(kind) if options.only in case.name]
    found = run(wanted, options.jobs)
    if not options.only:
        RESULTS.write_text(table(found, of_floats(wanted)), encoding="utf-8")
        return
    for kind, name, results in found:
        print(f"{kind}/{name}: {outcome(results)}")
        for scheme, result in results.items():
            print(f"    {scheme}: {result.verdict}, computed: {result.inputs}: {result.detail}")


if __name__ == "__main__":
    main()
