"""The likeliest classes: scores against softmax and sigmoid in float64, order, and the C against its twin."""

from __future__ import annotations

import numpy as np
import pytest
from behind import Case, bound, check, graph_of, tensor
from front_end_c import CPUS
from numpy.typing import NDArray

from mcuq.after.classes import Class, Classes
from mcuq.after.scores import ONE, farthest, scores_of
from mcuq.graph.tensor import Tensor

Integers = NDArray[np.int64]
# kind, temperature, classes, scale, zero point, dtype
SHAPES = (
    ("softmax", 1.0, 10, 0.11, -3, "int8"),
    ("softmax", 3.5, 10, 0.11, -128, "int8"),
    ("softmax", 0.05, 3, 2.0, 127, "int8"),
    ("softmax", 1.0, 1000, 0.0007, 12, "int16"),
    ("softmax", 100.0, 5, 1e-6, 0, "int16"),
    ("softmax", 0.01, 4, 1e4, 0, "int8"),
    ("softmax", 1.0, 1, 0.1, 0, "int8"),
    ("sigmoid", 1.0, 6, 0.09, 5, "int8"),
    ("sigmoid", 0.3, 6, 0.0002, -7, "int16"),
    ("probabilities", 1.0, 12, 1 / 256, -128, "int8"),
    ("probabilities", 1.0, 12, 1 / 255, 0, "uint8"),
    ("probabilities", 1.0, 4, 1 / 32768, 0, "int16"),
    ("probabilities", 1.0, 4, 0.01, 3, "int8"),
    ("probabilities", 2.5, 12, 1 / 256, -128, "int8"),
    ("probabilities", 0.3, 12, 1 / 255, 0, "uint8"),
    ("probabilities", 5.0, 4, 1 / 65536, -32768, "int16"),
)


def codes_of(y: Tensor, count: int = 12) -> NDArray[np.generic]:
    """Both extremes, all equal, one above all, ties, and codes of all spreads."""
    info, rng = np.iinfo(y.dtype), np.random.default_rng(y.elements)
    rows = [np.full(y.elements, v) for v in (info.min, info.max, y.zero_point)]
    rows += [np.where(np.arange(y.elements) % 2, info.min, info.max), np.arange(y.elements) == y.elements - 1]
    rows += [rng.integers(0, 3, y.elements)]
    rows += [rng.normal(y.zero_point, (info.max - info.min) / 2 ** (k % 7), y.elements) for k in range(count)]
    return np.stack(rows).clip(info.min, info.max).astype(y.dtype)


def real_scores(kind: str, temperature: float, y: Tensor, codes: NDArray[np.generic]) -> NDArray[np.float64]:
    """From the definitions, in float64."""
    real = (codes.astype(np.float64) - y.zero_point) * np.float64(y.scale)
    if kind == "sigmoid":
        return 1 / (1 + np.exp(np.clip(-real / temperature, -700, 700)))
    if kind == "probabilities" and temperature == 1:
        return real.clip(0, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        logits = (real if kind == "softmax" else np.log(real.clip(0))) / temperature
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        return np.nan_to_num(powers / powers.sum(-1, keepdims=True))


def twin_and_codes(index: int, more: str = "") -> tuple[Classes, NDArray[np.generic]]:
    kind, temperature, classes, scale, zero_point, dtype = SHAPES[index]
    y = tensor("y", (classes,), scale, zero_point, dtype)
    text = f'kind = "classes"\nscores = "{kind}"\ntemperature = {temperature}\n{more}'
    twin = bound(text, graph_of([y]))
    assert isinstance(twin, Classes)
    return twin, codes_of(y)


@pytest.mark.parametrize("index", range(len(SHAPES)), ids=lambda i: "-".join(map(str, SHAPES[i])))
def test_scores_are_those_of_real_numbers_within_one_in_32768(index: int) -> None:
    twin, codes = twin_and_codes(index)
    found = twin.scores.of(codes)
    assert found.min() >= 0
    assert found.max() <= ONE
    want = real_scores(*SHAPES[index][:2], twin.output, codes)
    assert np.abs(found / ONE - want).max() <= 1 / ONE
    assert len(np.unique(found)) > 3 or twin.output.elements == 1 or twin.output.scale in (1e-6, 1e4)


def test_what_is_farther_below_the_largest_than_farthest_never_reaches_the_threshold() -> None:
    for scale, threshold in ((0.05, 9830), (0.0003, 16000), (1e-6, 16384), (3.0, 33), (0.2, 328)):
        scores = scores_of("softmax", tensor("y", (2,), scale, 0, "int16"))
        below = np.arange(30000)
        found = scores.of(np.stack([np.full(30000, 29999), 29999 - below], -1))[:, 1]
        assert np.array_equal(found >= threshold, below <= farthest(scores, threshold))
    assert farthest(scores, 16385) == 0


def test_the_likeliest_come_first_and_of_equal_ones_the_first() -> None:
    y = tensor("y", (4,), 0.1)
    twin = bound('kind = "classes"\nscores = "sigmoid"\nthreshold = 0.5\nlabels = ["a", "b", "c", "d"]', graph_of([y]))
    first, second = twin.of({}, {"y": np.array([[[1, 5, 5, -9]], [[-1, -2, -3, -1]]], np.int8).reshape(2, 1, 4)})
    assert [c.label for c in first] == ["b", "c", "a"]
    assert first[0] == Class(1, round(ONE / (1 + np.exp(-0.5))), "b")
    assert str(first[0]) == "b 0.622"
    assert second == []


CALL = """
    id_class found[ID_TOP];
    const int32_t count = id_classify((const %s *)(const void *)in, found);
    int32_t *const words = (int32_t *)(void *)out;
    words[0] = count;
    for (int32_t i = 0; i < count; i++) {
        words[1 + 2 * i] = found[i].index;
        words[2 + 2 * i] = found[i].score;
    }
"""


def cases() -> list[Case]:
    made = []
    for index in range(len(SHAPES)):
        more = f"top = {(3, 1, 5, 100)[index % 4]}\n" + "threshold = 0.2\n" * (index % 3 == 1)
        twin, codes = twin_and_codes(index, more)
        rows = twin.of({}, {"y": codes})
        want = [np.array([len(r), *(v for c in r for v in (c.index, c.score))], np.int32).tobytes() for r in rows]
        samples = [own.tobytes() for own in codes]
        made.append(Case(twin, graph_of([twin.output]), CALL % f"{twin.output.dtype}_t", samples, want))
    return made


@pytest.mark.parametrize("cpu", CPUS)
def test_c_gives_the_classes_of_its_twin(cpu: str) -> None:
    check(cpu, cases())


@pytest.mark.parametrize("cpu", CPUS)
def test_labels_are_kept_as_they_are(cpu: str) -> None:
    labels = ["yes", 'no "\\', "süß ??/", ""]
    y = tensor("y", (4,), 0.1)
    twin = bound(
        'kind = "classes"\nscores = "softmax"\nlabels = "l.txt"', graph_of([y]), {"l.txt": "\n".join([*labels, ""])}
    )
    call = """
    const char *text = id_label(*(const int32_t *)(const void *)in);
    do
        *out++ = (int8_t)*text;
    while (*text++ != 0);
"""
    numbers = [0, 1, 2, 3, 4, -1]
    want = [own.encode() + b"\0" for own in (*labels, "", "")]
    check(cpu, [Case(twin, graph_of([y]), call, [np.int32(i).tobytes() for i in numbers], want)])
