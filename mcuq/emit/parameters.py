"""A kernel that calls of different sizes share: constants of its head become parameters."""

from __future__ import annotations

from collections.abc import Sequence

from mcuq.emit.render import Head, as_locals, render_kernel
from mcuq.emit.text import COLUMNS, broken, wrap
from mcuq.kernels.kernel import Constants, RowsOf
from mcuq.kernels.source import declaration_of
from mcuq.lower.share import PARAMETERS, shifts_down


def assumes(constants: Constants, names: Sequence[str]) -> bool:
    """Whether the function tells compilers that `shift`, where it is a parameter, is at least 1, so that one branch of
    mcuq_requantize is left."""
    return "shift" in names and shifts_down(constants)


def render_shared(constants: Constants, function: str, names: Sequence[str], c_type: str) -> str:
    """The kernel as a function that reads the constants `names` from an array of `c_type`, in this order.

    The array stands where a call has it, behind the other arrays. What the body derives from `names` is then computed
    at run time too.
    """
    fixed = [f"{name} = {value}" for name, value in constants.numbers().items() if name not in names]
    # Zero points are values of tensors: with the type of those no conversion of theirs is one that may lose bits.
    point_type = declaration_of(constants.template).point_type
    points = [
        f"{name} = ({point_type}){PARAMETERS}[{i}]" for i, name in enumerate(names) if name.endswith("zero_point")
    ]
    sizes = [f"{name} = {PARAMETERS}[{i}]" for i, name in enumerate(names) if not name.endswith("zero_point")]
    lines = [
        *(["    enum {", wrap(fixed, ", ", COLUMNS - 8, " " * 8), "    };"] if fixed else []),
        *(
            f"    const {kind} {wrap(part, ', ', COLUMNS - 8, ' ' * 8).strip()};"
            for kind, part in (("int32_t", sizes), (point_type, points))
            if part
        ),
        *(["    MCUQ_ASSUME(shift >= 1);"] if assumes(constants, names) else []),
    ]
    printed = "".join(f"{line}\n" for line in lines)
    return render_kernel(constants, function, Head(f"const {c_type} *{PARAMETERS}, ", lambda _: printed, as_locals))


def render_banded(constants: Constants, function: str, rows: Sequence[RowsOf]) -> str:
    """The kernel as a function of bands of rows, which is told how many it reads and makes, and how many of padding lie
    above them."""
    told = {own.name: own for own in rows}
    fixed = [f"{name} = {value}" for name, value in constants.numbers().items() if name not in told]
    read = [f"{own.name} = band[{own.index}]" + (f" * {own.factor}" if own.factor != 1 else "") for own in rows]
    lines = [
        *(["    enum {", wrap(fixed, ", ", COLUMNS - 8, " " * 8), "    };"] if fixed else []),
        f"    const int32_t {wrap(read, ', ', COLUMNS - 8, ' ' * 8).strip()};",
    ]
    printed = "".join(f"{line}\n" for line in lines)
    text = render_kernel(constants, function, Head("const int16_t *band, ", lambda _: printed, as_locals))
    head, rest = text.split("\n", 1)
    return "\n".join([*broken(head, COLUMNS), rest])
