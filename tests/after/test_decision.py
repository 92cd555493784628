"""Decisions of a stream: by a plain reference in floats, rule by rule, and the C against its twin."""

from __future__ import annotations

import numpy as np
import pytest
from behind import Case, bound, check, emitted, graph_of, tensor
from front_end_c import CPUS
from numpy.typing import NDArray

from mcuq.after.decision import NOTHING, Decided, Decision
from mcuq.graph.tensor import Tensor

# keys, classes, scale, zero point, dtype
KINDS = (
    ('scores = "softmax"\naverage = 5\nthreshold = 0.6\nrelease = 0.3\nrefractory = 4', 4, 0.1, 3, "int8"),
    ('scores = "sigmoid"\naverage = 1\nthreshold = 0.5', 1, 0.02, 0, "int8"),
    ('scores = "probabilities"\naverage = 3\nwatch = [1, 2]\nrefractory = 2', 3, 1 / 255, 0, "uint8"),
    ('scores = "softmax"\naverage = 100\nthreshold = 0.4\nrefractory = 30', 3, 0.0002, 0, "int16"),
    ('scores = "sigmoid"\naverage = 4\nthreshold = 0.5\nrelease = 0\nrefractory = 1', 2, 0.05, -9, "int8"),
    ('scores = "probabilities"\naverage = 2\nthreshold = 1\nrelease = 1', 2, 1 / 128, -128, "int8"),
)


def twin_of_kind(index: int) -> Decision:
    text, classes, *quant = KINDS[index]
    y = tensor("y", (classes,), *quant)
    twin = bound(f'kind = "decision"\n{text}', graph_of([y]))
    assert isinstance(twin, Decision)
    return twin


def stream(y: Tensor, count: int, seed: int) -> NDArray[np.generic]:
    """A class now and then for some time, both extremes and ties."""
    rng, info = np.random.default_rng(seed), np.iinfo(y.dtype)
    spread = info.max - info.min
    codes = rng.normal(y.zero_point, spread / 30, (count, y.elements))
    for begin in range(0, count, 17):
        codes[begin : begin + rng.integers(1, 17), rng.integers(y.elements)] += spread / rng.integers(3, 12)
    codes[count // 3 : count // 3 + 9] = info.max
    codes[count // 2 : count // 2 + 9] = info.min
    return codes.clip(info.min, info.max).astype(y.dtype)


def plainly(twin: Decision, scores: NDArray[np.int64]) -> list[tuple[int, tuple[int, ...]]]:
    """The rules once more: averages in float64 of all that was, states by time."""
    n, on, last, found = twin.average, set[int](), -(10**9), []
    for t in range(len(scores)):
        heard = NOTHING
        if t >= n - 1:
            means = scores[t - n + 1 : t + 1].astype(np.float64).mean(0)
            on -= {c for c in on if means[c] < twin.release - 1e-9}
            able = [c for c in twin.watched if c not in on and means[c] >= twin.threshold - 1e-9]
            if able and t - last > twin.refractory:
                heard = min(able, key=lambda c: (-round(means[c] * n), c))
                on.add(heard)
                last = t
        found.append((heard, tuple(sorted(on))))
    return found


@pytest.mark.parametrize("index", range(len(KINDS)))
def test_decisions_follow_the_rules(index: int) -> None:
    twin = twin_of_kind(index)
    codes = stream(twin.output, 600, index)
    found = twin.of({}, {"y": codes})
    assert [(d.index, d.on) for d in found] == plainly(twin, twin.scores.of(codes))
    assert sum(d.index != NOTHING for d in found) > 1
    twin.begin()
    halves = [*twin.of({}, {"y": codes[:201]}), *twin.of({}, {"y": codes[201:]})]
    assert halves == found


def test_a_word_is_heard_once_until_it_is_over() -> None:
    y = tensor("y", (2,), 1 / 100)
    text = 'kind = "decision"\nscores = "probabilities"\naverage = 2\nthreshold = 0.5\nrelease = 0.25\nrefractory = 2\n'
    twin = bound(f'{text}labels = ["quiet", "hey"]\nwatch = ["hey"]', graph_of([y]))
    said = [0, 100, 100, 90, 60, 30, 20, 30, 80, 90, 0, 0, 60, 60, 60]
    found = twin.of({}, {"y": np.array([[100, x] for x in said], np.int8)})
    heard = [i for i, d in enumerate(found) if d.index != NOTHING]
    assert heard == [1, 12 + 1]  # 20 and 30 have an average of 0.25, which is not below
    assert found[1] == Decided(1, 16384, (1,), "hey")
    assert [str(d) for d in found[:2]] == ["- 0.000", "hey 0.500"]


CALL = """
    static id_decision state;
    const %s_t *const given = (const %s_t *)(const void *)(in + 4);
    if (sizeof state != %d)
        return;
    if (in[0] > 0)
        id_decision_reset(&state);
    for (int32_t t = 0; t < %d; t++) {
        const int32_t heard = id_decide(&state, given + t * %d);
        int32_t mask = 0;
        int32_t average = 0;
        for (int32_t i = 0; i < %d; i++)
            mask |= id_is_on(&state, i) << i;
        if (heard != ID_NOTHING)
            average = id_average(&state, heard);
        ((int32_t *)(void *)out)[2 * t] = (heard & 0xff) | (average << 8);
        ((int32_t *)(void *)out)[2 * t + 1] = mask;
    }
"""


@pytest.mark.parametrize("cpu", CPUS)
def test_c_gives_the_decisions_of_its_twin(cpu: str) -> None:
    cases, length = [], 60
    for index in range(len(KINDS)):
        twin = twin_of_kind(index)
        y = twin.output
        codes = stream(y, 4 * length, index)
        found = twin.of({}, {"y": codes})
        twin.begin()
        found += twin.of({}, {"y": codes[:length]})  # the stream that begins anew
        words = [
            ((d.index & 0xFF) | ((d.average if d.index != NOTHING else 0) << 8), sum(1 << c for c in d.on))
            for d in found
        ]
        want = [np.array(words[i : i + length], np.int32).tobytes() for i in range(0, 5 * length, length)]
        parts = [*np.split(codes, 4), codes[:length]]
        samples = [np.int32(i == 4).tobytes() + part.tobytes() for i, part in enumerate(parts)]
        size = emitted(twin, graph_of([y]), "c").state_bytes
        call = CALL % (y.dtype, y.dtype, size, length, y.elements, y.elements)
        cases.append(Case(twin, graph_of([y]), call, samples, want))
    check(cpu, cases)
