"""Kernels for RV32IM: which layers they take, how images and weights are laid down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from cases import conv2d, fully_connected
from support import Case, integer_branches

from mcuq.kernels.rv32.conv2d import Conv2dRv32Constants, blocked
from mcuq.kernels.rv32.fully_connected import in_blocks
from mcuq.lower import lower


def templates(cases: Sequence[Case]) -> set[str]:
    program = lower(integer_branches(cases), {"rv32m"})
    return {call.constants.template for step in program.steps for call in step.calls}


def test_layers_take_the_kernel_meant_for_them() -> None:
    is_dense = [op.window.strides == (1, 1) for op, _ in conv2d.pointwise()]
    assert templates([case for case, every in zip(conv2d.pointwise(), is_dense, strict=True) if every]) == {
        "rv32/pointwise"
    }
    strided = [case for case, every in zip(conv2d.pointwise(), is_dense, strict=True) if not every]
    gapless = [(op, x) for op, x in conv2d.dense() if op.window.dilations[1] == 1 or op.window.kernel[1] == 1]
    assert templates([*strided, *gapless]) == {"rv32/conv2d"}
    assert templates(conv2d.depthwise()) == {"rv32/depthwise_3x3", "rv32/depthwise"}
    assert templates(fully_connected.fixed()) == {"rv32/fully_connected"}


def test_images_of_width_one_are_laid_down_so_that_blocks_have_four_pixels() -> None:
    rng = np.random.default_rng(0)
    cases = [
        conv2d.clamped(rng, (1, 9, 1, 2), (4, 1), out, groups, strides=(2, 1), pads=(1, 0, 2, 0))
        for out, groups in ((3, 1), (2, 2))
    ]
    for step in lower(integer_branches(cases), {"rv32m"}).steps:
        constants = step.calls[0].constants
        assert isinstance(constants, Conv2dRv32Constants)
        assert (constants.in_height, constants.in_width, constants.out_height, constants.out_width) == (1, 9, 1, 5)
        assert (constants.kernel_height, constants.kernel_width) == (1, 4)
        assert (constants.stride_x, constants.pad_top, constants.pad_left) == (2, 0, 1)


def test_groups_and_gaps_along_x_are_left_to_the_portable_kernel() -> None:
    rng = np.random.default_rng(0)
    assert templates([conv2d.clamped(rng, (1, 5, 5, 4), (3, 3), 4, 2)]) == {"portable/conv2d"}
    assert templates([conv2d.clamped(rng, (1, 5, 5, 4), (2, 2), 4, dilations=(1, 2))]) == {"portable/conv2d"}


def test_weights_of_four_output_channels_lie_together_and_the_rest_as_it_was() -> None:
    weight = np.arange(12, dtype=np.int8).reshape(6, 1, 1, 2)
    assert blocked(weight).tolist() == [0, 2, 4, 6, 1, 3, 5, 7, 8, 9, 10, 11]


def test_weights_of_sixteen_then_four_then_single_outputs() -> None:
    weight = np.arange(42, dtype=np.int8).reshape(21, 2)
    order = [*range(0, 32, 2), *range(1, 32, 2), 32, 34, 36, 38, 33, 35, 37, 39, 40, 41]
    assert in_blocks(weight).tolist() == order
