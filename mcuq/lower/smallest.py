"""Of the kernels that fit each layer, those that take the least flash together.

Bytes of constants are exact, those of code an estimate that the C declares: what is emitted must not depend on
which compilers are installed.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcuq.kernels.kernel import Call
from mcuq.kernels.runtime import needed_items
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
    search = _Search(choices, work)
    starts = ([0] * len(choices), [max(len(options) - 1, 0) for options in choices])
    found = min((search.smaller(start) for start in starts), key=search.cost)
    return search.calls(search.faster(found, (1 + SLACK) * search.cost(found)))


def flash_bytes(steps: Sequence[Calls]) -> int:
    """About what the calls take where those that can share functions do."""
    return flash_of_calls([call for calls in share_functions(steps) for call in calls])


def flash_of_calls(calls: Sequence[Call], needs: Sequence[str] = ()) -> int:
    """About what calls take as they are: constants, each function's code once, the runtime items that they and others
    (`needs`) name, and the calls themselves."""
    arrays = {array_key(array): array.nbytes for call in calls for array in call.arrays.values()}
    functions = {(call.constants, call.parameters) for call in calls}
    items = [*needed_items(needs), *(item for constants, _ in functions for item in runtime_of(constants))]
    runtime = {item.name: item.declared.code_bytes for item in items}
    return (
        sum(arrays.values())
        + sum(code_bytes_of(constants) for constants, _ in functions)
        + sum(runtime.values())
        + sum(CALL_BYTES * (len(call.inputs) + len(call.arrays) + 1) for call in calls)
    )


class _Search:
    """Among choices of calls for each layer; `picks` are the choices by index."""

    def __init__(self, choices: Sequence[Sequence[Calls]], work: Sequence[int]) -> None:
        self._choices = choices
        self._work = work
        self._kernels = [[_kernel(calls) for calls in options] for options in choices]
        self._costs: dict[tuple[int, ...], int] = {}

    def calls(self, picks: Sequence[int]) -> list[Calls]:
        """Those that are picked."""
        return [options[pick] if options else () for options, pick in zip(self._choices, picks, strict=True)]

    def cost(self, picks: Sequence[int]) -> int:
        """The flash that they take."""
        key = tuple(picks)
        if key not in self._costs:
            self._costs[key] = flash_bytes(self.calls(picks))
        return self._costs[key]

    def smaller(self, picks: list[int]) -> list[int]:
        """The picks after all moves that save flash."""
        while True:
            moved = min(self._moves(picks), key=lambda moved: (self.cost(moved), moved), default=picks)
            if self.cost(moved) >= self.cost(picks):
                return picks
            picks = moved

    def faster(self, picks: list[int], most_bytes: float) -> list[int]:
        """The picks after all moves to preferred kernels that fit into `most_bytes`, most work first."""
        while True:
            slowness = self._slowness(picks)
            better = (moved for moved in self._moves(picks) if self._slowness(moved) < slowness)
            fitting = [moved for moved in better if self.cost(moved) <= most_bytes]
            if not fitting:
                return picks
            picks = min(fitting, key=lambda moved: (self._slowness(moved), moved))

    def _slowness(self, picks: Sequence[int]) -> int:
        return sum(amount * pick for amount, pick in zip(self._work, picks, strict=True))

    def _moves(self, picks: Sequence[int]) -> list[list[int]]:
        """The picks with all layers of one kernel moved to another, as far as they can have it, in a fixed order."""
        picked = [kernels[pick] if kernels else "" for kernels, pick in zip(self._kernels, picks, strict=True)]
        others = sorted({kernel for kernels in self._kernels for kernel in kernels})
        found = []
        for source in sorted(set(picked)):
            layers = [i for i, kernel in enumerate(picked) if kernel == source and self._kernels[i]]
            for target in others:
                places = {i: self._kernels[i].index(target) for i in layers if target in self._kernels[i]}
                moved = [places.get(i, pick) for i, pick in enumerate(picks)]
                if source != target and moved != list(picks):
                    found.append(moved)
        return found


def _kernel(calls: Calls) -> str:
    """What tells kernels apart here: the templates of their calls, and what is pasted into them."""
    return " ".join(sorted({f"{call.constants.template}:{call.constants.stem()}" for call in calls}))
