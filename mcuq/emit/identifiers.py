"""Readable C identifiers out of the names that exporters give."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile

LONGEST = 40

# Up to C23 and C++20: the generated header is included from both languages.
KEYWORDS = frozenset(
    """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class
    co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default
    delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline int long
    mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
    reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch
    template this thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using
    virtual void volatile wchar_t while xor xor_eq
    """.split()  # noqa: SIM905
)

# Types and macros of <stdint.h> and <stddef.h>, and what GCC predefines in lower case on some systems.
_STANDARD = re.compile(
    r"u?int(_least|_fast)?(8|16|32|64|ptr|max)_(t|min|max|c)|(size|ptrdiff|sig_atomic|wchar|wint)_(t|min|max)"
    r"|max_align_t|nullptr_t|null|offsetof|unreachable|linux|unix|i386"
)

# What a C file must not be called, nor an array of all the program: where the folder is in the include path, <NAME.h>
# would be the model's, in the C library's own headers too; and functions of these names are the library's.
_OF_THE_LIBRARY = frozenset(
    """
    assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic
    stdbit stdbool stdckdint stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype
    alloca endian features malloc newlib picolibc strings unistd xlocale
    abort calloc exit free main memchr memcmp memcpy memmove memset printf puts realloc strlen
    """.split()  # noqa: SIM905
)


def is_reserved(name: str) -> bool:
    """Whether the name means something to C, C++ or the headers included, in any case."""
    return name.lower() in KEYWORDS or _STANDARD.fullmatch(name.lower()) is not None


def identifier(name: str, fallback: str = "x") -> str:
    """Letters, digits and single underscores of `name`, not beginning with a digit, 40 at most.

    A name that C or C++ reserves gets an underscore behind it.

    TensorFlow joins the names of fused nodes by ';': the first stands for all.
    """
    text = re.sub(r"[^0-9A-Za-z]+", "_", name.split(";")[0].split(":")[0]).strip("_") or fallback
    if text[0].isdigit():
        text = f"{fallback}_{text}"
    text = text[:LONGEST].strip("_")
    return f"{text}_" if is_reserved(text) else text


def is_of_the_library(name: str) -> bool:
    """Whether a C file or a global array of that name hides a header or a function of the C library, in any case: files
    may be equal where only it differs."""
    return name.lower() in _OF_THE_LIBRARY


def file_identifier(name: str, fallback: str = "x") -> str:
    """An identifier of which C files may be called; what the C library has gets an underscore behind it."""
    text = identifier(name, fallback)
    return f"{text}_" if is_of_the_library(text) else text


def _shared_path(names: Sequence[str]) -> int:
    """Characters of the leading path components that all names have in common."""
    if len(names) < 2:
        return 0
    components = [re.findall(r"[^/.]*[/.]", name.split(";")[0]) for name in names]
    shared = list(takewhile(lambda column: len(set(column)) == 1, zip(*components, strict=False)))
    return sum(len(column[0]) for column in shared)


def claim(stem: str, derived: Callable[[str], Iterable[str]], used: set[str]) -> str:
    """`stem`, or else stem_2, stem_3, ...: the first of which all derived names are free; they become `used`.

    Case does not count: macros are upper case, so names that differ only in it would collide there. `used` holds
    lower case.
    """
    text, n = stem, 1
    while not used.isdisjoint(names := {name.lower() for name in derived(text)}) or any(map(is_reserved, names)):
        n += 1
        text = f"{stem}_{n}"
    used |= names
    return text


def stems(names: Sequence[str], fallback: str = "x") -> list[str]:
    """An identifier for each name, without the path that all names share ("model/", "/"); they may be equal."""
    cut = _shared_path(names)
    return [identifier(name[cut:], fallback) for name in names]


def identifiers(names: Sequence[str], fallback: str = "x", taken: Iterable[str] = ()) -> list[str]:
    """The stems made distinct, also from those taken."""
    used = {name.lower() for name in taken}
    return [claim(stem, lambda text: [text], used) for stem in stems(names, fallback)]
