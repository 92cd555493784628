"""The file of --after, .toml: a kind, which says what is left out, and what is otherwise; read strictly."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from mcuq.after.after import After
from mcuq.after.scores import KINDS as SCORES
from mcuq.errors import ModelError, did_you_mean

Check = Callable[[object], str]
MOST_LABELS = 65536


def number(low: float, high: float) -> Check:
    """From low to high."""

    def check(value: object) -> str:
        good = type(value) in (int, float) and isfinite(value) and low <= value <= high  # type: ignore[arg-type, operator]
        return "" if good else f"must be a number from {low:g} to {high:g}"

    return check


def whole(low: int, high: int) -> Check:
    """From low to high, without a fraction."""

    def check(value: object) -> str:
        return "" if type(value) is int and low <= value <= high else f"must be a whole number from {low} to {high}"

    return check


def one_of(*names: str) -> Check:
    """One of these texts."""
    return lambda value: "" if value in names else f"must be one of {', '.join(names)}"


def flag(value: object) -> str:
    """True or false."""
    return "" if isinstance(value, bool) else "must be true or false"


def text(value: object) -> str:
    """A text."""
    return "" if isinstance(value, str) else "must be a text"


def texts_or_file(value: object) -> str:
    """Labels."""
    good = isinstance(value, str) or (isinstance(value, list) and all(isinstance(v, str) for v in value))
    return "" if good else "must be a list of texts, or the name of a file that has one a line"


def classes(value: object) -> str:
    """Classes by their labels or numbers."""
    good = isinstance(value, list) and all(isinstance(v, str) or (type(v) is int and v >= 0) for v in value)
    return "" if good else "must be a list of labels, or of numbers of classes from 0"


# Key -> what it is where the file says nothing, None where it must say it, and what its value must be.
Keys = Mapping[str, tuple[Any, Check]]
_ALL: Keys = {"floats": (False, flag)}
_OUTPUT: Keys = {"output": ("", text)}
_SCORES: Keys = {
    **_OUTPUT,
    "scores": (None, one_of(*SCORES)),
    "temperature": (1.0, number(0.01, 100)),
    "labels": ("", texts_or_file),
}
KEYS: Mapping[str, Keys] = {
    "classes": {**_SCORES, "top": (3, whole(1, 100)), "threshold": (0.0, number(0, 1)), **_ALL},
    "decision": {
        **_SCORES,
        "watch": ([], classes),
        "average": (3, whole(1, 1000)),
        "threshold": (0.5, number(0, 1)),
        "release": (-1.0, number(0, 1)),
        "refractory": (0, whole(0, 65535)),
        **_ALL,
    },
    "anomaly": {
        **_OUTPUT,
        "score": ("reconstruction", one_of("reconstruction", "distance")),
        "input": ("", text),
        "error": ("squared", one_of("squared", "absolute")),
        "threshold": (-1.0, number(0, 1e9)),
        "quantile": (0.99, number(0, 1)),
        **_ALL,
    },
    "floats": {},
}
KINDS = tuple(KEYS)


def read_after(path: str | Path) -> After:
    """What a .toml file says; files that it names lie beside it. Raises ModelError where one cannot be read, or says
    what is not supported."""
    path = Path(path)
    source = _text_of(path, f"after '{path}'", "a .toml file")
    files = {}
    for key, name in _named_files(_parsed(source, path.name)).items():
        files[name] = _text_of(path.parent / name, f"{path.name}: {key} = '{name}'", "a text file beside it")
    return parse_after(source, path.name, files)


def parse_after(
    source: str,
    where: str = "after",
    files: Mapping[str, str] | None = None,
    learned: Mapping[str, Any] | None = None,
) -> After:
    """The same of the file's text, texts of those that it names, and what calibration said."""
    given, files = _parsed(source, where), files or {}
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in KEYS:
        hint = did_you_mean(str(kind), KINDS)
        raise ModelError(f"{where}: kind = {kind!r}: must be one of {', '.join(KINDS)}{hint}")
    keys = KEYS[kind]
    values = {key: default for key, (default, _) in keys.items()}
    for key, value in given.items():
        if key == "kind":
            continue
        if key not in keys:
            known = f"; known keys: {', '.join(keys) or 'none'}"
            raise ModelError(f"{where}: '{key}' is no key of kind '{kind}'{did_you_mean(key, keys) or known}")
        wrong = keys[key][1](value)
        if wrong:
            raise ModelError(f"{where}: {key} = {value!r}: {wrong}")
        values[key] = float(value) if isinstance(values[key], float) else value
    for key, value in values.items():
        if value is None:
            raise ModelError(f"{where}: {key}: is missing; it {keys[key][1](None)}")
    labels = values.pop("labels", "")
    if isinstance(labels, str) and labels:
        labels = [line.rstrip("\r") for line in files[labels].removesuffix("\n").split("\n")]
    if len(labels) > MOST_LABELS:
        raise ModelError(f"{where}: labels: are {len(labels):,}; give {MOST_LABELS:,} at most")
    return After(kind, values, tuple(labels), source, files, where, learned or {})


def _parsed(source: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"{where}: is no TOML: {error}") from None


def _named_files(given: Mapping[str, Any]) -> dict[str, str]:
    """The names of files, by the keys that have them."""
    return {key: given[key] for key in ("labels", "anchors") if isinstance(given.get(key), str) and given[key]}


def _text_of(path: Path, where: str, what: str) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise ModelError(f"{where}: cannot be read: {error.strerror}; give {what}") from None
    except UnicodeDecodeError:
        raise ModelError(f"{where}: is no text; give {what}") from None
