"""Of the kernels that fit each layer, those that take the least flash together.

Bytes of constants are exact, those of code an estimate that the C declares: what is emitted must not depend on
which compilers are installed.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcuq.kernels.kernel import Call
from mcuq.kernels.source import code_bytes_of, runtime_of
from mcuq.lower.program import array_key
from mcuq.lower.share import share_functions

Calls = tuple[Call, ...]
CALL_BYTES = 8  # loading and passing one more argument
SLACK = 0.01


def smallest_calls(choices: Sequence[Sequence[Calls]], work: Sequence[int]) -> list[Calls]:
    """For each layer one of its choices, which begin with the fastest, or no calls where it has none.

    `work` is what a slower choice costs: the layers' MACs, or the elements of layers without.

    Starts from the kernels that a CPU prefers and from those that run anywhere (each operator's first and last), and
    moves all layers of one kernel to another as long as that saves flash. Then moves them to faster ones as far as
    these take no more than a SLACK of it: so exact is no estimate, and time is worth that much.
    """
    starts = ([0] * len(choices), [max(len(options) - 1, 0) for options in choices])
    found = min((_smaller(choices, start) for start in starts), key=lambda picks: flash_bytes(_of(choices, picks)))
    return _of(choices, _faster(choices, found, work, (1 + SLACK) * flash_bytes(_of(choices, found))))


def flash_bytes(steps: Sequence[Calls]) -> int:
    """About what the calls take: constants, each kernel's code once, and the calls themselves."""
    calls = [call for calls in share_functions(steps) for call in calls]
    arrays = {array_key(array): array.nbytes for call in calls for array in call.arrays.values()}
    functions = {(call.constants, call.parameters) for call in calls}
    runtime = {item.name: item.declared.code_bytes for constants, _ in functions for item in runtime_of(constants)}
    return (
        sum(arrays.values())
        + sum(code_bytes_of(constants) for constants, _ in functions)
        + sum(runtime.values())
        + sum(CALL_BYTES * (len(call.inputs) + len(call.arrays) + 1) for call in calls)
    )


def _smaller(choices: Sequence[Sequence[Calls]], picks: list[int]) -> list[int]:
    """The choices by index after all moves that save flash."""
    best = flash_bytes(_of(choices, picks))
    while True:
        costs = [(flash_bytes(_of(choices, moved)), moved) for moved in _moves(choices, picks)]
        cost, moved = min(costs, default=(best, picks))
        if cost >= best:
            return picks
        best, picks = cost, moved


def _faster(choices: Sequence[Sequence[Calls]], picks: list[int], work: Sequence[int], most_bytes: float) -> list[int]:
    """The choices by index after all moves to preferred kernels that fit into `most_bytes`, most work first."""

    def slowness(picked: Sequence[int]) -> int:
        return sum(amount * pick for amount, pick in zip(work, picked, strict=True))

    while True:
        better = (moved for moved in _moves(choices, picks) if slowness(moved) < slowness(picks))
        fitting = [moved for moved in better if flash_bytes(_of(choices, moved)) <= most_bytes]
        if not fitting:
            return picks
        picks = min(fitting, key=lambda moved: (slowness(moved), moved))


def _moves(choices: Sequence[Sequence[Calls]], picks: Sequence[int]) -> list[list[int]]:
    """The choices with all layers of one kernel moved to another, as far as they can have it, in a fixed order."""
    own = sorted({_kernel(calls) for calls in _of(choices, picks)})
    others = sorted({_kernel(calls) for options in choices for calls in options})
    pairs = [(source, target) for source in own for target in others if source != target]
    found = [[_moved(o, pick, *pair) for o, pick in zip(choices, picks, strict=True)] for pair in pairs]
    return [moved for moved in found if moved != list(picks)]


def _moved(options: Sequence[Calls], pick: int, source: str, target: str) -> int:
    if not options or _kernel(options[pick]) != source:
        return pick
    return next((i for i, calls in enumerate(options) if _kernel(calls) == target), pick)


def _kernel(calls: Calls) -> str:
    """What tells kernels apart here: the templates of their calls, and what is pasted into them."""
    return " ".join(sorted({f"{call.constants.template}:{call.constants.stem()}" for call in calls}))


def _of(choices: Sequence[Sequence[Calls]], picks: Sequence[int]) -> list[Calls]:
    return [options[pick] if options else () for options, pick in zip(choices, picks, strict=True)]
