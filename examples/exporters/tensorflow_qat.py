"""TensorFlow Model Optimization: a network trained with int8 in the loop, in legacy Keras, as .tflite.

pip install tensorflow-cpu==2.21.0 tf_keras==2.21.0 tensorflow-model-optimization==0.8.1 onnx==1.23.2 numpy==2.4.6
python tensorflow_qat.py [FOLDER]
"""

from __future__ import annotations

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tf_keras
from common import SAMPLES, samples, save
from tensorflow_lite import interpreted
from tensorflow_model_optimization.quantization.keras import quantize_model
from tf_keras import layers

X = samples(8, 8, 1)
BEYOND = samples(8, 8, 1, beyond=True)


def network() -> tf_keras.Model:
    """(1, 8, 8, 1) to (1, 6)."""
    tf_keras.utils.set_random_seed(0)
    image = tf_keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, padding="same")(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = pooled = layers.MaxPooling2D()(x)
    x = layers.ReLU()(layers.DepthwiseConv2D(3, padding="same")(x))
    x = layers.Add()([layers.Conv2D(8, 1)(x), pooled])
    x = layers.Dense(16, activation="relu")(layers.GlobalAveragePooling2D()(x))
    return tf_keras.Model(image, layers.Dense(6)(x))


if __name__ == "__main__":
    model = quantize_model(network())
    model.compile("sgd", "mse")
    model.fit(X, np.eye(SAMPLES, 6), epochs=5, verbose=0)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    file = converter.convert()
    input_name, output_name, y = interpreted(file, BEYOND)
    save("tfmot_qat", file, {input_name: BEYOND}, {output_name: y})
