"""TOML files that users write."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcuq.errors import ModelError
from mcuq.toml_text import instead_of, is_number, parse_toml, read_text


def test_lists_within_lists_without_end_are_no_toml() -> None:
    with pytest.raises(ValueError, match="recursion depth"):
        parse_toml(f"x = {'[' * 5000}")
    assert parse_toml("x = [[1]]") == {"x": [[1]]}


def test_numbers_are_those_that_a_float_holds() -> None:
    assert all(map(is_number, (0, -3, 2.5, 2**62)))
    assert not any(map(is_number, (True, "1", float("nan"), float("inf"), 10**400, None)))


def test_a_key_that_is_not_known_has_one_near_or_all_of_them() -> None:
    assert instead_of("mel", ("mels", "mfcc")) == "; did you mean 'mels'?"
    assert instead_of("zebra", ("mels", "mfcc")) == "; known keys: mels, mfcc"
    assert instead_of("zebra", ()) == "; known keys: none"


def test_text_is_read_without_its_mark_and_nothing_else_is(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\n")
    assert read_text(tmp_path / "a.txt", "a", "a text file") == "one\n"
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe")
    for name, why in (("a.txt", "is no text"), ("\0", "is no name of a file")):
        with pytest.raises(ModelError) as error:
            read_text(tmp_path / name, "a", "a text file")
        assert str(error.value) == f"a: {why}; give a text file"
