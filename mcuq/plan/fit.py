"""Whether a model fits its board; if not, by how much and because of what."""

from __future__ import annotations

from collections.abc import Sequence

from mcuq.arithmetic.packing import stored_bytes
from mcuq.boards.facts import Board
from mcuq.boards.find import board_names, load_board
from mcuq.errors import BoardError
from mcuq.graph.states import state_bytes
from mcuq.graph.tensor import Tensor
from mcuq.lower import Program
from mcuq.plan import Plan
from mcuq.plan.arena_part import Room

STACK_BYTES = 4096  # what is kept free for the application and the deepest kernel
LARGEST_SHOWN = 3


class DoesNotFit(BoardError):
    """A model takes more RAM or flash than its board has: `what` says how much and because of what, `remedy` what
    would do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy

    def unless(self, option: str, needed: str) -> DoesNotFit:
        """The same, where the model fits with an option, and what it needs then."""
        return DoesNotFit(self.what, f"it fits with {option}, which needs {needed}; or {self.remedy}")


class ArenaTooLarge(DoesNotFit):
    """A model's arena takes more than it was asked to: `arena_bytes`."""

    def __init__(self, what: str, remedy: str, arena_bytes: int) -> None:
        super().__init__(what, remedy)
        self.arena_bytes = arena_bytes


def check_bound(name: str, plan: Plan, max_ram_bytes: int) -> None:
    """Raise ArenaTooLarge where the plan takes more than `max_ram_bytes` of arena; the stack is not counted."""
    excess = plan.arena_bytes - max_ram_bytes
    if excess > 0:
        raise ArenaTooLarge(
            f"--max-ram {max_ram_bytes:,}: the smallest arena that was found for model '{name}' takes "
            f"{plan.arena_bytes:,} bytes, {excess:,} more",
            f"allow --max-ram {plan.arena_bytes}, or use a smaller model",
            plan.arena_bytes,
        )


def check_fit(name: str, program: Program, plan: Plan, board: Board) -> None:
    """Raise BoardError where arena and stack exceed the board's RAM, or the constants alone its flash."""
    if board.memory is None:
        return
    kept_bytes = state_bytes(program.graph)
    ram_bytes = plan.arena_bytes + kept_bytes + STACK_BYTES
    state = f" + state {kept_bytes:,}" if kept_bytes else ""
    if not plan.parts and ram_bytes > board.memory.ram_bytes:
        raise DoesNotFit(
            f"model '{name}' needs {ram_bytes:,} bytes of RAM (arena {plan.arena_bytes:,}{state} + stack "
            f"{STACK_BYTES:,}), {board.name} has {board.memory.ram_bytes:,}; largest tensors: "
            f"{_largest(_computed(program))}",
            _alternatives(ram_bytes, 0),
        )
    constants = [t for t in program.graph.tensors.values() if t.is_constant]
    if program.constant_bytes > board.memory.flash_bytes:
        raise flash_error(name, program.constant_bytes, 0, constants, board)


def check_front_end(
    name: str, needs: tuple[int, int, int], front: tuple[int, int], constant_bytes: int, board: Board
) -> None:
    """Raise DoesNotFit where the board has no RAM for `needs`, bytes of the model's arena in its main memory, of state
    and of stack, and `front`, bytes of RAM and tables of its front end; or no flash for tables and constants."""
    if board.memory is None:
        return
    arena, state, stack = needs
    ram_bytes, table_bytes = sum(needs) + front[0], constant_bytes + front[1]
    if ram_bytes > board.memory.ram_bytes:
        kept = f" + state {state:,}" if state else ""
        raise DoesNotFit(
            f"model '{name}' needs {ram_bytes:,} bytes of RAM (arena {arena:,}{kept} + front end {front[0]:,} + stack "
            f"{stack:,}), {board.name} has {board.memory.ram_bytes:,}",
            _alternatives(ram_bytes, 0),
        )
    if table_bytes > board.memory.flash_bytes:
        raise DoesNotFit(
            f"model '{name}' needs {table_bytes:,} bytes of flash (constants {constant_bytes:,} + the front end's "
            f"tables {front[1]:,} without code), {board.name} has {board.memory.flash_bytes:,}",
            _alternatives(0, table_bytes),
        )


def split_error(
    name: str, program: Program, plan: Plan, rooms: Sequence[Room], max_ram_bytes: int | None
) -> DoesNotFit:
    """The error for an arena for which no parts are found that fit into the rooms."""
    within = "" if max_ram_bytes is None else f" and --max-ram {max_ram_bytes:,}"
    stack = "" if all(room.memory for room in rooms) else f" without {STACK_BYTES:,} for the stack"
    return DoesNotFit(
        f"model '{name}' has an arena of {plan.arena_bytes:,} bytes, and no parts of it were found that fit into "
        f"{', '.join(f'{room.called} {room.size_bytes:,}' for room in rooms)}{stack}{within}; largest tensors: "
        f"{_largest(_computed(program))}",
        _alternatives(plan.arena_bytes + STACK_BYTES, 0),
    )


def check_least(
    name: str, ram_bytes: int, tensors: list[Tensor], weights: list[tuple[Tensor, int]], board: Board
) -> None:
    """The same for what a model needs at least: `ram_bytes` for `tensors`, and bytes of flash for each of `weights`."""
    assert board.memory is not None
    needed = ram_bytes + STACK_BYTES
    if needed > board.memory.all_ram_bytes:
        raise DoesNotFit(
            f"model '{name}' needs at least {needed:,} bytes of RAM (tensors {ram_bytes:,} + stack {STACK_BYTES:,}), "
            f"{board.name} has {board.memory.all_ram_bytes:,}; largest tensors: {_largest(tensors)}",
            _alternatives(needed, 0),
        )
    needed = sum(size_bytes for _, size_bytes in weights)
    if needed > board.memory.flash_bytes:
        raise DoesNotFit(
            f"model '{name}' needs at least {needed:,} bytes of flash for its weights, {board.name} has "
            f"{board.memory.flash_bytes:,}; largest tensors: {_listed(weights)}",
            _alternatives(0, needed),
        )


def flash_error(name: str, constant_bytes: int, code_bytes: int, constants: list[Tensor], board: Board) -> DoesNotFit:
    """The error for a model whose constants and code exceed the board's flash."""
    assert board.memory is not None
    needed = constant_bytes + code_bytes
    parts = f"constants {constant_bytes:,}" + (f" + code {code_bytes:,}" if code_bytes else " without code")
    return DoesNotFit(
        f"model '{name}' needs {needed:,} bytes of flash ({parts}), {board.name} has {board.memory.flash_bytes:,}; "
        f"largest tensors: {_largest(constants)}",
        _alternatives(0, needed),
    )


def _computed(program: Program) -> list[Tensor]:
    return [t for t in program.graph.tensors.values() if not t.is_constant]


def _largest(tensors: list[Tensor]) -> str:
    return _listed([(t, stored_bytes(t)) for t in tensors])


def _listed(sizes: list[tuple[Tensor, int]]) -> str:
    ranked = sorted(sizes, key=lambda pair: (-pair[1], pair[0].name))[:LARGEST_SHOWN]
    return ", ".join(f"'{t.name}' {'x'.join(map(str, t.shape))} {size_bytes:,}" for t, size_bytes in ranked)


def _alternatives(ram_bytes: int, flash_bytes: int) -> str:
    """Boards that would do, by name."""
    fitting = []
    for name in board_names():
        memory = load_board(name).memory
        if memory is not None and memory.ram_bytes >= ram_bytes and memory.flash_bytes >= flash_bytes:
            fitting.append(name)
    return f"try a board with more, such as {', '.join(fitting[:5])}" if fitting else "use a smaller model"
