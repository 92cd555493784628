"""Hugging Face's BERT of hugging_face.py, with its attention mask as an input, fused by ONNX Runtime's optimizer for
transformers.

pip install onnxruntime==1.32.0 sympy==1.14.0 onnx==1.23.2 numpy==2.4.6
python onnxruntime_transformers.py [FOLDER]
"""

from __future__ import annotations

import numpy as np
from common import FILES, SAMPLES, run_onnx, save
from onnxruntime.transformers.optimizer import optimize_model

if __name__ == "__main__":
    fused = optimize_model(str(FILES / "bert_dynamo_mask.onnx"), "bert", num_heads=2, hidden_size=16, opt_level=0).model
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 64, (SAMPLES, 8))
    mask = (np.arange(8) < rng.integers(2, 9, (SAMPLES, 1))).astype(np.int64)
    inputs = {"input_ids": tokens, "attention_mask": mask}
    save("ort_transformers", fused, inputs, run_onnx(fused, inputs))
