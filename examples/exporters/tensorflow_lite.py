"""TensorFlow Lite's converter in all its forms, and tf2onnx, of a Keras network and of those .tflite files.

pip install tensorflow-cpu==2.21.0 keras==3.15.1 tf2onnx==1.17.0 onnx==1.23.2 numpy==2.4.6
python tensorflow_lite.py [FOLDER]
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf
import tf2onnx
from common import CALIBRATION, SAMPLES, samples, save
from keras import layers

X = samples(8, 8, 1)
BEYOND = samples(8, 8, 1, beyond=True)  # for files that have ranges


def network() -> keras.Model:
    """(1, 8, 8, 1) to (1, 6); the first dense layer is large enough that the converter quantizes its weights."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1), batch_size=1, name="image")
    x = layers.Conv2D(8, 3, padding="same")(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = pooled = layers.MaxPooling2D()(x)
    x = layers.ReLU(6.0)(layers.DepthwiseConv2D(3, padding="same")(x))
    x = layers.Add()([layers.Conv2D(8, 1)(x), pooled])
    x = layers.Dense(16, activation="tanh")(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(6, activation="softmax")(x))


def calibration() -> Iterator[list[np.ndarray]]:
    """The samples that ranges are found with."""
    for x in X[:CALIBRATION]:
        yield [x[np.newaxis]]


INT8, INT16 = (
    [tf.lite.OpsSet.TFLITE_BUILTINS_INT8],
    [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8],
)
RANGES = {"representative_dataset": calibration}
# Of each file, what is asked of the converter.
FORMS: dict[str, dict[str, Any]] = {
    "float": {"optimizations": []},
    "float16": {"types": [tf.float16]},
    "dynamic": {},
    "int8": {**RANGES, "ops": INT8, "inference_input_type": tf.int8, "inference_output_type": tf.int8},
    "int8_in_float": {**RANGES, "ops": INT8},
    "16x8": {**RANGES, "ops": INT16, "inference_input_type": tf.int16, "inference_output_type": tf.int16},
}


def converted(model: keras.Model, asked: dict[str, Any]) -> bytes:
    """A .tflite file."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = asked.get("types", [])
    converter.target_spec.supported_ops = asked.get("ops", [tf.lite.OpsSet.TFLITE_BUILTINS])
    for name, value in asked.items():
        if name not in ("types", "ops"):
            setattr(converter, name, value)
    return converter.convert()


def interpreted(file: bytes, images: np.ndarray) -> tuple[str, str, np.ndarray]:
    """Names of input and output, and what TensorFlow Lite computes, in real values."""
    interpreter = tf.lite.Interpreter(model_content=file)
    interpreter.allocate_tensors()
    given, found = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    rows = []
    for x in images[:, np.newaxis]:
        if given["dtype"] != np.float32:
            scale, zero_point = given["quantization"]
            limits = np.iinfo(given["dtype"])
            x = np.clip(np.floor(x / scale + (zero_point + 0.5)), limits.min, limits.max).astype(given["dtype"])
        interpreter.set_tensor(given["index"], x)
        interpreter.invoke()
        y = interpreter.get_tensor(found["index"])
        scale, zero_point = found["quantization"]
        rows.append(y if y.dtype == np.float32 else (y.astype(np.float64) - zero_point) * scale)
    return given["name"], found["name"], np.concatenate(rows).astype(np.float32)


def save_lite(name: str, file: bytes, images: np.ndarray) -> None:
    """The .tflite file, and what tf2onnx makes of it, but where that is much like another."""
    input_name, output_name, y = interpreted(file, images)
    save(f"tflite_{name}", file, {input_name: images}, {output_name: y})
    if name in ("float", "float16", "int8_in_float"):
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.tflite"
        path.write_bytes(file)
        proto, _ = tf2onnx.convert.from_tflite(str(path), opset=17)
    save(f"tf2onnx_{name}", proto, {proto.graph.input[0].name: images}, {proto.graph.output[0].name: y})


if __name__ == "__main__":
    model = network()
    proto, _ = tf2onnx.convert.from_keras(model, opset=17)
    y = np.concatenate([model(X[i : i + 1], training=False).numpy() for i in range(SAMPLES)])
    save("tf2onnx_keras", proto, {proto.graph.input[0].name: X}, {proto.graph.output[0].name: y})
    for name, asked in FORMS.items():
        save_lite(name, converted(model, asked), BEYOND if "ops" in asked else X)
