"""Readable C identifiers out of the names that exporters give."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import takewhile

LONGEST = 40

# C99, C11 and C++17: the generated header is included from both languages.
KEYWORDS = frozenset(
    """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl const const_cast constexpr
    continue decltype default delete do double dynamic_cast else enum explicit export extern false float for friend
    goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected
    public register reinterpret_cast restrict return short signed sizeof static static_assert static_cast struct
    switch template this thread_local throw true try typedef typeid typename union unsigned using virtual void
    volatile wchar_t while xor xor_eq
    """.split()  # noqa: SIM905
)


def identifier(name: str, fallback: str = "x") -> str:
    """Letters, digits and single underscores of `name`, not beginning with a digit, no keyword, 40 at most.

    TensorFlow joins the names of fused nodes by ';': the first stands for all.
    """
    text = re.sub(r"[^0-9A-Za-z]+", "_", name.split(";")[0].split(":")[0]).strip("_")[:LONGEST].strip("_")
    text = text or fallback
    if text[0].isdigit():
        text = f"{fallback}_{text}"
    return f"{text}_" if text.lower() in KEYWORDS else text


def _shared_path(names: Sequence[str]) -> int:
    """Characters of the leading path components that all names have in common."""
    if len(names) < 2:
        return 0
    components = [re.findall(r"[^/.]*[/.]", name.split(";")[0]) for name in names]
    shared = list(takewhile(lambda column: len(set(column)) == 1, zip(*components, strict=False)))
    return sum(len(column[0]) for column in shared)


def identifiers(names: Sequence[str], fallback: str = "x", taken: Iterable[str] = ()) -> list[str]:
    """A distinct identifier for each name, without the path that all names share ("model/", "/")."""
    cut = _shared_path(names)
    # Macros are upper case: names that differ only in case would collide there.
    used = {name.lower() for name in taken}
    result = []
    for name in names:
        stem = text = identifier(name[cut:], fallback)
        n = 1
        while text.lower() in used:
            n += 1
            text = f"{stem}_{n}"
        used.add(text.lower())
        result.append(text)
    return result
