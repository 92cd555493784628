"""Rewrites of the float graph, in order. Each keeps the graph's meaning up to float rounding."""

from __future__ import annotations

from collections.abc import Callable

from mcuq.graph.ir import Graph
from mcuq.passes.absorb_quantization import absorb_quantization
from mcuq.passes.constant_operands import constant_operands_to_affine
from mcuq.passes.fold_affine import fold_affine, lower_affine
from mcuq.passes.fold_pad import fold_pad
from mcuq.passes.fuse_clip import fuse_clip
from mcuq.passes.fuse_functions import fuse_functions
from mcuq.passes.fuse_normalizations import fuse_normalizations
from mcuq.passes.fuse_squares import fuse_squares
from mcuq.passes.mask_softmax import mask_softmax
from mcuq.passes.merge_duplicates import merge_duplicates
from mcuq.passes.merge_unary import merge_unary
from mcuq.passes.narrow_integers import narrow_integers
from mcuq.passes.neighbouring_axes import neighbouring_axes
from mcuq.passes.order_quantization import order_quantization
from mcuq.passes.own_outputs import own_outputs
from mcuq.passes.raise_layout import raise_layout
from mcuq.passes.separate_fixed_scales import separate_fixed_scales
from mcuq.passes.sink_layout import sink_layout

Pass = Callable[[Graph], Graph]

PIPELINE: tuple[Pass, ...] = (
    mask_softmax,
    fuse_functions,
    fuse_normalizations,
    fuse_squares,
    constant_operands_to_affine,
    sink_layout,
    merge_duplicates,
    raise_layout,
    order_quantization,
    fold_pad,
    fold_affine,
    lower_affine,
    fuse_clip,
    neighbouring_axes,
    absorb_quantization,
    merge_unary,
    separate_fixed_scales,
    narrow_integers,
    own_outputs,
)


def optimize(graph: Graph) -> Graph:
    """Run the whole pipeline."""
    for rewrite in PIPELINE:
        graph = rewrite(graph)
    return graph
