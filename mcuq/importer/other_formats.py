"""Models of other tools: what makes ONNX of each."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

_TF2ONNX = "convert it: python -m tf2onnx.convert {option} {path} --output {onnx}"
_TORCH = "export it where it is made: torch.onnx.export(model, (example_input,), {onnx!r})"
# First bytes, names' endings, whose it is and what helps. Sources: the signature of HDF5 (format specification, section
# II.A), PKWARE's APPNOTE (PyTorch's and Keras's files are zips).
_KINDS = (
    (0, b"\x89HDF\r\n\x1a\n", (".h5", ".hdf5", ".keras"), "a Keras model", _TF2ONNX.replace("{option}", "--keras")),
    (None, b"", (".pt", ".pth", ".ckpt", ".pt2"), "a PyTorch file", _TORCH),
    (0, b"\x93NUMPY", (".npy", ".npz"), "data", "give it to --calibration, and the .onnx file here"),
)


def what_helps(path: Path, head: bytes) -> str | None:
    """What the file at `path`, which begins with `head`, is if no ONNX model, and what to do; None where unknown, or
    where it is called as if it were one: to convert it would write over it."""
    if path.suffix.lower() == ".onnx":
        return None
    if path.suffix.lower() == ".tflite":
        return "is not a TensorFlow Lite model, which has TFL3 as its bytes 5 to 8; convert or copy it again"
    by_magic = [k for k in _KINDS if k[0] is not None and head[k[0] : k[0] + len(k[1])] == k[1]]
    by_suffix = [k for k in _KINDS if path.suffix.lower() in k[2]]
    for _, _, _, kind, help_ in (*by_magic, *by_suffix):
        return f"is {kind}, not ONNX; " + _filled(help_, path)
    return None


def what_helps_with_folder(path: Path) -> str | None:
    """The same for a folder."""
    if (path / "saved_model.pb").is_file():
        return "is a SavedModel, not ONNX; " + _filled(_TF2ONNX.replace("{option}", "--saved-model"), path)
    return None


def _filled(text: str, path: Path) -> str:
    onnx = str(path.with_suffix(".onnx"))
    return text.format(path=quote(str(path)), onnx=onnx if "{onnx!r}" in text else quote(onnx))
