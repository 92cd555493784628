"""Keras 3: model.export(format="onnx") on each backend, of a network of convolutions and of a transformer encoder.

pip install keras==3.15.1 onnx==1.23.2 numpy==2.4.6
pip install tensorflow-cpu==2.21.0 tf2onnx==1.17.0                # KERAS_BACKEND=tensorflow
pip install torch==2.13.0 onnxscript==0.7.2                       # KERAS_BACKEND=torch
pip install jax==0.10.2 jax2onnx==0.17.1                          # KERAS_BACKEND=jax
KERAS_BACKEND=jax python keras_onnx.py [FOLDER]
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import onnx
from common import SAMPLES, samples, save
from keras import layers

BACKEND = keras.backend.backend()


def convolutions() -> keras.Model:
    """(1, 8, 8, 1) to (1, 6)."""
    image = keras.Input((8, 8, 1), batch_size=1, name="image")
    x = layers.Conv2D(8, 3, padding="same")(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = pooled = layers.MaxPooling2D()(x)
    x = layers.ReLU(6.0)(layers.DepthwiseConv2D(3, padding="same")(x))
    x = layers.Add()([layers.Conv2D(8, 1)(x), pooled])
    x = layers.Dense(16, activation="tanh")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(6, activation="softmax")(x))


def encoder() -> keras.Model:
    """(1, 8) tokens to (1, 4): two heads, and a dense layer with Gelu."""
    tokens = keras.Input((8,), batch_size=1, dtype="int32", name="tokens")
    x = layers.Embedding(16, 16)(tokens)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 8)(x, x))
    x = layers.LayerNormalization()(x + layers.Dense(16)(layers.Dense(32, activation="gelu")(x)))
    return keras.Model(tokens, layers.Dense(4)(layers.GlobalAveragePooling1D()(x)))


def exported(model: keras.Model, x: np.ndarray) -> onnx.ModelProto:
    """By Keras, or by PyTorch itself, whose exporter Keras calls with what it does not take of an encoder."""
    if BACKEND == "torch" and x.dtype == np.int32:
        import torch

        names = {"input_names": ["tokens"], "output_names": ["logits"]}
        return torch.onnx.export(model, (torch.tensor(x[:1]),), dynamo=True, verbose=False, **names).model_proto
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        model.export(path, format="onnx", verbose=False)
        return onnx.load(path)


if __name__ == "__main__":
    tokens = np.random.default_rng(0).integers(0, 16, (SAMPLES, 8)).astype(np.int32)
    for make, x in ((convolutions, samples(8, 8, 1)), (encoder, tokens)):
        keras.utils.set_random_seed(0)
        model = make()
        rows = [keras.ops.convert_to_numpy(model(x[i : i + 1], training=False)) for i in range(SAMPLES)]
        proto = exported(model, x)
        (given,), (found,) = proto.graph.input, proto.graph.output
        save(f"keras_{BACKEND}_{make.__name__}", proto, {given.name: x}, {found.name: np.concatenate(rows)})
