"""What cannot fit its board is refused before data is read, and nothing that would fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from onnx_models import model, node, random, saved
from selections import quick

import mcuq
from mcuq.compile import quantize_model
from mcuq.errors import BoardError
from mcuq.importer import import_model
from mcuq.passes import optimize
from mcuq.plan.least_fit import _ram, _weights
from mcuq.quantize import insert_conversions, parse_scheme
from mcuq.quantize.least_kept import least_kept


def network(dead: float = 0.0, bias: float = 0.1, seed: int = 0):
    """Convolutions, a residual, pooling and dense layers; a share of channels has weights of zero."""
    rng = np.random.default_rng(seed)

    def weight(*shape: int) -> np.ndarray:
        values = rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)
        values[: int(dead * shape[0])] = 0
        return values

    nodes = [
        node("Conv", ["x", "w1", "b1"], "c1", pads=[1, 1, 1, 1]),
        node("Relu", ["c1"], "r1"),
        node("Conv", ["r1", "w2"], "c2", pads=[1, 1, 1, 1], group=16),
        node("Add", ["r1", "c2"], "a"),
        node("Clip", ["a", "low", "high"], "r2"),
        node("MaxPool", ["r2"], "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["p", "w3"], "c3"),
        node("Sigmoid", ["c3"], "s"),
        node("Flatten", ["s"], "f"),
        node("Gemm", ["f", "w4", "b4"], "g"),
        node("Relu", ["g"], "r4"),
        node("MatMul", ["r4", "w5"], "y"),
    ]
    constants = {
        "w1": weight(16, 3, 3, 3),
        "b1": rng.normal(bias, 0.2, 16).astype(np.float32),
        "w2": weight(16, 1, 3, 3),
        "low": np.float32(0),
        "high": np.float32(6),
        "w3": weight(8, 16, 1, 1),
        "w4": np.ascontiguousarray(weight(32, 200).T),
        "b4": rng.normal(-bias, 0.2, 32).astype(np.float32),
        "w5": weight(32, 10),
    }
    return model(nodes, {"x": (1, 3, 10, 10)}, constants=constants)


@pytest.mark.parametrize("scheme", ["int8", "int16", "int4", "ternary", "codebook", "dynamic", "float16", "float32"])
@pytest.mark.parametrize(("dead", "bias"), quick([(0.5, 0.0), (0.0, 1.0), (0.9, -1.0)]))
def test_what_a_model_needs_at_least_is_no_more_than_what_it_takes(
    tmp_path: Path, scheme: str, dead: float, bias: float
) -> None:
    path = saved(network(dead, bias), tmp_path)
    own = parse_scheme(scheme)
    graph = insert_conversions(optimize(import_model(path)[0]), own)
    for prune in (False, True):
        kept = least_kept(graph, own) if prune else {}
        compiled = mcuq.compile(path, calibration=random(4, 3, 10, 10), scheme=scheme, prune=prune)
        assert _ram(graph, own, kept)[0] <= compiled.arena_bytes
        assert sum(size for _, size in _weights(graph, own, kept)) <= compiled.constant_bytes


def test_weights_beyond_the_flash_are_refused_before_data_is_read(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], "h", "first"), node("Relu", ["h"], "r"), node("MatMul", ["r", "v"], "y")]
    proto = model(nodes, {"x": (1, 700)}, constants={"w": random(700, 1000), "v": random(1000, 3)})
    path = saved(proto, tmp_path)
    with pytest.raises(BoardError) as caught:
        mcuq.compile(path, "nucleo-f446re", calibration=tmp_path / "missing.npz")
    assert str(caught.value).startswith(
        "model 'net' needs at least 703,000 bytes of flash for its weights, nucleo-f446re has 524,288; largest "
        "tensors: 'first.weight' 1000x700 700,000, "
    )
    # What int4 makes of them would fit.
    with pytest.raises(mcuq.McuqError, match=r"missing\.npz: no such file or folder"):
        mcuq.compile(path, "nucleo-f446re", calibration=tmp_path / "missing.npz", scheme="int4")


def test_tensors_beyond_the_ram_are_refused_before_data_is_read(tmp_path: Path) -> None:
    path = saved(model([node("Relu", ["x"], "y")], {"x": (1, 100_000)}), tmp_path)
    with pytest.raises(BoardError) as caught:
        mcuq.compile(path, "nucleo-f446re", calibration=tmp_path / "missing.npz")
    assert str(caught.value).startswith(
        "model 'net' needs at least 204,096 bytes of RAM (tensors 200,000 + stack 4,096), nucleo-f446re has 131,072; "
        "largest tensors: 'x' 1x100000 100,000, 'y' 1x100000 100,000; try a board with more, such as "
    )


def test_a_network_that_fits_once_its_dead_channels_are_gone_is_not_refused(tmp_path: Path) -> None:
    w, v = random(700, 1000), random(1000, 3)
    w[:, 500:] = 0
    nodes = [node("MatMul", ["x", "w"], "h"), node("Relu", ["h"], "r"), node("MatMul", ["r", "v"], "y")]
    path = saved(model(nodes, {"x": (1, 700)}, constants={"w": w, "v": v}), tmp_path)
    data = random(4, 700)
    assert mcuq.compile(path, "nucleo-f446re", calibration=data, judged=False).constant_bytes < 400_000
    with pytest.raises(BoardError, match="needs at least 703,000 bytes of flash"):
        mcuq.compile(path, "nucleo-f446re", calibration=data, prune=False)


def test_without_a_board_nothing_is_refused(tmp_path: Path) -> None:
    proto = model([node("MatMul", ["x", "w"], "y")], {"x": (1, 1024)}, constants={"w": random(1024, 1024)})
    assert quantize_model(saved(proto, tmp_path)).graph.is_integer


def test_integers_of_the_file_take_what_they_are_stored_as_in_floats_too() -> None:
    ids, size = 20_000, 30  # of floats they would take more than the board has
    nodes = [node("Gather", ["table", "ids"], "rows"), node("ReduceMean", ["rows"], "y", axes=[0])]
    proto = model(nodes, {"ids": (ids,)}, constants={"table": random(size)}, kinds={"ids": TensorProto.INT64})
    graph = insert_conversions(optimize(import_model(proto)[0]), parse_scheme("float32"))
    ram_bytes, _ = _ram(graph, parse_scheme("float32"), {})
    assert ram_bytes == ids + 4 * ids


def test_images_of_which_a_few_rows_are_enough_are_not_refused() -> None:
    """Whole they would take 322,560 bytes, of 262,144."""
    nodes = [
        node("Conv", ["x", "w"], "c", pads=[1, 1, 1, 1]),
        node("Relu", ["c"], "r"),
        node("Conv", ["r", "v"], "d", strides=[4, 4]),
        node("GlobalAveragePool", ["d"], "y"),
    ]
    constants = {"w": random(32, 3, 3, 3), "v": random(16, 32, 4, 4, seed=1)}
    proto = model(nodes, {"x": (1, 3, 96, 96)}, constants=constants)
    compiled = mcuq.compile(proto, "cortex-m4", random(2, 3, 96, 96), judged=False)
    assert compiled.arena_bytes < 60_000
