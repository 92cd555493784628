"""The file of --after, .toml: a kind, which says what is left out, and what is otherwise; read strictly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mcuq.after.after import After
from mcuq.after.boxes import MOST_PIXELS
from mcuq.after.scores import KINDS as SCORES
from mcuq.errors import ModelError, did_you_mean
from mcuq.toml_text import instead_of, is_number, parse_toml, read_text

Check = Callable[[object], str]
MOST_LABELS = 65536


def number(low: float, high: float) -> Check:
    """From low to high."""

    def check(value: object) -> str:
        good = is_number(value) and low <= value <= high
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


def names(value: object) -> str:
    """Texts."""
    good = isinstance(value, list) and all(isinstance(v, str) for v in value)
    return "" if good else "must be a list of texts"


def file_name(value: object) -> str:
    """The name of a file."""
    return "" if isinstance(value, str) and value else "must be the name of a file"


def numbers(low: float, high: float, count: int = 0) -> Check:
    """From low to high, `count` of them."""
    one = number(low, high)

    def check(value: object) -> str:
        good = isinstance(value, list) and len(value) == (count or len(value)) and not any(map(one, value))
        return "" if good else f"must be a list of {f'{count} ' if count else ''}numbers from {low:g} to {high:g}"

    return check


def strides(value: object) -> str:
    """Pixels from one cell to the next, of each head."""
    good = isinstance(value, list) and value and all(type(v) is int and 1 <= v <= 256 for v in value)
    return "" if good else "must be a list of whole numbers from 1 to 256, one a head"


def anchors_of_heads(value: object) -> str:
    """Widths and heights in pixels."""
    one = numbers(0.1, 4096)
    good = isinstance(value, list) and value and not any(one(v) or len(v) % 2 or not v for v in value)
    good = good and len({len(v) for v in value}) == 1  # type: ignore[attr-defined]
    return "" if good else "must be a list for each head, of widths and heights in pixels in turn, as many in each"


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
_BOXES: Keys = {
    "width": (None, whole(1, MOST_PIXELS)),
    "height": (None, whole(1, MOST_PIXELS)),
    "labels": ("", texts_or_file),
    "threshold": (0.5, number(0.001, 1)),
    "candidates": (100, whole(1, 1000)),
    "max_boxes": (20, whole(1, 1000)),
}
_OVERLAP: Keys = {"overlap": (0.45, number(0, 1)), "nms": ("class", one_of("class", "any"))}
_YOLO: Keys = {
    **_BOXES,
    "threshold": (0.25, number(0.001, 1)),
    "heads": ([], names),
    "strides": ([8, 16, 32], strides),
    "decoded": (False, flag),
    "unit": ("pixels", one_of("pixels", "fractions")),
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
    "ssd": {
        **_BOXES,
        "boxes": (None, text),
        "classes": (None, text),
        "scores": (None, one_of(*SCORES)),
        "anchors": (None, file_name),
        "variances": ([0.1, 0.1, 0.2, 0.2], numbers(1e-3, 100, 4)),
        "order": ("xywh", one_of("xywh", "yxhw")),
        "background": (0, whole(-1, 32767)),
        **_OVERLAP,
        **_ALL,
    },
    "yolov5": {
        **_YOLO,
        "anchors": (
            [[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]],
            anchors_of_heads,
        ),
        **_OVERLAP,
        **_ALL,
    },
    "yolov8": {**_YOLO, "bins": (16, whole(2, 64)), **_OVERLAP, **_ALL},
    "fomo": {
        **_OUTPUT,
        **_BOXES,
        "scores": (None, one_of(*SCORES)),
        "layout": ("nhwc", one_of("nhwc", "nchw")),
        **_ALL,
    },
    "floats": {},
}
KINDS = tuple(KEYS)


def read_after(path: str | Path) -> After:
    """What a .toml file says; files that it names lie beside it. Raises ModelError where one cannot be read, or says
    what is not supported."""
    path = Path(path)
    source = read_text(path, f"after '{path}'", "a .toml file")
    files = {}
    for key, name in _named_files(_parsed(source, path.name)).items():
        files[name] = read_text(path.parent / name, f"{path.name}: {key} = '{name}'", "a text file beside it")
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
            raise ModelError(f"{where}: '{key}' is no key of kind '{kind}'{instead_of(key, keys)}")
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
        return parse_toml(source)
    except ValueError as error:
        raise ModelError(f"{where}: is no TOML: {error}") from None


def _named_files(given: Mapping[str, Any]) -> dict[str, str]:
    """The names of files, by the keys that have them."""
    return {key: given[key] for key in ("labels", "anchors") if isinstance(given.get(key), str) and given[key]}
