"""TensorFlow Lite files: read with the package `tflite`, and written as the ONNX model that the importer takes."""

from __future__ import annotations

from mcuq.importer.tflite.convert import DOMAIN, onnx_of

MAGIC = (4, b"TFL3")  # where a file has its identifier: `file_identifier` of TensorFlow's schema.fbs


def is_tflite(data: bytes) -> bool:
    """Whether the file begins as TensorFlow Lite's do."""
    start, identifier = MAGIC
    return data[start : start + len(identifier)] == identifier


__all__ = ["DOMAIN", "is_tflite", "onnx_of"]
