"""Sparse weights of TensorFlow Lite files are the dense ones that they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from tflite_models import FAST, Node, Sparse, T, check_mutants, interpret, write

from mcuq.errors import McuqError
from mcuq.graph.tensor import Array
from mcuq.importer import import_model
from mcuq.importer.tflite.sparse import Level, unpacked
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.passes import optimize


def random_weights(rng: np.random.Generator) -> Array:
    """About half of them 0, some rows whole."""
    w = rng.normal(size=(4, 8)).astype(np.float32) * (rng.random((4, 8)) < 0.5)
    w[1] = 0
    return w.astype(np.float32)


def rows(w: Array) -> tuple[Array, Sparse]:
    """A row after the other, of each what is not 0."""
    places = [np.flatnonzero(row) for row in w]
    segments = [0, *np.cumsum([len(p) for p in places]).tolist()]
    return w[w != 0], Sparse((0, 1), (), (len(w), (segments, np.concatenate(places).tolist())))


def blocks(w: Array, size: int) -> tuple[Array, Sparse]:
    """Of each row the blocks along it that are not all 0."""
    parts = w.reshape(len(w), -1, size)
    places = [np.flatnonzero(row.any(axis=1)) for row in parts]
    segments = [0, *np.cumsum([len(p) for p in places]).tolist()]
    values = np.concatenate([row[p].reshape(-1) for row, p in zip(parts, places, strict=True)])
    return values, Sparse((0, 1, 2), (1,), (len(w), (segments, np.concatenate(places).tolist()), size))


def columns(w: Array) -> tuple[Array, Sparse]:
    """A column after the other."""
    values, sparse = rows(w.T.copy())
    return values, replace(sparse, order=(1, 0))


def dense(values: Array, sparse: Sparse, shape: tuple[int, ...]) -> Array:
    levels = [
        Level(level) if isinstance(level, int) else Level(0, *(np.array(numbers) for numbers in level))
        for level in sparse.levels
    ]
    return unpacked(values, shape, sparse.order, sparse.blocks, levels)


@pytest.mark.parametrize("seed", range(5))
def test_unpacked(seed: int) -> None:
    w = random_weights(np.random.default_rng(seed))
    for values, sparse in (rows(w), columns(w), blocks(w, 2), blocks(w, 4)):
        np.testing.assert_array_equal(dense(values, sparse, w.shape), w)


def file(values: Array, sparse: Sparse, shape: tuple[int, ...] = (4, 8)) -> bytes:
    """A layer of sparse weights."""
    tensors = {
        "x": T((1, 8)),
        "sparse": T(shape, values.dtype.name, data=values, sparse=sparse),
        "w": T(shape, values.dtype.name),
        "y": T((1, 4)),
    }
    nodes = [Node("DENSIFY", ["sparse"], ["w"], "DensifyOptions")]
    if values.dtype == np.float16:
        tensors["v"] = T(shape)
        nodes.append(Node("DEQUANTIZE", ["w"], ["v"], "DequantizeOptions"))
    weights = "v" if values.dtype == np.float16 else "w"
    return write(tensors, [*nodes, Node("FULLY_CONNECTED", ["x", weights, ""], ["y"], "FullyConnectedOptions")])


@pytest.mark.parametrize("stored", ["Int32Vector", "Uint16Vector", "Uint8Vector"])
def test_a_layer_of_sparse_weights(stored: str) -> None:
    w = random_weights(np.random.default_rng(7))
    x = np.random.default_rng(8).normal(size=(3, 1, 8)).astype(np.float32)
    for (values, sparse), dtype in ((rows(w), np.float32), (blocks(w, 4), np.float32), (rows(w), np.float16)):
        data = file(values.astype(dtype), replace(sparse, type=stored))
        runtime = FloatModel(write_onnx(optimize(import_model(data)[0])))
        theirs = interpret(data, {"x": x}, FAST)["y"]
        for sample, wanted in zip(x, theirs, strict=True):
            np.testing.assert_allclose(runtime.run({"x": sample})["y"], wanted, rtol=1e-5, atol=1e-5)


W = random_weights(np.random.default_rng(0))
VALUES, ROWS = rows(W)
SEGMENTS, INDICES = (list(numbers) for numbers in ROWS.levels[1])  # type: ignore[arg-type]
LEVELS = "levels are not one a dimension and block"
SEGMENTED = "segments do not divide the indices"
REFUSED: Mapping[str, tuple[bytes, str]] = {
    "a level too few": (file(VALUES, replace(ROWS, levels=ROWS.levels[:1])), LEVELS),
    "one dimension twice": (file(VALUES, replace(ROWS, order=(0, 0))), LEVELS),
    "a block of no dimension": (
        file(VALUES, Sparse((0, 1, 2), (5,), (*ROWS.levels, 2))),
        LEVELS,
    ),
    "blocks of nothing": (file(VALUES, Sparse((0, 1, 2), (1,), (*ROWS.levels, 0))), "blocks do not fill the shape"),
    "blocks that do not fill": (
        file(VALUES, Sparse((0, 1, 2), (1,), (*ROWS.levels, 3))),
        "blocks do not fill the shape",
    ),
    "a dense level of another size": (
        file(VALUES, replace(ROWS, levels=(2**31 - 1, ROWS.levels[1]))),
        "a dense level has another size than its dimension",
    ),
    "segments that begin later": (file(VALUES, replace(ROWS, levels=(4, ([1, *SEGMENTS[1:]], INDICES)))), SEGMENTED),
    "segments that go back": (
        file(VALUES, replace(ROWS, levels=(4, ([0, 5, 2, 2, len(INDICES)], INDICES)))),
        SEGMENTED,
    ),
    "no segments": (file(VALUES, replace(ROWS, levels=(4, ([], INDICES)))), SEGMENTED),
    "an index too large": (
        file(VALUES, replace(ROWS, levels=(4, (SEGMENTS, [*INDICES[:-1], 8])))),
        "indices lie outside their dimension",
    ),
    "a value too few": (file(VALUES[:-1], ROWS), "there are not as many values as places"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_sparse_weights_are_refused(name: str) -> None:
    data, why = REFUSED[name]
    with pytest.raises(McuqError) as caught:
        import_model(data)
    assert str(caught.value) == (
        f"model: is cut short or damaged (the sparse tensor 'sparse': {why}), {len(data):,} bytes; convert or copy it "
        "again"
    )


def test_damaged_sparse_weights_are_read_or_refused() -> None:
    check_mutants(file(*blocks(W, 4)), 60, 0)


@pytest.mark.slow
def test_many_damaged_sparse_weights_are_read_or_refused() -> None:
    check_mutants(file(*blocks(W, 4)), 1500, 3)


def test_sparse_weights_that_unpack_to_too_much() -> None:
    data = file(VALUES, replace(ROWS, levels=(2**20, ROWS.levels[1])), (2**20, 2**10))
    with pytest.raises(McuqError) as caught:
        import_model(data)
    assert str(caught.value) == (
        "model: is cut short or damaged (the sparse tensor 'sparse' of shape [1048576, 1024] is far larger than it), "
        f"{len(data):,} bytes; convert or copy it again"
    )


def test_more_levels_than_dimensions_and_blocks() -> None:
    data = file(VALUES, replace(ROWS, levels=(*ROWS.levels, 1, 1, 1)))
    with pytest.raises(McuqError) as caught:
        import_model(data)
    assert str(caught.value) == (
        f"model: is cut short or damaged (the sparse tensor 'sparse' has 5 levels), {len(data):,} bytes; convert or "
        "copy it again"
    )
