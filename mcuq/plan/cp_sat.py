"""Layouts by OR-tools' CP-SAT: an optional solver, which proves many the least that the own search leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from mcuq.errors import ModelError
from mcuq.graph.liveness import ALIGNMENT
from mcuq.plan.blocks import Block, Distances, meeting

# In CP-SAT's own deterministic time, so that the end depends on no clock; about as many seconds.
SECONDS = 30.0
MISSING = "--solver cp-sat: OR-tools is not installed; pip install 'mcuq[solver]'"


def check_installed() -> None:
    """Raise ModelError where OR-tools is not."""
    if find_spec("ortools") is None:
        raise ModelError(MISSING)


def solve(
    blocks: Sequence[Block], near: Distances, known: Sequence[int], end: int, bound: int, effort: int = 1
) -> tuple[list[int], int]:
    """Offsets of a layout of at most `end` bytes, `known` where no better one is found, and what any layout takes.

    All in bytes; blocks that meet lie apart but for what `near` says of pairs. `end` is that of `known`, and no layout
    is below `bound`. OR-tools is installed.
    """
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    words = [block.size_bytes // ALIGNMENT for block in blocks]
    offsets = [model.new_int_var(0, end // ALIGNMENT - n, f"offset {i}") for i, n in enumerate(words)]
    last = model.new_int_var(bound // ALIGNMENT, end // ALIGNMENT, "end")
    for offset, n in zip(offsets, words, strict=True):
        model.add(last >= offset + n)
    alone = [i for i, others in enumerate(near) if not others]
    spans = {i: (blocks[i].first, blocks[i].last + 1 - blocks[i].first) for i in alone}
    model.add_no_overlap_2d(
        [model.new_fixed_size_interval_var(*spans[i], f"life {i}") for i in alone],
        [model.new_fixed_size_interval_var(offsets[i], words[i], f"place {i}") for i in alone],
    )
    for i, others in enumerate(meeting(blocks)):
        for j in sorted(others):
            if i > j or not (near[i] or near[j]):
                continue
            above, below = near[i].get(j, (blocks[i].size_bytes, blocks[j].size_bytes))
            if above + below > 0:  # else they may lie as they like
                is_above = model.new_bool_var(f"{j} above {i}")
                model.add(offsets[j] - offsets[i] >= above // ALIGNMENT).only_enforce_if(is_above)
                model.add(offsets[i] - offsets[j] >= below // ALIGNMENT).only_enforce_if(~is_above)
    for offset, at in zip(offsets, known, strict=True):
        model.add_hint(offset, at // ALIGNMENT)
    model.minimize(last)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1  # several would end in another layout each time
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = SECONDS * effort
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return list(known), bound
    found = [ALIGNMENT * solver.value(offset) for offset in offsets]
    return found, max(bound, ALIGNMENT * round(solver.best_objective_bound))
