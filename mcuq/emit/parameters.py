"""Rewrites a kernel so that calls of different sizes can share it: constants of its head become parameters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mcuq.emit.text import COLUMNS, wrap
from mcuq.lower.share import PARAMETERS
from mcuq.lower.source import BODY

_ENUM = re.compile(r" *enum \{(.*?)\};\n", re.DOTALL)
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


def with_parameters(text: str, names: Sequence[str], c_type: str, shifts_down: bool) -> str:
    """The rendered kernel `text` as a function that reads the constants `names` from an array of `c_type`.

    The array stands where a call has it, behind the other arrays. What the body derives from `names` by `enum` is
    then computed at run time too; the rest of the body is as it is. `shifts_down` says that `shift`, where it is
    one of `names`, is at least 1, so that one branch of mcuq_requantize is left.
    """
    found = re.fullmatch(rf"(.*?static void \w+)\((.*?)\)\n{{\n(.*?) *{re.escape(BODY)}(.*)", text, re.DOTALL)
    assert found is not None, "a kernel is one function with a head, see tests/test_joints.py"
    start, given, head, body = found.groups()
    arguments = re.split(r",\s+", given)
    place = next((i for i, argument in enumerate(arguments) if argument.endswith("scratch")), len(arguments) - 1)
    arguments.insert(place, f"const {c_type} *{PARAMETERS}")
    used = set(_IDENTIFIER.findall(body))
    constants = [pair for block in _ENUM.findall(head) for pair in re.findall(r"(\w+) = (-?\w+)", block)]
    others = _ENUM.sub("", head).strip("\n ")
    fixed = [f"{name} = {value}" for name, value in constants if name in used and name not in names]
    # Zero points are values of tensors: with the type of those no conversion of theirs is one that may lose bits.
    # Of kernels for other tensors than int8 they may be those of uint8.
    point_type = "int16_t" if re.search(r"\b(uint8_t|int16_t|float) \*[xy]\b", given) else "int8_t"
    points = [
        f"{name} = ({point_type}){PARAMETERS}[{i}]" for i, name in enumerate(names) if name.endswith("zero_point")
    ]
    sizes = [f"{name} = {PARAMETERS}[{i}]" for i, name in enumerate(names) if not name.endswith("zero_point")]
    read = (("int32_t", sizes), (point_type, points))
    lines = [
        f"{start}(",
        f"{wrap(arguments, ', ', COLUMNS - 4, '    ')})",
        "{",
        *([f"    {others}"] if others else []),
        *(["    enum {", wrap(fixed, ", ", COLUMNS - 8, " " * 8), "    };"] if fixed else []),
        *(f"    const {kind} {wrap(part, ', ', COLUMNS - 8, ' ' * 8).strip()};" for kind, part in read if part),
        *(["    MCUQ_ASSUME(shift >= 1);"] if "shift" in names and shifts_down else []),
        f"    {BODY.strip()}",
    ]
    return "\n".join(lines) + "\n" + _computed_at_run_time(body, set(names))


def _computed_at_run_time(body: str, varying: set[str]) -> str:
    """The body with `const int32_t` for each `enum` that depends on one of `varying`."""

    def rewrite(block: re.Match[str]) -> str:
        text = re.sub(r"/\*.*?\*/", "", block[1], flags=re.DOTALL)
        if not varying & set(_IDENTIFIER.findall(text)):
            return block[0]
        varying.update(re.findall(r"(\w+) =(?!=)", text))
        return f"const int32_t{block[1].rstrip()};"

    return re.sub(r"enum \{(.*?)\};", rewrite, body, flags=re.DOTALL)
