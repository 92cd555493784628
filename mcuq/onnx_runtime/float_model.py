"""Float execution by ONNX Runtime: calibration, comparison with the original model, tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from mcuq.errors import ModelError
from mcuq.graph.tensor import Array
from mcuq.onnx_runtime import RuntimeFault, Session

_QUANTIZING = ("QuantizeLinear", "DynamicQuantizeLinear")
# It takes the zeros of a Pad before MaxPool for -inf (seen up to ONNX Runtime 1.31).
_WRONG_OPTIMIZERS = ("Pad_Fusion",)
# Types of inputs -> NumPy's.
_DTYPES = {f"tensor({sign}int{bits})": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_DTYPES |= {"tensor(float)": "float32", "tensor(bool)": "bool"}


class FloatModel:
    """An ONNX model with fixed input shapes, ready to run one sample at a time.

    Raises ModelError, one line, whatever ONNX Runtime makes of the model: it runs in a process of its own.
    """

    def __init__(self, model: onnx.ModelProto | bytes) -> None:
        data = model if isinstance(model, bytes) else model.SerializeToString()
        try:
            proto = onnx.load_model_from_string(model) if isinstance(model, bytes) else model
            # A quantized one as it is written: integer kernels round in their own way, two quantizations in a row
            # become a wrong one (DoubleQDQPairsRemover), and without both Transposes go astray between Q/DQ (seen
            # in 1.32).
            optimize = not any(node.op_type in _QUANTIZING for node in proto.graph.node)
            self._session = Session(data, optimize, _WRONG_OPTIMIZERS)
        except Exception as error:  # protobuf raises exceptions of several kinds
            raise ModelError(f"ONNX Runtime cannot load the model: {str(error).strip().splitlines()[0]}") from None
        self.inputs = self._session.inputs
        kinds = zip(self._session.inputs, self._session.types, strict=True)
        self._dtypes = {name: _DTYPES[kind] for name, kind in kinds if kind in _DTYPES}
        self.outputs = self._session.outputs

    def run(self, sample: Mapping[str, Array], outputs: Sequence[str] | None = None) -> dict[str, Array]:
        """Outputs by name for one array an input, float32 or integers; what the model has as integers becomes such."""
        names = list(self.outputs if outputs is None else outputs)
        if not names:
            return {}  # ONNX Runtime would give all outputs
        try:
            fed = {name: np.asarray(x, self._dtypes.get(name)) for name, x in sample.items()}
            return dict(zip(names, self._session.run(fed, names), strict=True))
        except RuntimeFault as fault:
            raise ModelError(f"ONNX Runtime cannot run the model: {fault}") from None
