"""Small TensorFlow Lite files for tests, and what TensorFlow Lite's own interpreter makes of them.

They are written with the schema of the interpreter's package, another one than that which reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from mcuq.errors import McuqError
from mcuq.graph.tensor import Array
from mcuq.importer import import_model

# Which kernels compute: the plain ones, which microcontrollers have too, or those that Python's users get.
PLAIN, FAST = OpResolverType.BUILTIN_REF, OpResolverType.AUTO

# Of operators that the interpreter no longer knows in their first version.
VERSIONS = {"BROADCAST_TO": 2}


@dataclass(frozen=True)
class Sparse:
    """Where a sparse tensor's values lie: a level is its size, or its (segments, indices), stored as this type."""

    order: Sequence[int]
    blocks: Sequence[int]
    levels: Sequence[int | tuple[Sequence[int], Sequence[int]]]
    type: str = "Int32Vector"


@dataclass(frozen=True)
class T:
    """A tensor: its type is that of `data`, where it has some; `scale` is one, or one for each index of `axis`."""

    shape: Sequence[int] = ()
    type: str = "float32"
    scale: float | Sequence[float] | None = None
    zero_point: int | Sequence[int] = 0
    axis: int = 0
    data: Array | None = None
    signature: Sequence[int] = ()  # the shape, with -1 for sizes that are not fixed
    sparse: Sparse | None = None


def constant(data: Any, dtype: Any = None, **quantization: Any) -> T:
    """A tensor with values."""
    values = np.asarray(data, dtype)
    return T(values.shape, values.dtype.name, data=values, **quantization)


@dataclass(frozen=True)
class Node:
    """An operator; `options` are fields of the table `table`, which has its name from the kind where it has one."""

    kind: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    table: str = ""
    options: Mapping[str, Any] | None = None


def write(
    tensors: Mapping[str, T],
    nodes: Sequence[Node],
    inputs: Sequence[str] = ("x",),
    outputs: Sequence[str] = ("y",),
    shared: Mapping[str, str] | None = None,
    once: tuple[Mapping[str, T], Sequence[Node]] | None = None,
    branches: Sequence[tuple[Mapping[str, T], Sequence[Node], Sequence[str], Sequence[str]]] = (),
) -> bytes:
    """The file; "" is an input that is left out. `shared` tensors take the shape and bytes of others; `once` are the
    tensors and nodes of a second subgraph, `branches` those of others with their inputs and outputs."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.description, model.buffers = 3, "made by a test", [schema.BufferT()]
    parts = [(tensors, nodes, inputs, outputs), *([(*once, (), ())] if once else []), *branches]
    model.subgraphs = [graph, *(schema.SubGraphT() for _ in parts[1:])]
    kinds = sorted({node.kind for _, part, _, _ in parts for node in part})
    for made, (own_tensors, own_nodes, *ends) in zip(model.subgraphs, parts, strict=True):
        own_names = list(own_tensors)
        made.inputs, made.outputs = ([own_names.index(name) for name in names] for names in ends)
        made.tensors = [_tensor(name, tensor, model.buffers) for name, tensor in own_tensors.items()]
        made.operators = [_operator(node, own_names, kinds) for node in own_nodes]
    names = list(tensors)
    for own, other in (shared or {}).items():
        mine, its = graph.tensors[names.index(own)], graph.tensors[names.index(other)]
        mine.shape, mine.buffer = its.shape, its.buffer
    model.operatorCodes = []
    for kind in kinds:
        code = schema.OperatorCodeT()
        code.builtinCode = (
            schema.BuiltinOperator.CUSTOM if kind[:1].islower() else getattr(schema.BuiltinOperator, kind)
        )
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), VERSIONS.get(kind, 1)
        code.customCode = kind if kind[:1].islower() else None
        model.operatorCodes.append(code)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(name: str, tensor: T, buffers: list[Any]) -> Any:
    made = schema.TensorT()
    made.name, made.shape, made.type = name, list(tensor.shape), getattr(schema.TensorType, tensor.type.upper())
    made.hasRank, made.buffer = True, 0
    made.shapeSignature = list(tensor.signature) or None
    if tensor.sparse is not None:
        made.sparsity = _sparsity(tensor.sparse)
    if tensor.data is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(tensor.data).tobytes(), np.uint8)
        made.buffer = len(buffers)
        buffers.append(buffer)
    if tensor.scale is not None:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale = np.atleast_1d(np.asarray(tensor.scale, np.float32)).tolist()
        zero_points = np.broadcast_to(tensor.zero_point, len(made.quantization.scale))
        made.quantization.zeroPoint = zero_points.tolist()
        made.quantization.quantizedDimension = tensor.axis
    return made


def _sparsity(sparse: Sparse) -> Any:
    made = schema.SparsityParametersT()
    made.traversalOrder, made.blockMap, made.dimMetadata = list(sparse.order), list(sparse.blocks), []
    for level in sparse.levels:
        own = schema.DimensionMetadataT()
        own.format, own.denseSize = schema.DimensionType.DENSE, level if isinstance(level, int) else 0
        if not isinstance(level, int):
            own.format = schema.DimensionType.SPARSE_CSR
            own.arraySegmentsType = own.arrayIndicesType = getattr(schema.SparseIndexVector, sparse.type)
            own.arraySegments, own.arrayIndices = (getattr(schema, f"{sparse.type}T")() for _ in range(2))
            own.arraySegments.values, own.arrayIndices.values = (list(numbers) for numbers in level)
        made.dimMetadata.append(own)
    return made


def _operator(node: Node, names: list[str], kinds: list[str]) -> Any:
    made = schema.OperatorT()
    made.opcodeIndex = kinds.index(node.kind)
    made.inputs = [names.index(n) if n else -1 for n in node.inputs]
    made.outputs = [names.index(n) for n in node.outputs]
    if node.table:
        options = getattr(schema, f"{node.table}T")()
        for field, value in (node.options or {}).items():
            assert hasattr(options, field), f"{node.table} has no {field}"
            setattr(options, field, value)
        second = node.table not in vars(schema.BuiltinOptions)
        code = getattr(schema.BuiltinOptions2 if second else schema.BuiltinOptions, node.table)
        if second:
            made.builtinOptions2Type, made.builtinOptions2 = code, options
        else:
            made.builtinOptionsType, made.builtinOptions = code, options
    return made


def interpret(file: bytes | Path, samples: Mapping[str, Array], kernels: OpResolverType = PLAIN) -> dict[str, Array]:
    """The outputs by name, stacked, for stacked samples, in the file's own types; one run after the other."""
    content = {"model_content": file} if isinstance(file, bytes) else {"model_path": str(file)}
    runtime = Interpreter(**content, experimental_op_resolver_type=kernels, num_threads=1)
    runtime.allocate_tensors()
    inputs, outputs = runtime.get_input_details(), runtime.get_output_details()
    found: dict[str, list[Array]] = {detail["name"]: [] for detail in outputs}
    for index in range(len(next(iter(samples.values())))):
        for detail in inputs:
            runtime.set_tensor(detail["index"], samples[detail["name"]][index])
        runtime.invoke()
        for detail in outputs:
            found[detail["name"]].append(runtime.get_tensor(detail["index"]))
    return {name: np.stack(values) for name, values in found.items()}


def mutants(data: bytes, count: int, seed: int) -> list[bytes]:
    """The file cut off, and with bytes and words changed, also to those that offsets and counts break at."""
    rng = np.random.default_rng(seed)
    words = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, len(data), len(data) - 4)
    found = []
    for index in range(count):
        mutant = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            place = int(rng.integers(8, len(data) - 4))
            if index % 3 == 0:
                mutant = mutant[:place]
                break
            if index % 3 == 1:
                mutant[place] = int(rng.integers(256))
            else:
                mutant[place : place + 4] = words[rng.integers(len(words))].to_bytes(4, "little")
        found.append(bytes(mutant))
    return found


def check_mutants(data: bytes, count: int, seed: int) -> None:
    """Assert that damaged files are read or refused, and nothing else."""
    refused = 0
    for mutant in mutants(data, count, seed):
        try:
            import_model(mutant)
        except McuqError as error:
            refused += 1
            assert str(error)
    assert refused > count / 2
