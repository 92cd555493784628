"""What kernels by SMLAD paste: what their functions are called for int8 and int16, and where packed weights go."""

from __future__ import annotations

import numpy as np

from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Tensor
from mcuq.kernels.kernel import NOTHING, Fragment
from mcuq.kernels.packed import PackedBlocks, Weights, unpack


def width(tensor: Tensor) -> str:
    """Of a tensor of int16, the end of the names of functions that those of int8 have the twins of."""
    return "_s16" if tensor.dtype == "int16" else ""


def load(x: Tensor) -> str:
    """What functions are called that make pairs of a tensor's elements: int8 is extended, int16 gathered."""
    return "gather" if x.dtype == "int16" else "expand"


def limit(op: Clamped, layer: Layer, elements: str) -> Fragment:
    """Limits what a layer wrote where its bounds are narrower than its type."""
    y = layer.output
    bounds = dict(zip(("output_min", "output_max"), op.output_bounds(y), strict=True))
    whole = np.iinfo(y.dtype)
    if list(bounds.values()) == [whole.min, whole.max]:
        return NOTHING
    function = f"mcuq_dsp_clamp{width(y)}"
    return Fragment.of(f"{function}(y, {elements}, output_min, output_max);", function, numbers=bounds)


def product(layer: Layer, weights: str, words: str, channels: str, to: str) -> Fragment:
    """Writes so many channels of `now` pixels, whose columns have so many words, to `to`."""
    function = f"mcuq_dsp_product{width(layer.output)}_4"
    # Pixels of int16 lie one behind the other; what is packed, and so written in blocks, is int8.
    row = "" if layer.output.dtype == "int16" else ", out_channels"
    return Fragment.of(f"{function}({weights}, channel, columns, {words}, {channels}, now{row}, {to});", function)


def products(layer: Layer, weights: str) -> Fragment:
    """The same of up to four pixels of whole words: one after the other where that is as fast."""
    x, y = layer.inputs[0], layer.output
    columns = f"mcuq_dsp_{load(x)}_4"
    made = f"{columns}(pixel[0], pixel[1], pixel[2], pixel[3], words, columns);"
    several = product(layer, weights, "words", "channels", "to")
    if x.dtype != y.dtype:
        return Fragment.of(f"{made}\n{several.text}", columns, *several.needs)
    one = f"mcuq_dsp_product{width(y)}_1"
    text = f"""\
if (now < 3) {{
    for (int32_t i = 0; i < now; i++)
        {one}({weights}, channel, pixel[i], words, channels, to + i * out_channels);
}} else {{
    {made}
    {several.text}
}}"""
    return Fragment.of(text, columns, *several.needs, one)


def unpacked_words(blocks: PackedBlocks, at: str, values: str, name: str) -> Weights:
    """Weights of packed `blocks` as words, `values` of them, `at` a place in scratch; the kernel is called `name`."""
    declared = Fragment.of(f"int32_t *const unpacked = (int32_t *)(void *)({at});")
    return Weights(blocks.block, "unpacked", declared, unpack(blocks, values, "(int8_t *)unpacked", name))
