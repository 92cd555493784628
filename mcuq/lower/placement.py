"""Where constants lie: in the C, in a section of it, or in a file of their own; and where working memory does."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Literal

from mcuq.errors import ModelError, did_you_mean
from mcuq.lower.memories import RamUse, parse_memories

Kind = Literal["inline", "external", "section"]
_KINDS: tuple[Kind, ...] = ("inline", "external", "section")
# What compilers keep zeros in, also with a dot and more behind: they refuse constants there.
_OF_ZEROS = (".bss", ".sbss", ".tbss", ".noinit", ".gnu.linkonce.b", ".gnu.linkonce.sb")
_SECTION = {*string.ascii_letters, *string.digits, *"._$,-"}


@dataclass(frozen=True)
class Placement:
    """`kind` of place of constants, and the name of the `section` where it is one. `arena` is the C array that working
    memory is, where it is shared with other models; "": one of the model's own. Into the memory `fast` those constants
    are copied at start that are used most; into working memory weights that a layer reads again and again, before its
    calls, where they are `copied_bytes` at most."""

    kind: Kind = "inline"
    section: str = ""
    arena: str = ""
    fast: RamUse | None = None
    copied_bytes: int = 0

    @property
    def is_external(self) -> bool:
        """Whether constants are in no C file."""
        return self.kind == "external"

    @property
    def is_elsewhere(self) -> bool:
        """Whether constants may lie in other memory than the board's flash."""
        return self.kind != "inline"

    @property
    def text(self) -> str:
        """The place of constants as `parse_placement` reads it."""
        return f"section:{self.section}" if self.kind == "section" else self.kind


INLINE = Placement()


def parse_placement(text: str) -> Placement:
    """`inline`, `external` or `section:NAME`. Raises ModelError for any other text."""
    name, colon, section = text.partition(":")
    if colon and name == "section":
        if not 1 <= len(section) <= 80 or not set(section) <= _SECTION:
            raise ModelError(
                f"weights '{text}': '{section}' is no name of a section; use 1 to 80 letters, digits and . _ $ , -, as "
                "in section:.qspi"
            )
        if any(f"{section}.".startswith(f"{zeros}.") for zeros in _OF_ZEROS):
            raise ModelError(
                f"weights '{text}': '{section}' holds no constants, only what is zero or unset at the start; use "
                "another, as in section:.qspi"
            )
        return Placement("section", section)
    for kind in _KINDS:
        if kind == text and kind != "section":
            return Placement(kind)
    known = ("inline", "external", "section:NAME")
    raise ModelError(f"weights '{text}': is not known; use {', '.join(known)}{did_you_mean(text, known)}")


def parse_fast(text: str) -> RamUse:
    """NAME or NAME:BYTES. Raises ModelError for any other text."""
    uses = parse_memories(text)
    if len(uses) > 1:
        raise ModelError(f"fast weights '{text}': are copied into one memory; name one, as in {uses[0].text}")
    return uses[0]


def check_section(placement: Placement, board: str, is_native: bool) -> None:
    """Raise ModelError where what a board's compilers make has no section of that name: SEGMENT,SECTION is of Mach-O,
    which only this computer may have."""
    if not is_native and "," in placement.section:
        raise ModelError(
            f"weights '{placement.text}': '{placement.section}' names a segment and a section, which programs for "
            f"{board} do not have; use a name without a comma, as in section:.qspi"
        )
