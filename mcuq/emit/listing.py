"""What a generated C file holds, and where: for those that check, mark or count it, so that nobody reads the text."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mcuq.emit.calls import Function, ModelCall
from mcuq.emit.data import DataArray
from mcuq.plan.arena_part import ArenaPart

# A line that begins so is not emitted: it tells where the line before it, or behind it, has come to stand.
_MARK = "\x01"


@dataclass(frozen=True)
class ListedCall:
    """A call of a kernel in ID_run_in: the function, the constant arrays that it is given, and the line it ends in."""

    function: str
    arrays: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class ListedLayer:
    """A layer that has code: its name in C, its number among the graph's layers, the offset of its output in the
    model's own arena, None where never all of it is held, and its calls."""

    name: str
    index: int
    output_offset: int | None
    calls: tuple[ListedCall, ...]


@dataclass(frozen=True)
class ListedPush:
    """How the C takes the input row by row: of `tensor`, which is the input or what views and the layer `taken` ("":
    none) make of it, and the C has no code for; `rows` of `row_bytes` each."""

    tensor: str
    taken: str
    rows: int
    row_bytes: int


@dataclass(frozen=True)
class ListedFast:
    """Constants that are copied at start: `size_bytes` at most, into `memory`."""

    memory: str
    size_bytes: int


@dataclass(frozen=True)
class ListedSteps:
    """An inference by steps: `count` units of work, `total` in all, the `longest` that of `longest_layer`, about so
    many `unit`: cycles or instructions. None was to take more than `asked`, if that is said: those of the layers
    `too_long` do, with what they take."""

    count: int
    total: int
    longest: int
    longest_layer: str
    unit: str
    asked: int | None
    too_long: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Listing:
    """Of the C file and header of one model; lines are those of the C file, from 1.

    `digest` is ID_DIGEST, `files_crc` CRC-32 over the header and the C file, `constants_crc` that over the constant
    arrays in their order, little-endian. `accessors` are tensor -> the C function that gives its place in the model's
    own arena, `arrays` name -> bytes, `functions` name -> the line of its head. `layers` are those of the graph that
    have code, in order. `offsets` are those of arrays in ID.weights.bin, whose first bytes `weights_head` are in
    hexadecimal digits. `order` has the number in `calls` of each call that an inference makes; empty: of each one.
    `push` says how the input comes row by row, which then has no accessor; None: it is whole. `arenas` are the parts of
    an arena that is not one in the board's main memory, in the order in which ID_run_in takes them, and `places`
    tensor -> which of them has it, as `ArenaPart.pointer` says. `fast` is where constants are copied at start, `copies`
    the layers that copy their weights before their calls, each with their bytes. `steps` say how the inference goes by
    steps; None: it does not. `state_bytes` is ID_STATE_BYTES, 0 where there is no state. `front_end_crc` is CRC-32 over
    ID_front_end.h and ID_front_end.c, where there are such, `after_crc` over ID_after.h and ID_after.c.
    """

    digest: int
    files_crc: int
    constants_crc: int
    stack_bytes: int
    accessors: Mapping[str, str]
    arrays: Mapping[str, int]
    functions: Mapping[str, int]
    layers: tuple[ListedLayer, ...]
    order: tuple[int, ...] = ()
    offsets: Mapping[str, int] = field(default_factory=dict)
    weights_head: str = ""
    push: ListedPush | None = None
    arenas: tuple[ArenaPart, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    fast: ListedFast | None = None
    copies: tuple[tuple[str, int], ...] = ()
    steps: ListedSteps | None = None
    state_bytes: int = 0
    front_end_crc: int = 0
    after_crc: int = 0

    @property
    def calls(self) -> tuple[ListedCall, ...]:
        """All calls in order."""
        return tuple(call for layer in self.layers for call in layer.calls)


def files_crc(header: str, source: str) -> int:
    """What tells that files are as they were written."""
    return zlib.crc32(source.encode(), zlib.crc32(header.encode()))


def constants_crc(arrays: Sequence[DataArray]) -> int:
    """CRC-32 over the arrays' bytes, little-endian."""
    crc = 0
    for array in arrays:
        crc = zlib.crc32(array.values.astype(array.values.dtype.newbyteorder("<")).tobytes(), crc)
    return crc


def marked_functions(functions: Sequence[Function]) -> list[Function]:
    """The functions with a mark above the line of each head, which begins `static void`."""
    marked = []
    for function in functions:
        lines = function.text.split("\n")
        head = next(i for i, line in enumerate(lines) if line.startswith("static void "))
        text = "\n".join([*lines[:head], _MARK, *lines[head:]])
        marked.append(replace(function, text=text))
    return marked


def marked_call(call: ModelCall) -> str:
    """The call with a mark below."""
    return f"{call.text}\n{_MARK}"


def without_marks(text: str) -> tuple[str, list[int]]:
    """The text, and of each mark the line above it (0: none), in order."""
    kept: list[str] = []
    marks: list[int] = []
    for line in text.split("\n"):
        if line == _MARK:
            marks.append(len(kept))
        else:
            kept.append(line)
    return "\n".join(kept), marks


def list_layers(calls: Sequence[ModelCall], lines: Sequence[int]) -> tuple[ListedLayer, ...]:
    """The layers of calls that end in `lines`."""
    layers: list[ListedLayer] = []
    for call, line in zip(calls, lines, strict=True):
        listed = ListedCall(call.function, call.arrays, line)
        if call.is_first:
            layers.append(ListedLayer(call.layer, call.index, call.output_offset, (listed,)))
        else:
            layers[-1] = replace(layers[-1], calls=(*layers[-1].calls, listed))
    return tuple(layers)
