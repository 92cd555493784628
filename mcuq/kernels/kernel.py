"""What a kernel is: which C functions compute a layer, with which constants and arrays, and where it can."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, ClassVar, Self, TypeAlias

from mcuq.graph.operator import INT8, Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.overwriting import Below

# Constants of one element after the other, as most kernels read them.
WHOLE = frozenset({"int8", "int16", "int32"})
# What kernels need that take less scratch than another and more time: it is asked for layer by layer.
LITTLE_SCRATCH = "little_scratch"


@dataclass(frozen=True)
class Fragment:
    """C that a template pastes into its body: whole lines, without the indentation of their place.

    `needs` are the runtime items that it names, `numbers` and `floats` the constants, which stand in the head behind
    the template's own, `stack_bytes` those of its arrays. `name` is what functions around it are called where calls
    share them.
    """

    text: str = ""
    needs: tuple[str, ...] = ()
    numbers: tuple[tuple[str, int], ...] = ()
    floats: tuple[tuple[str, float], ...] = ()
    name: str = ""
    stack_bytes: int = 0

    @classmethod
    def of(
        cls,
        text: str,
        *needs: str,
        name: str = "",
        numbers: Mapping[str, int] | None = None,
        floats: Mapping[str, float] | None = None,
        stack_bytes: int = 0,
    ) -> Fragment:
        """The same, with constants by their names."""
        return cls(text, needs, tuple((numbers or {}).items()), tuple((floats or {}).items()), name, stack_bytes)

    def naming(self, floats: Mapping[str, float] | None = None, **numbers: int) -> Fragment:
        """The same with constants that its text names too."""
        return replace(self, numbers=(*numbers.items(), *self.numbers), floats=(*(floats or {}).items(), *self.floats))

    def followed_by(self, other: Fragment) -> Fragment:
        """The same with the lines of another behind."""
        return Fragment(
            "\n".join(filter(None, (self.text, other.text))),
            (*self.needs, *other.needs),
            (*self.numbers, *other.numbers),
            (*self.floats, *other.floats),
            self.name or other.name,
            self.stack_bytes + other.stack_bytes,
        )

    def repeated(self, loop: str) -> Fragment:
        """The same, one statement, below the head of a loop."""
        return replace(self, text=f"{loop}\n    {self.text}")

    def changed(self, numbers: Mapping[str, int]) -> Fragment:
        """The same with other numbers of those of these names that it has."""
        return replace(self, numbers=tuple((name, numbers.get(name, value)) for name, value in self.numbers))

    @property
    def code_bytes(self) -> int:
        """About the bytes of its code: a token each, but those of comments."""
        return _tokens(self.text)


NOTHING = Fragment()


@cache
def _tokens(text: str) -> int:
    """How many there are in C, without comments."""
    code, *commented = text.split("/*")
    code += "".join(part.partition("*/")[2] for part in commented)
    return len("".join(c if c.isalnum() or c == "_" else f" {c} " for c in code).split())


@dataclass(frozen=True)
class Constants:
    """All that a kernel template is given.

    A subclass stands for templates/kernels/TEMPLATE.c.j2 (TEMPLATE is a CPU's folder and an operator), whose variables
    are its fields, and `function`: the C name that the emitter chooses. `computes_in_float` says that the template is
    for schemes that ask for floats.
    """

    template: ClassVar[str]
    computes_in_float: ClassVar[bool] = False
    # Whole numbers that may be larger than a layer needs, which then takes no more than time.
    may_be_larger: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    @cache
    def _field_names(cls) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of the whole numbers, and of the others; once a class, as programs ask some hundred thousand times."""
        numbers = tuple(f.name for f in fields(cls) if f.type == "int")
        return numbers, tuple(f.name for f in fields(cls) if f.name not in numbers)

    def stem(self) -> str:
        """What functions of the kernel are called in C: conv2d_dsp of "dsp/conv2d", conv2d of "portable/conv2d"; what
        is pasted may have another name for the operator."""
        folder, _, operator = self.template.partition("/")
        operator = next((fragment.name for fragment in self.fragments() if fragment.name), operator)
        return operator if folder == "portable" else f"{operator}_{folder}"

    def fragments(self) -> list[Fragment]:
        """The fields that are C."""
        return [value for name in self._field_names()[1] if isinstance(value := getattr(self, name), Fragment)]

    def numbers(self) -> dict[str, int]:
        """The whole numbers, of fields and of what is pasted: constants of C, or parameters where calls that differ in
        them share it."""
        own = {name: getattr(self, name) for name in self._field_names()[0]}
        return own | self.pasted_numbers()

    def with_numbers(self, changed: Mapping[str, int]) -> Self:
        """The same with other numbers of these names, wherever they stand."""
        own = {f.name: changed[f.name] for f in fields(self) if f.name in changed}
        pasted = {f.name: getattr(self, f.name).changed(changed) for f in fields(self) if f.type == "Fragment"}
        return replace(self, **own, **pasted)

    def pasted_numbers(self) -> dict[str, int]:
        """Those that fragments name."""
        return dict(pair for fragment in self.fragments() for pair in fragment.numbers)

    def pasted_floats(self) -> dict[str, float]:
        """The floats that fragments name."""
        return dict(pair for fragment in self.fragments() for pair in fragment.floats)

    def form(self) -> tuple[object, ...]:
        """All but the numbers: what calls of one function have in common."""
        others = (getattr(self, name) for name in self._field_names()[1])
        return (
            type(self),
            *(replace(value, numbers=()) if isinstance(value, Fragment) else value for value in others),
        )


# What a function of bands is told of each, in this order: rows that it reads and makes, rows of padding above them, and
# rows that were made before.
BAND = ("in_rows", "out_rows", "begin", "before")


@dataclass(frozen=True)
class RowsOf:
    """A constant `name` that is `factor` times what BAND has at `index`."""

    name: str
    index: int
    factor: int


@dataclass(frozen=True)
class Call:
    """One call of a kernel: function(inputs..., unpacked weights if any, arrays..., scratch if any, output if any).

    `inputs` index into the layer's inputs; `arrays` are emitted as constant data in this order;
    `bound` is the largest magnitude that an int32 accumulator of the call can reach (0 where there is none).
    `parameters` are the constants that the function reads at run time, from the last of the arrays, so that other
    calls can share it; calls whose other constants are equal have equal `constants` (see mcuq.lower.share).
    Calls of one layer share its working memory: this one's scratch begins `scratch_offset` bytes into it, and
    `unpacked` is the dtype of weights that a call before has written to its start ("" where there are none).
    A call that only writes scratch has no output.
    `below` says where the output may lie over the input that is read first; None: nowhere.
    `more` is about how many instructions it takes beyond those of the CPU's fastest kernel, where it is one for
    LITTLE_SCRATCH.
    `rows` are constants of a call that makes a band of rows, by what each is so many times of: the function is told
    what that is.
    """

    constants: Constants
    inputs: tuple[int, ...] = (0,)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    scratch_bytes: int = 0
    bound: int = 0
    parameters: tuple[str, ...] = ()
    scratch_offset: int = 0
    unpacked: str = ""
    has_output: bool = True
    below: Below | None = None
    rows: tuple[RowsOf, ...] = ()
    more: float = 0.0


Accepts: TypeAlias = Callable[[Any, Layer], bool]
"""Whether a kernel can compute an operator and its layer."""


@dataclass(frozen=True)
class Kernel:
    """One way to compute an operator in C.

    `lower` says which functions are called with which constants and arrays; `needs` are CPU features that the
    board must have, `accepts` tells the layers that this kernel can compute. A kernel that needs "size" is for
    programs that are optimized for it alone, one that needs LITTLE_SCRATCH for layers of which that is asked.
    `activations` are the dtypes that computed inputs and the output may have, `constants` the storages (dtype or
    packing) of constant inputs.
    """

    lower: Callable[[Any, Layer], tuple[Call, ...]]  # (operator, its layer)
    needs: frozenset[str] = frozenset()
    accepts: Accepts = lambda op, layer: True
    activations: frozenset[str] = INT8
    constants: frozenset[str] = WHOLE

    def fits(self, layer: Layer, features: Set[str]) -> bool:
        """Whether a CPU with the features can compute the layer by this kernel."""
        return (
            self.needs <= features
            and all(t.dtype in self.activations for t in (*layer.activations, layer.output))
            and all(t.storage in self.constants for t in layer.inputs if t.is_constant)
            and self.accepts(layer.op, layer)
        )
