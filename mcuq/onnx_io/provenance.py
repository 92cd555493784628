"""What a model was made from, kept in the metadata of its float model, so that the C can say it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from textwrap import wrap

import onnx

SOURCE = "mcuq.sha256"
FORMAT = "mcuq.format"  # of the file, where it is not ONNX
OPTIONS = "mcuq.options"
NOTES = "mcuq.notes"  # lines on what the file's user has to know
NAMES = "mcuq.names"  # texts that the file has for the integers, and for the columns, of tensors

_COLUMNS = 110  # of a line in the C


def note(model: onnx.ModelProto, key: str, value: str) -> None:
    """Set a property of the model."""
    for entry in model.metadata_props:
        if entry.key == key:
            entry.value = value
            return
    model.metadata_props.add(key=key, value=value)


def noted(model: onnx.ModelProto, key: str) -> str:
    """A property of the model, "" where it is not there."""
    return next((entry.value for entry in model.metadata_props if entry.key == key), "")


def note_names(
    model: onnx.ModelProto, values: Mapping[str, Sequence[str]], columns: Mapping[str, Sequence[str]]
) -> None:
    """Keep what the values 0, 1, ... of tensors are called, and what their columns are."""
    if values or columns:
        note(model, NAMES, json.dumps({"values": values, "columns": columns}))


def named_outputs(onnx_model: bytes) -> tuple[str, ...]:
    """A line for each output whose integers or columns have names in the file."""
    return _named_outputs(_parsed(onnx_model))


def _parsed(onnx_model: bytes) -> onnx.ModelProto:
    model = onnx.ModelProto()
    model.ParseFromString(onnx_model)
    return model


def _named_outputs(model: onnx.ModelProto) -> tuple[str, ...]:
    names = json.loads(noted(model, NAMES) or "{}")
    lines = []
    for output in (value.name for value in model.graph.output):
        if texts := names.get("values", {}).get(output):
            listed = ", ".join(f"{number} is '{text}'" for number, text in enumerate(texts))
            lines.append(f"output '{output}': {listed}")
        if texts := names.get("columns", {}).get(output):
            lines.append(f"columns of output '{output}': {', '.join(map(repr, texts))}")
    return tuple(lines)


def provenance(onnx_model: bytes, chosen: Sequence[str]) -> tuple[str, ...]:
    """Lines that say what the C was made from, with what was `chosen` for it; none where the file is not known."""
    model = _parsed(onnx_model)
    names = [line for text in _named_outputs(model) for line in wrap(text[0].upper() + text[1:] + ".", _COLUMNS)]
    source = noted(model, SOURCE)
    if not source:
        return tuple(names)
    options = ", ".join((noted(model, OPTIONS) or "scheme unknown", *chosen))
    return (f"From the {noted(model, FORMAT) or 'ONNX'} file of SHA-256 {source}:", f"{options}.", *names)
