"""Reads a TensorFlow Lite file whose bytes may be anything: each read is bound by the file's length.

FlatBuffers' Python has no verifier. It reads through NumPy and `struct`, which raise where an offset leaves the file;
what a file could still do is to name one table or vector over and over, so that little of it stands for much: counts of
tensors and operators, and the numbers and bytes that are read of it, have limits.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Sequence
from math import prod
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.tensor import Array
from mcuq.importer.tflite.network import ABSENT, INT4, Network, Operator, Quantization, Tensor
from mcuq.importer.tflite.schema import names, schema
from mcuq.importer.tflite.sparse import Level, unpacked

MOST_OPERATORS = 8_000  # as of nodes in an ONNX file
MOST_TENSORS = 100_000
# How often, on average, each byte of a file may be read: writers share some vectors, seldom.
MOST_READS = 16

# Types whose values are kept; others have a name and no data.
_NUMPY = {
    "float32": "<f4",
    "float16": "<f2",
    "float64": "<f8",
    "int8": "i1",
    "uint8": "u1",
    "int16": "<i2",
    "uint16": "<u2",
    "int32": "<i4",
    "uint32": "<u4",
    "int64": "<i8",
    "uint64": "<u8",
    "bool": "?",
}
_DAMAGED = (struct.error, IndexError, KeyError, OverflowError, TypeError, UnicodeDecodeError, ValueError)

_OUTSIDE = "its parts lie outside it"

T = TypeVar("T")


def read_file(data: bytes, name: str) -> Network:
    """What the file holds. Raises ModelError for one that is damaged, or larger than its bytes account for."""
    return _File(data, name, schema(name)).network()


class _File:
    def __init__(self, data: bytes, name: str, tflite: ModuleType) -> None:
        self._data, self._name, self._tflite = data, name, tflite
        self._left = MOST_READS * len(data)
        self._counted: Counter[str] = Counter()
        self._types = names(tflite.TensorType)
        self._kinds = names(tflite.BuiltinOperator)
        self._options = (names(tflite.BuiltinOptions), names(tflite.BuiltinOptions2))

    def network(self, index: int = 0) -> Network:
        """The subgraph of this number."""
        model = self._guarded(lambda: self._tflite.Model.GetRootAsModel(self._data, 0))
        graphs = self._guarded(model.SubgraphsLength)
        if not 0 <= index < graphs:
            raise self._damaged(f"it has no graph {index}" if graphs else "it has no graph")
        graph = self._item(model.Subgraphs, index)
        tensors = self._tensors(model, graph)
        inputs = self._indices(graph, "Inputs", len(tensors), least=0)
        for number in inputs:
            self._check_fixed(self._item(graph.Tensors, number), tensors[number])
        return Network(
            tensors=tensors,
            operators=self._operators(model, graph, len(tensors)),
            inputs=inputs,
            outputs=self._indices(graph, "Outputs", len(tensors), least=0),
            description=self._text(model.Description),
            subgraph=self.network,
        )

    def _tensors(self, model: Any, graph: Any) -> list[Tensor]:
        count = self._count(graph.TensorsLength, "tensors", MOST_TENSORS)
        tables = [self._item(graph.Tensors, index) for index in range(count)]
        texts = [self._text(table.Name) for table in tables]
        taken = set(texts)
        seen: set[str] = {""}
        found = []
        for index, text in enumerate(texts):
            own, n = text or f"tensor_{index}", 1
            while own in seen or (own in taken and own != text):
                n += 1
                own = f"{text}_{n}"
            seen.add(own)
            found.append(self._tensor(model, tables[index], own))
        return found

    def _tensor(self, model: Any, table: Any, name: str) -> Tensor:
        code = self._guarded(table.Type)
        kind = self._types.get(code, f"TYPE_{code}").lower()
        shape = tuple(int(n) for n in self._numbers(table, "Shape"))
        if any(n < 0 for n in shape):
            raise self._damaged(f"tensor '{name}' is of shape {list(shape)}")
        quantization = self._quantization(table, name)
        if quantization is not None and (scales := quantization.scale.size) > 1:
            axis = quantization.axis
            if not 0 <= axis < len(shape) or shape[axis] != scales:
                raise self._damaged(f"tensor '{name}' of shape {list(shape)} has {scales} scales along axis {axis}")
        sparsity = self._guarded(table.Sparsity)
        values = self._values(model, table, name, kind, shape, sparsity is not None)
        if sparsity is not None and values is not None:
            values = self._unpacked(sparsity, values, name, shape)
        return Tensor(name, shape, kind, values, quantization)

    def _check_fixed(self, table: Any, tensor: Tensor) -> None:
        """An input may have any batch, which is 1; of the sizes behind it, 1 is none that a network is for."""
        signature = self._numbers(table, "ShapeSignature").tolist()
        pairs = zip(signature[1:], tensor.shape[1:], strict=False)
        if any(stated == -1 and size == 1 for stated, size in pairs):
            raise ModelError(
                f"{self._name}: input '{tensor.name}' has sizes that are not fixed, {signature}; convert the model "
                "with a fixed shape"
            )

    def _unpacked(self, table: Any, values: Array, name: str, shape: Sequence[int]) -> Array:
        """A sparse tensor's array."""
        if prod(shape) * values.itemsize > MOST_READS * len(self._data):
            raise self._damaged(f"the sparse tensor '{name}' of shape {list(shape)} is far larger than it")
        self._spend(prod(shape) * values.itemsize)
        count = self._guarded(table.DimMetadataLength)
        if count > 2 * len(shape):
            raise self._damaged(f"the sparse tensor '{name}' has {count} levels")
        levels = [self._level(self._item(table.DimMetadata, index)) for index in range(count)]
        order, blocks = self._numbers(table, "TraversalOrder").tolist(), self._numbers(table, "BlockMap").tolist()
        return self._guarded(lambda: unpacked(values, shape, order, blocks, levels), f"the sparse tensor '{name}'")

    def _level(self, table: Any) -> Level:
        size = self._guarded(table.DenseSize)
        if self._guarded(table.Format) == self._tflite.DimensionType.DENSE:
            return Level(size)
        vectors = names(self._tflite.SparseIndexVector)
        found = []
        for kind, content in (
            (table.ArraySegmentsType, table.ArraySegments),
            (table.ArrayIndicesType, table.ArrayIndices),
        ):
            union, vector = self._guarded(content), vectors.get(self._guarded(kind), "NONE")
            if vector == "NONE" or union is None:
                raise self._damaged("a sparse level has no indices")
            own = getattr(self._tflite, vector)()
            self._start(own, union)
            found.append(self._numbers(own, "Values").astype(np.int64))
        return Level(size, *found)

    def _values(
        self, model: Any, table: Any, name: str, kind: str, shape: Sequence[int], is_sparse: bool
    ) -> Array | None:
        """A constant's values; of a sparse one those that are stored."""
        index = self._guarded(table.Buffer)
        if index >= self._guarded(model.BuffersLength):
            raise self._damaged(f"tensor '{name}' has its values in buffer {index}, which is not there")
        buffer = self._item(model.Buffers, index)
        content = self._content(buffer, name)
        if not content.size:
            return np.zeros(shape, _NUMPY[kind]) if prod(shape) == 0 and kind in _NUMPY else None
        if kind == INT4 and not is_sparse:
            self._spend(2 * content.size)  # unpacked, where others are read in place
            halves = np.stack([content << 4, content], -1).reshape(-1).view(np.int8) >> 4
            content, dtype = halves[: prod(shape)].view(np.uint8), "i1"
        elif kind in _NUMPY:
            dtype = _NUMPY[kind]
        else:
            return None
        if is_sparse and content.size % np.dtype(dtype).itemsize == 0:
            return content.view(dtype)
        if content.size != prod(shape) * np.dtype(dtype).itemsize:
            raise self._damaged(
                f"tensor '{name}' of type {kind} and shape {list(shape)} has {content.size:,} bytes of values"
            )
        return content.view(dtype).reshape(shape)

    def _content(self, buffer: Any, name: str) -> Array:
        """A buffer's bytes, which in files above 2 GB stand behind all tables."""
        start, size = self._guarded(buffer.Offset), self._guarded(buffer.Size)
        if start > 1:
            if start + size > len(self._data):
                raise self._damaged(f"the values of tensor '{name}' end behind it")
            return np.frombuffer(self._data, np.uint8, size, start)
        if self._guarded(buffer.DataIsNone):
            return np.zeros(0, np.uint8)
        content: Array = self._guarded(buffer.DataAsNumpy)
        return content

    def _quantization(self, table: Any, name: str) -> Quantization | None:
        found = self._guarded(table.Quantization)
        if found is None:
            return None
        scale = self._numbers(found, "Scale").astype(np.float32)
        if not scale.size:
            return None
        zero_point = self._numbers(found, "ZeroPoint").astype(np.int64)
        if zero_point.size == 0:
            zero_point = np.zeros(scale.size, np.int64)
        if zero_point.size == 1:
            zero_point = np.repeat(zero_point, scale.size)
        if zero_point.size != scale.size:
            raise self._damaged(f"tensor '{name}' has {scale.size} scales and {zero_point.size} zero points")
        for value in scale:
            if not 0 < value < np.inf:
                raise ModelError(
                    f"{self._name}: tensor '{name}' has the scale {value:g}; it must be positive and finite"
                )
        return Quantization(scale, zero_point, self._guarded(found.QuantizedDimension))

    def _operators(self, model: Any, graph: Any, tensors: int) -> list[Operator]:
        count = self._count(graph.OperatorsLength, "operators", MOST_OPERATORS)
        codes = self._guarded(model.OperatorCodesLength)
        found = []
        for index in range(count):
            table = self._item(graph.Operators, index)
            code = self._guarded(table.OpcodeIndex)
            if code >= codes:
                raise self._damaged(f"operator {index} is of kind {code}, which is not there")
            found.append(
                Operator(
                    self._kind(self._item(model.OperatorCodes, code)),
                    self._indices(table, "Inputs", tensors),
                    self._indices(table, "Outputs", tensors),
                    self._reader(table),
                )
            )
        return found

    def _kind(self, code: Any) -> str:
        """Files of before 2020 have the operator in a field of one byte."""
        builtin = max(self._guarded(code.BuiltinCode), self._guarded(code.DeprecatedBuiltinCode))
        kind = self._kinds.get(builtin, f"OPERATOR_{builtin}")
        return f"CUSTOM.{self._text(code.CustomCode)}" if kind == "CUSTOM" else kind

    def _reader(self, table: Any) -> Callable[[str, str], Any]:
        """Reads a field of the operator's options, which are of the type that its kind asks for; all fields of options
        that are left out have their defaults."""

        def read(options: str, field: str) -> Any:
            kind = getattr(self._tflite, options)()
            empty = struct.pack("<HHi", 4, 4, 4)  # a table without fields, behind its list of none
            kind.Init(empty, 4)
            for stated, content, known in (
                (table.BuiltinOptionsType, table.BuiltinOptions, self._options[0]),
                (table.BuiltinOptions2Type, table.BuiltinOptions2, self._options[1]),
            ):
                found = known.get(self._guarded(stated), "NONE")
                union = self._guarded(content)
                if found == options and union is not None:
                    self._start(kind, union)
                elif found not in ("NONE", options):
                    raise self._damaged(f"an operator has {found} for {options}")
            return self._guarded(getattr(kind, field))

        return read

    def _indices(self, table: Any, field: str, tensors: int, least: int = ABSENT) -> tuple[int, ...]:
        indices = tuple(int(i) for i in self._numbers(table, field))
        for index in indices:
            if not least <= index < tensors:
                raise self._damaged(f"it has {tensors} tensors, none of which is number {index}")
        return indices

    def _numbers(self, table: Any, field: str) -> Array:
        if self._guarded(getattr(table, f"{field}IsNone")):
            return np.zeros(0, np.int64)
        found: Array = self._guarded(getattr(table, f"{field}AsNumpy"))
        self._spend(found.nbytes)
        return found

    def _text(self, read: Callable[[], bytes | None]) -> str:
        text = self._guarded(read) or b""
        self._spend(len(text))
        return self._guarded(text.decode)

    def _count(self, read: Callable[[], int], what: str, most: int) -> int:
        """How many there are, in all that is read of the file no more than `most`."""
        count = self._guarded(read)
        self._counted[what] += count
        if self._counted[what] > most:
            raise ModelError(f"{self._name}: has {self._counted[what]:,} {what}, supported are {most:,} at most")
        return count

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise self._damaged("it names its parts over and over")

    def _start(self, table: Any, union: Any) -> None:
        """Have a table read where a union says that it is."""
        self._guarded(lambda: table.Init(self._data, union.Pos))

    def _item(self, read: Callable[[int], Any], index: int) -> Any:
        """An element of a vector of tables."""
        return self._guarded(lambda: read(index))

    def _guarded(self, read: Callable[[], T], what: str = "") -> T:
        try:
            return read()
        except _DAMAGED as error:
            raise self._damaged(f"{what}: {error}" if what else _OUTSIDE) from None

    def _damaged(self, why: str) -> ModelError:
        return ModelError(
            f"{self._name}: is cut short or damaged ({why}), {len(self._data):,} bytes; convert or copy it again"
        )
