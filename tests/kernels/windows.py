"""Windows over images, for the tests of pooling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuq.errors import ModelError
from mcuq.ops.window import Window


def window_cases() -> list[tuple[tuple[int, ...], Window]]:
    """(image NHWC, window): each kind of stride, pad and rounding of the output size, and images of one element."""
    return [
        ((1, 1, 1, 1), Window((1, 1))),
        ((1, 1, 1, 1), Window((2, 3), pads=(1, 1, 0, 1))),
        ((2, 5, 7, 3), Window((2, 2), (2, 2))),
        ((1, 5, 7, 3), Window((2, 2), (2, 2), ceil_mode=True)),
        ((1, 6, 6, 1), Window((3, 3), (2, 2), (1, 1, 1, 1))),
        ((1, 6, 6, 2), Window((3, 3), (2, 2), (1, 1, 1, 1), ceil_mode=True)),
        ((1, 7, 4, 2), Window((3, 2), (1, 3), (2, 0, 1, 1))),
        ((1, 4, 4, 2), Window((2, 2), (3, 3), ceil_mode=True)),
        ((1, 5, 5, 1), Window((2, 2), (4, 4), (1, 1, 1, 1), ceil_mode=True)),
        ((1, 1, 15, 3), Window((1, 4), (1, 3), (0, 1, 0, 2))),
        ((1, 4, 5, 3), Window((4, 5))),
    ]


def random_window(rng: np.random.Generator, dilated: bool = False) -> tuple[tuple[int, ...], Window]:
    """An image and a window over it that ONNX Runtime takes too: pads are below the kernel's size."""
    while True:
        x = (int(rng.choice([1, 1, 2])), *(int(v) for v in rng.integers(3, 10, 2)), int(rng.integers(1, 4)))
        kernel, strides, dilations = (tuple(int(v) for v in rng.integers(1, 4, 2)) for _ in range(3))
        pads = tuple(int(rng.integers(k)) for k in kernel * 2)
        window = Window(kernel, strides, pads, dilations if dilated else (1, 1), bool(rng.integers(2)))
        try:
            rounded_down, rounded_up = (replace(window, ceil_mode=mode).output_size(*x[1:3]) for mode in (False, True))
        except ModelError:
            continue
        # ONNX Runtime itself fails where one dimension is rounded up and a window of the other is left out.
        if not window.ceil_mode or all(a < b for a, b in zip(rounded_down, rounded_up, strict=True)):
            return x, window
