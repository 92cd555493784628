"""Float execution by ONNX Runtime: calibration, comparison with the original model, tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
import onnxruntime

from mcuq.errors import ModelError
from mcuq.tensor import Array

_QUANTIZING = ("QuantizeLinear", "DynamicQuantizeLinear")


class FloatModel:
    """An ONNX model with fixed input shapes, ready to run one sample at a time."""

    def __init__(self, model: onnx.ModelProto | bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # One thread: results do not depend on the machine, and small models run faster.
        options.intra_op_num_threads = 1
        data = model if isinstance(model, bytes) else model.SerializeToString()
        # It takes the zeros of a Pad before MaxPool for -inf (seen up to ONNX Runtime 1.31).
        wrong = ["Pad_Fusion"]
        try:
            proto = onnx.load_model_from_string(model) if isinstance(model, bytes) else model
            if any(node.op_type in _QUANTIZING for node in proto.graph.node):
                # As it is written: integer kernels round in their own way, two quantizations in a row become a wrong
                # one (DoubleQDQPairsRemover), and without both Transposes go astray between Q/DQ (seen in 1.32).
                options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            self._session = onnxruntime.InferenceSession(
                data, options, ["CPUExecutionProvider"], disabled_optimizers=wrong
            )
        except Exception as error:  # ONNX Runtime raises bare exceptions of several kinds
            raise ModelError(f"ONNX Runtime cannot load the model: {str(error).strip().splitlines()[0]}") from None
        self.inputs: tuple[str, ...] = tuple(i.name for i in self._session.get_inputs())
        self.outputs: tuple[str, ...] = tuple(o.name for o in self._session.get_outputs())

    def run(self, sample: Mapping[str, Array], outputs: Sequence[str] | None = None) -> dict[str, Array]:
        """Outputs by name for one float32 array an input."""
        names = list(self.outputs if outputs is None else outputs)
        if not names:
            return {}  # ONNX Runtime would give all outputs
        return dict(zip(names, self._session.run(names, dict(sample)), strict=True))
