"""DepthToSpace and SpaceToDepth: channels in the place of blocks of pixels, and back."""

from __future__ import annotations

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.reshape import Reshape
from mcuq.ops.transpose import Transpose


def from_depth_to_space(node: OnnxNode, graph: GraphBuilder) -> str:
    """Mode DCR: the block's place varies slowest among the channels; CRD: fastest."""
    _, channels, _, _, block = _sizes(node)
    mode = node.attribute("mode", "DCR")
    if mode not in ("DCR", "CRD") or channels % block**2:
        raise node.error(f"mode={mode}, blocksize={block} do not fit {channels} channels")
    return blocks_to_space(graph, node.computed(0), (block, block), mode == "CRD", node.outputs[0])


def from_space_to_depth(node: OnnxNode, graph: GraphBuilder) -> str:
    """Mode DCR: the block's place varies slowest among the channels; CRD (from opset 28 on): fastest."""
    n, channels, height, width, block = _sizes(node)
    mode = node.attribute("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        raise node.error(f"mode={mode} is not supported; use DCR or CRD", "mode")
    if height % block or width % block:
        raise node.error(f"blocksize={block} does not divide an image of {[height, width]}")
    x = graph.add(Reshape((n, channels, height // block, block, width // block, block)), [node.computed(0)])
    x = graph.add(Transpose((0, 1, 3, 5, 2, 4) if mode == "CRD" else (0, 3, 5, 1, 2, 4)), [x])
    shape = (n, channels * block**2, height // block, width // block)
    return graph.add(Reshape(shape), [x], node.outputs[0])


def blocks_to_space(
    graph: GraphBuilder, x: str, block: tuple[int, int], is_last: bool, output: str | None = None
) -> str:
    """(N, C * BY * BX, H, W) to (N, C, H * BY, W * BX); `is_last` where the block's place varies fastest."""
    n, channels, height, width = graph.tensors[x].shape
    by, bx = block
    kept = channels // (by * bx)
    split = (n, kept, by, bx, height, width) if is_last else (n, by, bx, kept, height, width)
    order = (0, 1, 4, 2, 5, 3) if is_last else (0, 3, 4, 1, 5, 2)
    x = graph.add(Transpose(order), [graph.add(Reshape(split), [x])])
    return graph.add(Reshape((n, kept, height * by, width * bx)), [x], output)


def blocks_to_volume(graph: GraphBuilder, x: str, block: tuple[int, int, int]) -> str:
    """(N, C * BZ * BY * BX, D, H, W) to (N, C, D * BZ, H * BY, W * BX): the images, and then the depth, as kernels have
    no copy of so many loops."""
    n, channels, depth, height, width = graph.tensors[x].shape
    bz, by, bx = block
    kept = channels // (bz * by * bx)
    if by * bx > 1:
        x = graph.add(Reshape((n, kept * bz, by, bx, depth, height, width)), [x])
        x = graph.add(Transpose((0, 1, 4, 5, 2, 6, 3)), [x])
    x = graph.add(Reshape((n, kept, bz, depth, height * by * width * bx)), [x])
    x = graph.add(Transpose((0, 1, 3, 2, 4)), [x]) if bz > 1 else x
    return graph.add(Reshape((n, kept, depth * bz, height * by, width * bx)), [x])


def _sizes(node: OnnxNode) -> tuple[int, int, int, int, int]:
    """N, C, H, W and the block's size."""
    shape, block = node.shape(0), node.attribute("blocksize")
    if len(shape) != 4 or not isinstance(block, int) or block < 1:
        raise node.error(f"blocksize={block} of an input of shape {list(shape)}; it must be an image (N, C, H, W)")
    return (*shape, block)
