"""What data is to a network behind a front end of any kind: files of signals as inputs, all else as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mcuq.front_end.front_end import FrontEnd, last_step
from mcuq.front_end.heard import heard, is_heard
from mcuq.front_end.image import Image, image_step, seen_by
from mcuq.front_end.seen import is_seen, seen
from mcuq.front_end.sensor import Sensor
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Tensor

AnyFrontEnd = FrontEnd | Image | Sensor


def fed(data: object, graph: Graph, front: AnyFrontEnd, model: str, tensor: Tensor | None = None) -> Any:
    """Data as it is; of what the front end takes the inputs that it gives: real values, or where `tensor` is quantized
    those of its codes, as the C computes them. Raises DataError and ModelError where that cannot be."""
    if isinstance(front, Image):
        if not is_seen(data):
            return data
        shown = seen_by(graph, front, model)
        if tensor is None:
            return seen(data, shown, shown.real)
        of_sums, quantized = image_step(shown, tensor), tensor
        return seen(data, shown, lambda frames: quantized.decode(shown.codes(frames, of_sums)))
    if not is_heard(data, front):
        return data
    if tensor is None:
        return heard(data, graph, front, model)
    last, coded = last_step(front, tensor.scale, tensor.zero_point, tensor.quantization.bounds), tensor
    return heard(data, graph, front, model, lambda integers: coded.decode(last.codes(integers)))


def reach_notes(graph: Graph, front: AnyFrontEnd) -> Iterator[str]:
    """What a user should know whose input was calibrated, or trained, for other numbers than pixels become."""
    if not isinstance(front, Image):
        return
    (name,) = graph.given_inputs
    tensor = graph.tensors[name]
    low, high = front.reach
    own_low, own_high = (tensor.scale * (code - tensor.zero_point) for code in tensor.quantization.bounds)
    if not high - low <= _APART * (own_high - own_low) <= _APART**2 * (high - low):
        yield (
            f"--front-end: pixels become values from {low:.4g} to {high:.4g}, and input '{name}' is scaled for "
            f"{own_low:.4g} to {own_high:.4g}: are mean, std and pixel_max, or the calibration's data, another "
            "network's?"
        )


_APART = 6  # times as wide, or as narrow, is another range: 0..255 and 0..1, or -1..1, and not a dark image's
