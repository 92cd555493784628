"""What a model was made from, kept in the metadata of its float model, so that the C can say it."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

SOURCE = "mcuq.sha256"
FORMAT = "mcuq.format"  # of the file, where it is not ONNX
OPTIONS = "mcuq.options"


def note(model: onnx.ModelProto, key: str, value: str) -> None:
    """Set a property of the model."""
    for entry in model.metadata_props:
        if entry.key == key:
            entry.value = value
            return
    model.metadata_props.add(key=key, value=value)


def provenance(onnx_model: bytes, chosen: Sequence[str]) -> tuple[str, ...]:
    """Lines that say what the C was made from, with what was `chosen` for it; none where the file is not known."""
    model = onnx.ModelProto()
    model.ParseFromString(onnx_model)
    noted = {entry.key: entry.value for entry in model.metadata_props}
    if SOURCE not in noted:
        return ()
    options = ", ".join((noted.get(OPTIONS, "scheme unknown"), *chosen))
    return (f"From the {noted.get(FORMAT, 'ONNX')} file of SHA-256 {noted[SOURCE]}:", f"{options}.")
