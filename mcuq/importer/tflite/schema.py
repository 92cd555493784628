"""The package that knows the format: TensorFlow's schema, as FlatBuffers' compiler makes Python of it."""

from __future__ import annotations

import importlib
from types import ModuleType

from mcuq.errors import ModelError


def schema(name: str) -> ModuleType:
    """The package `tflite`; ModelError where it is not there, for the file `name`."""
    try:
        return importlib.import_module("tflite")
    except ImportError:
        raise ModelError(
            f"{name}: is a TensorFlow Lite model, which is read with the package tflite; "
            "install it: pip install 'mcuq[tflite]'"
        ) from None


def names(enumeration: type) -> dict[int, str]:
    """Code -> name of one of the schema's enumerations."""
    return {code: name for name, code in vars(enumeration).items() if isinstance(code, int)}
