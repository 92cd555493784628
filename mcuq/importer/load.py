"""Reads an ONNX or TensorFlow Lite file: every way in which it can be unreadable has its own message."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, Message
from onnx import TensorProto, external_data_helper, helper

from mcuq.errors import ModelError
from mcuq.importer.functions import inlined
from mcuq.importer.labels import DOMAIN, OLDEST_SPELLED, plain_labels
from mcuq.importer.narrow_integers import NARROW, in_bytes
from mcuq.importer.old_opsets import at_least
from mcuq.importer.other_formats import what_helps, what_helps_with_folder
from mcuq.importer.precision import graphs_of, in_float32
from mcuq.importer.problems import listed
from mcuq.importer.sparse import densify
from mcuq.importer.tflite import is_tflite, onnx_of
from mcuq.importer.wide_integers import in_known_types
from mcuq.onnx_io.provenance import FORMAT, SOURCE, note
from mcuq.system.regular_file import what_is_no_file

OLDEST_OPSET = 7
LARGEST_BYTES = 2**31 - 1  # of a file: protobuf's limit

_UNSUPPORTED_TYPES = {
    name: kind
    for kind, names in {
        "sub-byte": ("INT4", "UINT4", "INT2", "UINT2", "FLOAT4E2M1"),
        "string": ("STRING",),
        "complex": ("COMPLEX64", "COMPLEX128"),
    }.items()
    for name in names
}


# A model as a file, serialized, or in memory.
Model = str | Path | bytes | onnx.ModelProto


def model_path(model: Model) -> Path:
    """The file of the model; for one that is in memory what a file in the current folder would be called."""
    return Path(model) if isinstance(model, str | Path) else Path("model")


def load_onnx(source: Model) -> onnx.ModelProto:
    """The model with its external weights read in and its local functions inlined; a copy of one in memory.

    A TensorFlow Lite model is the ONNX model that means the same.
    """
    path = model_path(source)
    if isinstance(source, str | Path):
        model = _parse(path)
    else:
        model = _parsed(source if isinstance(source, bytes) else source.SerializeToString(), path)
    name = path.name
    _reject_idle_nodes(model, name)
    plain_labels(model)
    if opset(model) == 0:
        raise ModelError(f"{name}: imports no opset of ONNX; export with opset {OLDEST_OPSET} or later")
    newest = onnx.defs.onnx_opset_version()
    if opset(model) > newest:
        raise ModelError(f"{name}: opset {opset(model)} is not supported; export with opset {newest} or earlier")
    _reject_tensor_types(model, name)
    folder = path.resolve().parent
    try:
        external_data_helper.load_external_data_for_model(model, str(folder))
    except (OSError, ValueError, onnx.checker.ValidationError):
        locations = sorted({location for t in _stored_tensors(model) if (location := _location(t))})
        missing = [location for location in locations if not (folder / location).is_file()]
        raise ModelError(
            f"{name}: external weights {', '.join(map(repr, missing or locations))} are missing or unreadable; "
            "keep them in the model's folder"
        ) from None
    densify(model, name)
    oldest = OLDEST_SPELLED if any(node.domain == DOMAIN for node in model.graph.node) else OLDEST_OPSET
    model = at_least(inlined(model, name), opset(model), oldest, name)
    _use_short_domain(model)
    in_bytes(model)
    in_known_types(model, opset(model))
    in_float32(model, opset(model))
    return model


def opset(model: onnx.ModelProto) -> int:
    """Version of the default operator set; 0 where none is imported."""
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)


def _parse(path: Path) -> onnx.ModelProto:
    if kind := what_is_no_file(path):
        raise ModelError(f"{path}: is {kind}; give an .onnx or .tflite file")
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ModelError(
                f"{path}: has {path.stat().st_size:,} bytes, ONNX files {LARGEST_BYTES:,} at most; give an .onnx file"
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file") from None
    except IsADirectoryError:
        helps = what_helps_with_folder(path) or "is a folder; give the .onnx file in it"
        raise ModelError(f"{path}: {helps}") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from None
    return _parsed(data, path)


def _parsed(data: bytes, path: Path) -> onnx.ModelProto:
    if is_tflite(data):
        model = onnx_of(data, path.name)
        note(model, SOURCE, hashlib.sha256(data).hexdigest())
        note(model, FORMAT, "TensorFlow Lite")
        return model
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
        whole = bool(model.graph.output) and bool(model.opset_import) and not _has_broken_text(model)
    except (DecodeError, UnicodeDecodeError):
        whole = False
    if not whole:
        if helps := what_helps(path, data[:16]):
            raise ModelError(f"{path.name}: {helps}")
        # Every exporter writes ir_version first: protobuf field 1, a varint.
        if data[:1] == b"\x08":
            raise ModelError(f"{path.name}: is cut short or damaged after {len(data)} bytes; export or copy it again")
        raise ModelError(f"{path.name}: is not an ONNX model; give an .onnx file")
    note(model, SOURCE, hashlib.sha256(data).hexdigest())
    return model


def _has_broken_text(message: Message) -> bool:
    """Whether a name anywhere in the message is not UTF-8: protobuf then gives bytes, or raises."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_STRING:
            if any(isinstance(text, bytes) for text in ([value] if isinstance(value, str | bytes) else value)):
                return True
        elif field.type == field.TYPE_MESSAGE and any(
            _has_broken_text(inner) for inner in ([value] if isinstance(value, Message) else value)
        ):
            return True
    return False


def _use_short_domain(model: onnx.ModelProto) -> None:
    """The default operator set may be called "ai.onnx" or ""; from here on it is ""."""
    version, others = opset(model), [entry for entry in model.opset_import if entry.domain not in ("", "ai.onnx")]
    del model.opset_import[:]
    model.opset_import.extend([helper.make_opsetid("", version), *others])
    for node in model.graph.node:
        if node.domain == "ai.onnx":
            node.domain = ""


def _stored_tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        yield from (attribute.t for attribute in node.attribute if attribute.HasField("t"))


def _location(tensor: TensorProto) -> str:
    return next((entry.value for entry in tensor.external_data if entry.key == "location"), "")


def _reject_idle_nodes(model: onnx.ModelProto, name: str) -> None:
    """All that follows may name a node by its first output."""
    nodes = [node for graph in graphs_of(model.graph) for node in graph.node]
    nodes += [node for function in model.functions for node in function.node]
    problems = [
        f"{name}: {node.op_type or 'a node'} '{node.name}': has no output; the file is damaged, export it again"
        for node in nodes
        if not node.output
    ]
    if problems:
        raise ModelError(listed(problems, name))


def _reject_tensor_types(model: onnx.ModelProto, name: str) -> None:
    graph = model.graph
    edges = [(v.name, v.type.tensor_type.elem_type) for v in (*graph.input, *graph.output)]
    stored = [(t.name, t.data_type) for t in graph.initializer]
    stored += [
        (node.output[0], attribute.t.data_type)
        for node in graph.node
        for attribute in node.attribute
        if attribute.type == onnx.AttributeProto.TENSOR
    ]
    problems = []
    typed = [(tensor, code) for tensor, code in stored if code not in NARROW]
    for tensor, code in dict.fromkeys([*typed, *edges]):
        type_name = TensorProto.DataType.Name(code) if code in TensorProto.DataType.values() else str(code)
        if type_name in _UNSUPPORTED_TYPES:
            problems.append(
                f"{name}: tensor '{tensor}' is {type_name.lower()}; {_UNSUPPORTED_TYPES[type_name]} tensors are not "
                "supported, use float32"
            )
    if problems:
        raise ModelError(listed(problems, name))
