"""ShiftIn: the last places of a window, and the new ones behind them."""

from __future__ import annotations

import numpy as np
import pytest
from cases.moves import shifts
from support import check_float, integer_branches

from mcuq.errors import ModelError
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Tensor
from mcuq.ops.shift_in import ShiftIn


def test_it_is_exact() -> None:
    check_float(integer_branches(shifts()), 0.0)


def test_it_is_what_onnx_makes_of_slice_and_concat() -> None:
    x, new = np.arange(12).reshape(1, 4, 3), np.arange(100, 103).reshape(1, 1, 3)
    tensors = [Tensor(name, values.shape, "int8") for name, values in (("x", x), ("new", new))]
    layer = Layer("shift", ShiftIn(1), tuple(tensors), Tensor("y", (1, 4, 3), "int8"))
    found = ShiftIn(1).simulate(layer, [x[None], new[None]])
    assert found.tolist() == [[[[3, 4, 5], [6, 7, 8], [9, 10, 11], [100, 101, 102]]]]


@pytest.mark.parametrize(
    ("x", "new"), [((1, 4, 3), (1, 5, 3)), ((1, 4, 3), (1, 1, 2)), ((1, 4, 3), (4, 3)), ((1, 4, 3), (2, 1, 3))]
)
def test_what_does_not_fit_is_refused(x: tuple[int, ...], new: tuple[int, ...]) -> None:
    with pytest.raises(ModelError) as error:
        ShiftIn(1).infer([Tensor("x", x), Tensor("new", new)])
    assert str(error.value) == f"{list(new)} does not shift into {list(x)} along axis 1"
