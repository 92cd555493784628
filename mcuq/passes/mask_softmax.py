"""What leaves places out of a Softmax, added to scores or chosen instead, becomes the Softmax's mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import Array
from mcuq.ops.add import Add
from mcuq.ops.concat import Concat
from mcuq.ops.identity import Identity
from mcuq.ops.masked_softmax import NOTHING, MaskedSoftmax
from mcuq.ops.moves import Moves
from mcuq.ops.operands import NEVER
from mcuq.ops.softmax import Softmax
from mcuq.ops.where import Where
from mcuq.passes.computed_masks import MaskFinder, repeating_part
from mcuq.passes.never_nan import nan_of
from mcuq.passes.staged_masks import Stage, kept_by_all, stages_before

# What nothing but a mask is.
LEAST = -1e30
# Scores to which so much is added are all the same: float32 has steps of 8 there.
ALL_SAME = -1e8


def mask_softmax(graph: Graph) -> Graph:
    """Softmax(x + c) where c has numbers that leave nothing -> MaskedSoftmax(x + what is left of c, what c keeps);
    Softmax(Where(condition, x, c)) of a constant condition likewise. Where the condition is computed, or what is added
    is one of two numbers by a mask that is, so is the MaskedSoftmax's; so are two masks, one after the other, that are
    exactly one. Of a row that keeps nothing it gives what
    ONNX Runtime makes of the file: NaN for -inf, equal shares for large numbers, and all shares for such as leave the
    scores' differences.

    Raises ModelError for a row of which nothing is kept, and for such a c that something else reads.
    """
    builder = GraphBuilder(graph)
    finder = MaskFinder(builder)
    for node in graph.nodes:
        if type(node.op) is Softmax:
            _mask(builder, finder, node)
    masked = builder.graph()
    for node in masked.nodes:
        if not isinstance(node.op, Add | Where):
            continue
        constants = (builder.tensors[name] for name in node.inputs if builder.tensors[name].is_constant)
        least = min((float(t.values.min()) for t in constants if t.dtype == "float32"), default=0.0)
        if least < LEAST:
            does = "adds" if isinstance(node.op, Add) else "chooses"
            raise ModelError(
                f"{type(node.op).__name__} '{node.name}': {does} numbers down to {least:.3g} for what no Softmax alone "
                "reads; such are supported as the mask of a Softmax"
            )
    return masked


def _mask(builder: GraphBuilder, finder: MaskFinder, softmax: Node) -> None:
    before = builder.producer(softmax.inputs[0])
    if before is None or not builder.is_private(before.output):
        return
    if stages := stages_before(builder, finder, softmax):
        if not _leaves_out(builder, stages[-1].x):
            _mask_in_stages(builder, softmax, stages)
        return
    is_computed = not any(
        builder.tensors[name].is_constant for name in before.inputs[: 1 if isinstance(before.op, Where) else 2]
    )
    if before.op == Add():
        if is_computed:
            _mask_added_as_computed(builder, finder, softmax, before)
        else:
            _mask_added(builder, softmax, before)
    elif isinstance(before.op, Where):
        if is_computed:
            _mask_chosen_as_computed(builder, finder, softmax, before)
        else:
            _mask_chosen(builder, softmax, before)


def _mask_in_stages(builder: GraphBuilder, softmax: Node, stages: Sequence[Stage]) -> None:
    keep, nodes, x = kept_by_all(builder, stages), [stage.node for stage in stages], stages[-1].x
    if isinstance(keep, str):
        _replace(builder, softmax, nodes, x, keep, "nan" if np.isneginf(stages[0].low) else "equal")
        return
    _check_rows(softmax, keep)
    for node in (softmax, *nodes):
        builder.remove(node)
    _add_masked(builder, softmax, x, keep, softmax.name)


def _mask_added_as_computed(builder: GraphBuilder, finder: MaskFinder, softmax: Node, add: Node) -> None:
    for x, mask in (add.inputs, add.inputs[::-1]):
        if builder.tensors[x].shape != builder.tensors[softmax.output].shape:
            continue
        found = finder.find(mask)
        if found is None or _leaves_out(builder, x):
            continue
        low, high = sorted((found.of_zero, found.of_one))
        if low >= NOTHING or abs(high) > -NOTHING:
            continue
        empty = "nan" if np.isneginf(low) else "equal" if low <= ALL_SAME else "all"
        _replace(builder, softmax, [add], x, finder.kept(found, found.of_zero < NOTHING), empty)
        return


def _mask_chosen_as_computed(builder: GraphBuilder, finder: MaskFinder, softmax: Node, where: Node) -> None:
    a, b = (builder.tensors[name] for name in where.inputs[1:])
    if a.is_constant == b.is_constant:
        return
    x, c = (b, a) if a.is_constant else (a, b)
    found = finder.find(where.inputs[0])
    shape = builder.tensors[softmax.output].shape
    if x.shape != shape or not _is_one_number(c.values) or not (c.values < NOTHING).all() or found is None:
        return
    if (found.of_zero != 0) == (found.of_one != 0) or _leaves_out(builder, x.name):
        return
    at_one = (x is a) == (found.of_one != 0)
    _replace(
        builder,
        softmax,
        [where],
        x.name,
        finder.kept(found, at_one),
        "nan" if (c.values == NEVER).all() else "equal",
    )


def _is_one_number(values: Array) -> bool:
    return bool((values == values.ravel()[:1]).all())


def _leaves_out(builder: GraphBuilder, x: str) -> bool:
    """Whether scores come out of a mask already: a row that both together leave nothing of is no row of either."""
    names = [x]
    while names:
        node = builder.producer(names.pop())
        if node is None or not isinstance(node.op, Add | Where | Moves):
            continue
        read = [builder.tensors[name] for name in node.inputs]
        if any(t.is_constant and (t.values < NOTHING).any() for t in read):
            return True
        names += [t.name for t in read if not t.is_constant]
    return False


def _replace(builder: GraphBuilder, softmax: Node, before: Sequence[Node], x: str, keep: str, empty: str) -> None:
    """MaskedSoftmax(x, keep) for the nodes before a Softmax and it, and for what a file puts there for NaN behind."""
    width, own = (builder.tensors[name].shape[-1] for name in (x, keep))
    if own != width:
        keep = builder.add(Concat(len(builder.tensors[keep].shape) - 1), [keep] * width)
    for node in (softmax, *before):
        builder.remove(node)
    instead = _instead_of_nan(builder, softmax.output) if empty == "nan" else None
    builder.add(MaskedSoftmax(empty="zero" if instead else empty), [x, keep], softmax.output, softmax.name)
    if instead is None:
        return
    if instead.output in builder.outputs:
        builder.remove(instead)
        builder.add(Identity(), [softmax.output], instead.output, instead.name)
    else:
        builder.redirect(instead.output, softmax.output)


def _instead_of_nan(builder: GraphBuilder, shares: str) -> Node | None:
    """The node that gives 0 where the shares are NaN, and else the shares, if it is all that reads them."""
    choices = [node for node in builder.consumers(shares) if isinstance(node.op, Where)]
    if shares in builder.outputs or len(choices) != 1 or choices[0].inputs[2] != shares:
        return None
    condition, zero, _ = choices[0].inputs
    compared = nan_of(builder, condition)
    others = [node for node in builder.consumers(shares) if node not in choices]
    is_nan = compared is not None and {*compared.inputs} == {shares} and others == [compared]
    is_zero = builder.tensors[zero].is_constant and not builder.tensors[zero].values.any()
    same_shape = builder.tensors[shares].shape == builder.tensors[choices[0].output].shape
    return choices[0] if is_nan and is_zero and same_shape else None


def _mask_chosen(builder: GraphBuilder, softmax: Node, where: Node) -> None:
    """Of scores and a constant that leaves nothing wherever it is chosen."""
    condition, a, b = (builder.tensors[name] for name in where.inputs)
    shape = builder.tensors[softmax.output].shape
    if not condition.is_constant or a.is_constant == b.is_constant:
        return
    x, c = (b, a) if a.is_constant else (a, b)
    keep = np.broadcast_to((condition.values != 0) == (x is a), shape)
    if x.shape != shape or not (np.broadcast_to(c.values, shape)[~keep] < NOTHING).all():
        return
    _check_rows(softmax, keep)
    builder.remove(softmax)
    builder.remove(where)
    _add_masked(builder, softmax, x.name, keep, c.name)


def _mask_added(builder: GraphBuilder, softmax: Node, add: Node) -> None:
    constants = [name for name in add.inputs if builder.tensors[name].is_constant]
    if len(constants) != 1:
        return
    (x,) = (name for name in add.inputs if name not in constants)
    values = builder.tensors[constants[0]].values
    if not (values < NOTHING).any():
        return
    shape = builder.tensors[softmax.output].shape
    whole = np.broadcast_to(values, shape)
    keep = whole > NOTHING
    _check_rows(softmax, keep)
    builder.remove(softmax)
    builder.remove(add)
    finite = np.where(values > NOTHING, values, 0).astype(np.float32)
    if finite.any() or builder.tensors[x].shape != shape:
        x = builder.add(Add(), [x, builder.constant(finite, constants[0])], add.output, add.name)
    _add_masked(builder, softmax, x, keep, constants[0])


def _check_rows(softmax: Node, keep: Array) -> None:
    if not keep.any(axis=-1).all():
        raise ModelError(f"Softmax '{softmax.name}': its mask leaves out all of a row; keep something in each")


def _add_masked(builder: GraphBuilder, softmax: Node, x: str, keep: Array, name: str) -> None:
    mask = builder.constant(_least_dimensions(keep).astype(np.float32), f"{name}.keep")
    builder.add(MaskedSoftmax(), [x, mask], softmax.output, softmax.name)


def _least_dimensions(keep: Array) -> Array:
    """The mask without leading dimensions along which it is the same."""
    part = repeating_part(keep)
    while part.ndim > 1 and len(part) == 1:
        part = part[0]
    return part
