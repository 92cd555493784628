"""TensorFlow Lite's operators, and the functions that write them in ONNX."""

from __future__ import annotations

from collections.abc import Mapping

from mcuq.importer.tflite.operator import Converter
from mcuq.importer.tflite.operators.convolution import (
    batch_matmul,
    conv_2d,
    depthwise_conv_2d,
    fully_connected,
    transpose_conv,
)
from mcuq.importer.tflite.operators.elementwise import ELEMENTWISE
from mcuq.importer.tflite.operators.movement import MOVEMENT
from mcuq.importer.tflite.operators.pooling import pool_2d
from mcuq.importer.tflite.operators.reduction import arg_extreme, reduction, sum_
from mcuq.importer.tflite.operators.resize import resize

OPERATORS: Mapping[str, Converter] = {
    **ELEMENTWISE,
    **MOVEMENT,
    "ARG_MAX": arg_extreme("ArgMax", "ArgMaxOptions"),
    "ARG_MIN": arg_extreme("ArgMin", "ArgMinOptions"),
    "AVERAGE_POOL_2D": pool_2d("AveragePool"),
    "BATCH_MATMUL": batch_matmul,
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "FULLY_CONNECTED": fully_connected,
    "MAX_POOL_2D": pool_2d("MaxPool"),
    "MEAN": reduction("ReduceMean"),
    "REDUCE_MAX": reduction("ReduceMax"),
    "REDUCE_MIN": reduction("ReduceMin"),
    "REDUCE_PROD": reduction("ReduceProd"),
    "RESIZE_BILINEAR": resize("linear", "ResizeBilinearOptions"),
    "RESIZE_NEAREST_NEIGHBOR": resize("nearest", "ResizeNearestNeighborOptions"),
    "SUM": sum_,
    "TRANSPOSE_CONV": transpose_conv,
}
