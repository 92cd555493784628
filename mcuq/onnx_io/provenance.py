"""What a model was made from, kept in the metadata of its float model, so that the C can say it."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

SOURCE = "mcuq.sha256"
FORMAT = "mcuq.format"  # of the file, where it is not ONNX
OPTIONS = "mcuq.options"
NOTES = "mcuq.notes"  # lines on what the file's user has to know


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


def provenance(onnx_model: bytes, chosen: Sequence[str]) -> tuple[str, ...]:
    """Lines that say what the C was made from, with what was `chosen` for it; none where the file is not known."""
    model = onnx.ModelProto()
    model.ParseFromString(onnx_model)
    source = noted(model, SOURCE)
    if not source:
        return ()
    options = ", ".join((noted(model, OPTIONS) or "scheme unknown", *chosen))
    return (f"From the {noted(model, FORMAT) or 'ONNX'} file of SHA-256 {source}:", f"{options}.")
