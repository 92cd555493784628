"""Models without control flow: branches that are taken, loops unrolled, sequences and optionals resolved, and operators
that ONNX defines by others spelled in these. What is left are nodes that read and give tensors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import onnx

from mcuq.importer.categories import CATEGORIES
from mcuq.importer.constants import is_foldable
from mcuq.importer.control_flow import CONTROL_FLOW
from mcuq.importer.definitions import is_defined
from mcuq.importer.flattening import Flattening, Oracle, Rules, gives_more, read_names
from mcuq.importer.labels import DOMAIN
from mcuq.importer.machine_learning import MACHINE_LEARNING
from mcuq.importer.nodes import needed_nodes
from mcuq.importer.sequences import SEQUENCES
from mcuq.importer.support_vectors import SUPPORT_VECTORS
from mcuq.importer.transformers import TRANSFORMERS
from mcuq.importer.trees import TREES
from mcuq.onnx_io.provenance import NOTES, note, noted
from mcuq.ops import FROM_ONNX

RULES: Rules = {
    **TRANSFORMERS,
    **{("", op_type): rule for op_type, rule in {**CONTROL_FLOW, **SEQUENCES}.items()},
    **{
        (DOMAIN, op_type): rule
        for op_type, rule in {**CATEGORIES, **MACHINE_LEARNING, **SUPPORT_VECTORS, **TREES}.items()
    },
}


@dataclass(frozen=True)
class Flat:
    """The model, and by first output why nodes of it that are left have no form without control flow, "" where that is
    said of others."""

    model: onnx.ModelProto
    stuck: Mapping[str, str]


def flattened(model: onnx.ModelProto, name: str, oracle: Callable[[Sequence[onnx.NodeProto]], Oracle]) -> Flat:
    """The model with needed nodes alone, in order; itself where it has nothing of this. `oracle` gives one that has not
    learnt of any of the nodes. What the user has to know is noted in `model`. Raises ModelError where it becomes too
    large."""
    nodes = needed_nodes(model.graph, name)
    constants = {t.name for t in model.graph.initializer}
    read = read_names(model.graph)
    if not any(_is_expanded(node, constants) or gives_more(node, read) for node in nodes):
        return Flat(model, {})
    flattening = Flattening(model, name, oracle(nodes), RULES)
    flattening.run(nodes, {}, "")
    if flattening.notes:
        note(model, NOTES, "\n".join([*noted(model, NOTES).splitlines(), *flattening.notes]))
    return Flat(flattening.model(), flattening.stuck)


def _is_expanded(node: onnx.NodeProto, constants: Collection[str]) -> bool:
    if (node.domain, node.op_type) in RULES:
        return True
    if is_foldable(node, constants):
        return False
    is_own = not node.domain and node.op_type in ("Constant", *FROM_ONNX)
    return not is_own and is_defined(node.op_type, node.domain)
