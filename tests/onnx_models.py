"""Small ONNX models for tests, and the check that importing keeps what they compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from mcuq.errors import McuqError
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, Tensor
from mcuq.importer import import_model
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.passes import optimize

Dims = Sequence[int | str | None]

# What float32 sums of some hundred products of numbers around 1 differ by when they are added in another order.
TOLERANCE = 2e-5


def node(
    op_type: str, inputs: Sequence[str], outputs: str | Sequence[str], name: str = "", **attributes: Any
) -> onnx.NodeProto:
    """A node; one output may be given as a plain text."""
    outputs = [outputs] if isinstance(outputs, str) else list(outputs)
    return helper.make_node(op_type, list(inputs), outputs, name or None, **attributes)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Dims | None],
    outputs: Sequence[str] | Mapping[str, int] = ("y",),
    constants: Mapping[str, Array | TensorProto] | None = None,
    opset: int = 17,
    kinds: Mapping[str, int] | None = None,
    **options: Any,
) -> onnx.ModelProto:
    """A model; inputs are float32, but for what `kinds` says, of the given shapes (None: unknown), outputs state their
    type, float32, only."""
    types = outputs if isinstance(outputs, Mapping) else dict.fromkeys(outputs, TensorProto.FLOAT)
    initializers = [
        value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value), name)
        for name, value in (constants or {}).items()
    ]
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [
            helper.make_tensor_value_info(name, (kinds or {}).get(name, TensorProto.FLOAT), shape)
            for name, shape in inputs.items()
        ],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in types.items()],
        initializers,
    )
    options.setdefault("ir_version", 8 if opset <= 17 else 10)
    options.setdefault("opset_imports", [helper.make_opsetid("", opset)])
    return helper.make_model(graph, **options)


def random(*shape: int, seed: int = 0, low: float = -1.0, high: float = 1.0) -> Array:
    """float32, uniform."""
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape).astype(np.float32)


def ints(*values: int) -> Array:
    """int64, as ONNX wants shapes and axes."""
    return np.array(values, np.int64)


def saved(proto: onnx.ModelProto, folder: Path, name: str = "net.onnx") -> Path:
    """The model as a file."""
    path = folder / name
    path.write_bytes(proto.SerializeToString())
    return path


def imported(proto: onnx.ModelProto, shapes: Mapping[str, int] | None = None) -> Graph:
    """The graph that the importer makes of the model."""
    with TemporaryDirectory() as folder:
        return import_model(saved(proto, Path(folder)), shapes)[0]


def refusal(proto: onnx.ModelProto, shapes: Mapping[str, int] | None = None) -> str:
    """The whole text of the error with which the importer refuses the model, which it calls net.onnx."""
    with pytest.raises(McuqError) as caught:
        imported(proto, shapes)
    return str(caught.value)


def unoptimized(proto: onnx.ModelProto, may_saturate: bool = False) -> onnxruntime.InferenceSession:
    """A session that runs the model operator by operator: ONNX Runtime's optimizer takes zero padding before MaxPool
    for -inf, and what it makes of Q/DQ saturates on x86 CPUs without VNNI. Where the model itself has products of uint8
    by int8, which `may_saturate` there, it is optimized as far as makes these weights uint8."""
    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = levels.ORT_ENABLE_EXTENDED if may_saturate else levels.ORT_DISABLE_ALL
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(proto.SerializeToString(), options, ["CPUExecutionProvider"])


def original_outputs(proto: onnx.ModelProto, sample: Mapping[str, Array]) -> dict[str, Array]:
    """What the model means: ONNX Runtime without its optimizer."""
    session = unoptimized(proto)
    names = [v.name for v in proto.graph.output]
    kinds = {v.name: helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type) for v in proto.graph.input}
    fed = {name: np.asarray(x).astype(kinds[name]) for name, x in sample.items()}
    return dict(zip(names, session.run(names, fed), strict=True))


def random_inputs(graph: Graph, seed: int) -> dict[str, Array]:
    """One sample for each input of the graph, normal with a deviation of 2, so that every bend of a function is met;
    integers of all that they are known to be."""
    rng = np.random.default_rng(seed)

    def values(tensor: Tensor) -> Array:
        if tensor.integers is not None:
            return rng.integers(tensor.integers.low, tensor.integers.high + 1, tensor.shape).astype(np.float32)
        return rng.normal(0, 2, tensor.shape).astype(np.float32)

    return {name: values(graph.tensors[name]) for name in graph.inputs}


def as_typed(proto: onnx.ModelProto, sample: Mapping[str, Array]) -> dict[str, Array]:
    """The sample as the file's types can hold it: integers of some hundred where it has integers."""
    kinds = {v.name: helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type) for v in proto.graph.input}

    def typed(x: Array, kind: np.dtype[Any]) -> Array:
        if kind.kind == "b":
            return np.asarray(x > 0, np.float32)
        return np.clip(np.rint(64 * x), np.iinfo(kind).min, np.iinfo(kind).max) if kind.kind in "iu" else x

    is_whole = {name: np.array_equal(x, np.rint(x)) for name, x in sample.items()}
    return {name: x if is_whole[name] else typed(x, kinds[name]) for name, x in sample.items()}


def check_import(
    proto: onnx.ModelProto, shapes: Mapping[str, int] | None = None, graph: Graph | None = None, samples: int = 3
) -> Graph:
    """Assert that the model, its import and its optimized import give the same in ONNX Runtime; returns the import.

    Inputs, outputs and their order must be the model's. `graph` is the import where the caller has it already.
    """
    graph = imported(proto, shapes) if graph is None else graph
    optimized = optimize(graph)
    weights = {t.name for t in proto.graph.initializer}
    names = [v.name for v in proto.graph.output]
    # Indices are known to be in their range once they are optimized.
    inputs = [as_typed(proto, random_inputs(optimized, seed)) for seed in range(samples)]
    wanted = [original_outputs(proto, sample) for sample in inputs]
    for stage, result in (("import", graph), ("optimize", optimized)):
        assert list(result.inputs) == [v.name for v in proto.graph.input if v.name not in weights]
        assert list(result.outputs) == names
        written = FloatModel(write_onnx(result))
        for sample, want in zip(inputs, wanted, strict=True):
            got = written.run(sample)
            for name in names:
                where = f"output '{name}' after {stage}:\n{result.text()}"
                assert want[name].shape == result.tensors[name].shape, where
                scale = max(1.0, float(np.abs(want[name]).max()))
                np.testing.assert_allclose(got[name], want[name], rtol=0, atol=TOLERANCE * scale, err_msg=where)
    return graph
