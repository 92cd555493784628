"""One table of a board file, read strictly: a key that nobody reads, is missing or holds something else is an error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mcuq.errors import BoardError
from mcuq.toml_text import instead_of

# Nothing that a program would take for an option, a path or a list of options.
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_PIN = re.compile(r"P([A-Z])(\d{1,2})|P(\d)\.(\d{1,2})|GPIO(\d{1,2})")


class Table:
    """A TOML table whose keys must be from `known`; each getter checks one key. `where` is its place, for errors."""

    def __init__(self, where: str, values: Mapping[str, Any], known: Sequence[str]) -> None:
        for key in values:
            if key not in known:
                raise BoardError(f"{where}: unknown key '{key}'{instead_of(key, known)}")
        self.where = where
        self.values = values

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def table(self, key: str, known: Sequence[str]) -> Table:
        return Table(f"{self.where} [{key}]", self.raw_table(key), known)

    def raw_table(self, key: str) -> Mapping[str, Any]:
        """The values of a table inside this one, its keys not yet checked."""
        where = f"{self.where} [{key}]"
        if key not in self.values:
            raise BoardError(f"{where}: the table is missing")
        found = self.values[key]
        if not isinstance(found, dict):
            raise BoardError(f"{where}: must be a table, is {found!r}")
        return found

    def text(self, key: str) -> str:
        value = self._get(key)
        if not isinstance(value, str) or not value:
            raise self._wrong(key, "a text")
        return value

    def word(self, key: str) -> str:
        """A name that becomes an argument of another program."""
        value = self.text(key)
        if not _WORD.fullmatch(value):
            raise self._wrong(key, "one word of letters, digits and . _ + -, beginning with none of . + -")
        return value

    def path(self, key: str) -> str:
        """A file's path that becomes an argument of another program."""
        value = self.text(key)
        if value.startswith("-") or not value.isprintable():
            raise self._wrong(key, "a path; write ./ before a name that begins with -")
        return value

    def flags(self, key: str, known: Sequence[str]) -> tuple[str, ...]:
        """A compiler's flags: each one of `known`, those that end in = with one word behind it."""
        for flag in self.texts(key):
            name, is_given, value = flag.partition("=")
            if f"{name}{is_given}" not in known or (is_given and not _WORD.fullmatch(value)):
                raise BoardError(
                    f"{self.where}: {key} has '{flag}'; allowed are flags that name a CPU: {', '.join(known)}"
                )
        return self.texts(key)

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._get(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, "a list of texts")
        return tuple(value)

    def choice(self, key: str, choices: Sequence[str]) -> str:
        return self._known(key, self.text(key), choices)

    def choices(self, key: str, choices: Sequence[str]) -> tuple[str, ...]:
        return tuple(self._known(key, value, choices) for value in self.texts(key))

    def flag(self, key: str) -> bool:
        value = self._get(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def positive(self, key: str) -> int:
        value = self._get(key)
        if type(value) is not int or value <= 0:
            raise self._wrong(key, "a whole number above 0")
        return value

    def address(self, key: str) -> int:
        """A whole number from 0: an address, an index, an interrupt's number."""
        value = self._get(key)
        if type(value) is not int or value < 0:
            raise self._wrong(key, "a whole number from 0")
        return value

    def setting(self, key: str) -> int:
        """A whole number from 0, or true and false as 1 and 0: what becomes a macro in C."""
        value = self._get(key)
        return int(value) if isinstance(value, bool) else self.address(key)

    def pin(self, key: str) -> str:
        value = self.text(key)
        if not _PIN.fullmatch(value):
            raise self._wrong(key, "a pin such as 'PA2', 'P0.24' or 'GPIO1'")
        return value

    def _get(self, key: str) -> object:
        if key not in self.values:
            raise BoardError(f"{self.where}: key '{key}' is missing")
        return self.values[key]

    def _wrong(self, key: str, expected: str) -> BoardError:
        return BoardError(f"{self.where}: {key} = {self.values[key]!r} must be {expected}")

    def _known(self, key: str, value: str, choices: Sequence[str]) -> str:
        if value not in choices:
            raise BoardError(f"{self.where}: {key} has '{value}', must be from: {', '.join(choices)}")
        return value


def pin_numbers(pin: str) -> tuple[int, int]:
    """(port, number) of a pin: PC7 is (2, 7), P0.24 is (0, 24), GPIO21 is (0, 21)."""
    found = _PIN.fullmatch(pin)
    if found is None:
        raise ValueError(f"'{pin}' is no pin")
    letter, letter_number, port, port_number, number = found.groups()
    if letter:
        return ord(letter) - ord("A"), int(letter_number)
    return (int(port), int(port_number)) if port else (0, int(number))
