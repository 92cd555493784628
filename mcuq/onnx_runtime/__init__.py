"""ONNX Runtime in a process of its own: whatever a model makes of it, mcuq lives on and says so."""

from mcuq.onnx_runtime.process import MEMORY_BYTES, RuntimeFault, Session

__all__ = ["MEMORY_BYTES", "RuntimeFault", "Session"]
