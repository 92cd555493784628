"""What of a quantization came with the model, and what compile makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_models import imported, model, node, random, saved
from quantized_models import dequantize, quantize, scale_of

from mcuq.artifact import load, save
from mcuq.compile import compile_model, with_goal
from mcuq.graph.tensor import Quant
from mcuq.importer import import_model
from mcuq.passes import optimize
from mcuq.quantize import NO_RECOVERY, calibrate, given_quantization, quantize_graph
from mcuq.quantize.recover import recover
from mcuq.validate import check_bits

BIASES = replace(NO_RECOVERY, bias_correction=True)
X = {"x": (1, 3, 6, 5)}


def network(zero_point: int = 0, last_is_quantized: bool = True) -> onnx.ModelProto:
    """Two convolutions; the weights of the second about `zero_point`, its output quantized or not."""
    rng = np.random.default_rng(0)
    constants = {
        "s": scale_of(0.0213),
        "z": np.int8(5),
        "t": scale_of(0.0371),
        "u": np.int8(-128),
        "w": rng.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8),
        "ws": np.float32([0.0103, 0.0207, 0.0051, 0.0293]),
        "wz": np.zeros(4, np.int8),
        "v": rng.integers(-127, 128, (2, 4, 1, 1)).astype(np.int8),
        "vs": scale_of(0.0103),
        "vz": np.int8(zero_point),
        "b": random(4),
    }
    nodes = [
        quantize("x", "xq"),
        dequantize("xq", "xr"),
        dequantize("w", "wr", "ws", "wz", axis=0),
        node("Conv", ["xr", "wr", "b"], "c", "first"),
        node("Relu", ["c"], "r"),
        quantize("r", "rq", "t", "u"),
        dequantize("rq", "rr", "t", "u"),
        dequantize("v", "vr", "vs", "vz"),
        node("Conv", ["rr", "vr"], "d" if last_is_quantized else "y", "second"),
    ]
    if last_is_quantized:
        nodes += [quantize("d", "dq"), dequantize("dq", "y")]
    return model(nodes, X, constants=constants)


def test_a_quantized_model_needs_no_data_and_says_nothing(tmp_path: Path) -> None:
    compiled = compile_model(saved(network(), tmp_path), "cortex-m4")
    assert compiled.origin.ranges == "given"
    assert compiled.origin.samples == 0
    assert compiled.origin.notes == ()
    assert check_bits(compiled, iter([{"x": np.zeros((2, 1, 3, 6, 5), np.int8)}]), "host").bit_exact


def test_data_change_nothing_in_a_quantized_model(tmp_path: Path) -> None:
    path = saved(network(), tmp_path)
    with_data = compile_model(path, "cortex-m4", random(20, 3, 6, 5))
    assert with_data.files == compile_model(path, "cortex-m4").files
    assert with_data.origin.ranges == "given"
    assert with_data.origin.samples == 0


def test_ranges_that_are_missing_are_found_and_named(tmp_path: Path) -> None:
    path = saved(network(last_is_quantized=False), tmp_path)
    compiled = compile_model(path, "cortex-m4", random(20, 3, 6, 5))
    assert compiled.origin.ranges == "calibrated"
    assert compiled.origin.samples == 20
    assert compiled.origin.notes == ("the model gives no scale for 'second': found as for a float model",)
    assert compiled.graph.tensors["x"].quant == Quant((float(np.float32(0.0213)),), 5)
    guessed = compile_model(path, "cortex-m4")
    assert guessed.origin.ranges == "guessed"
    assert guessed.origin.samples == 0


def test_weights_that_are_no_int8_about_zero_are_rounded_anew_and_named(tmp_path: Path) -> None:
    compiled = compile_model(saved(network(zero_point=100), tmp_path), "cortex-m4")
    assert compiled.origin.notes == (
        "weights of 'second' have a zero point that leaves them no int8 about zero: they are rounded anew, to int8 "
        "without zero point; quantize weights symmetrically to keep them",
    )


def test_ranges_and_notes_are_saved_and_loaded(tmp_path: Path) -> None:
    compiled = compile_model(saved(network(zero_point=100), tmp_path), "cortex-m4")
    save(compiled, tmp_path / "build")
    again = load(tmp_path / "build")
    assert (again.origin.ranges, again.origin.notes) == ("given", compiled.origin.notes)
    assert with_goal(again, "size").origin.notes == compiled.origin.notes


def test_biases_of_given_weights_are_left_alone(tmp_path: Path) -> None:
    graph = optimize(import_model(saved(network(last_is_quantized=False), tmp_path))[0])
    samples = [{"x": random(1, 3, 6, 5, seed=seed)} for seed in range(10)]
    integer = quantize_graph(graph, calibrate(graph, samples))
    corrected = recover(graph, integer, samples, BIASES)
    assert corrected is integer


def test_biases_of_other_layers_are_corrected_next_to_them(tmp_path: Path) -> None:
    proto = network(last_is_quantized=False)
    weight = next(item for item in proto.graph.node if item.output[0] == "vr")
    proto.graph.node.remove(weight)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(random(2, 4, 1, 1), "vr"))
    graph = optimize(import_model(saved(proto, tmp_path))[0])
    assert given_quantization(graph).weights == ("first",)
    assert given_quantization(graph).rounded == ("second",)
    # Half of the images bright, half dark: their means are far from what 8 bits of weights give.
    samples = [{"x": random(1, 3, 6, 5, seed=seed) + seed % 2} for seed in range(10)]
    integer = quantize_graph(graph, calibrate(graph, samples))
    corrected = recover(graph, integer, samples, BIASES)
    changed = [n for n, t in integer.tensors.items() if t.is_constant and t.data is not corrected.tensors[n].data]
    (second,) = [layer for layer in integer.layers() if layer.name == "second"]
    assert changed in ([second.inputs[2].name], [])


@pytest.mark.parametrize("axis", [0, 1])
def test_calibration_sees_the_quantized_values(axis: int) -> None:
    """What is found behind a given quantization is found on its values: here all of them are limited to 1.27."""
    nodes = [quantize("x", "q"), dequantize("q", "r"), node("Add", ["r", "k"], "y")]
    constants = {"s": scale_of(0.01), "z": np.int8(0), "k": random(1, 3, 1, 1) if axis else random(1, 1, 6, 1)}
    graph = optimize(imported(model(nodes, X, constants=constants)))
    samples = [{"x": random(1, 3, 6, 5, low=-50, high=50, seed=seed)} for seed in range(4)]
    (low, high), *_ = calibrate(graph, samples).values()
    assert low > -2.5
    assert high < 2.5
