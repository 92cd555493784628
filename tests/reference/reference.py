"""The reference networks, compiled once a process."""

from __future__ import annotations

from functools import cache

from reference_cases import case

from mcuq.compile import CompiledModel, compile_model


@cache
def compiled(name: str) -> CompiledModel:
    """The network quantized with its calibration inputs, all options at their defaults."""
    return compile_model(case(name).onnx, "cortex-m4", case(name).x_calibration, name=name)
