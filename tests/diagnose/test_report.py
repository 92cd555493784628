"""The report of a diagnosis: which output it watches, whatever that is computed by."""

from __future__ import annotations

import onnx
import pytest
from onnx_models import ints, model, node, random

import mcuq

X = {"x": [1, 3, 6, 6]}
CONSTANTS = {"w": random(4, 3, 3, 3), "s": ints(1, -1)}
CONV = node("Conv", ["x", "w"], "c")


@pytest.mark.parametrize(
    ("nodes", "watched"),
    [
        ([CONV, node("Reshape", ["c", "s"], "y")], "y"),
        ([CONV, node("Flatten", ["c"], "f"), node("Softmax", ["f"], "y")], "f"),
        ([node("Flatten", ["x"], "f"), node("Softmax", ["f"], "y")], "f"),
        ([CONV, node("Flatten", ["c"], "f"), node("Unsqueeze", ["f", "axes"], "y")], "y"),
    ],
)
def test_an_output_that_is_a_view_has_the_noise_of_the_layer_before_it(
    nodes: list[onnx.NodeProto], watched: str
) -> None:
    x = random(20, 1, 3, 6, 6)
    proto = model(nodes, X, constants=CONSTANTS | {"axes": ints(0)})
    found = mcuq.diagnose(proto, "host", x)
    assert found.output == watched
    if nodes[0] is CONV:
        assert found.sqnr_db == pytest.approx(mcuq.diagnose(model([CONV], X, ["c"], CONSTANTS), "host", x).sqnr_db)
