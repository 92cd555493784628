"""How far an inference is from normal ones: against real numbers, what is learned, and the C against its twin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from behind import Case, bound, check, graph_of, tensor
from behind_networks import data, network
from front_end_c import CPUS
from numpy.typing import NDArray

from mcuq.after.anomaly import Anomaly
from mcuq.after.read import parse_after
from mcuq.api import run, simulate
from mcuq.artifact import load, save
from mcuq.compile import compile_model
from mcuq.errors import DataError, ModelError

# keys, (scale, zero point, dtype) of input and output, elements
SHAPES = (
    ("threshold = 0.5", (0.02, -5, "int8"), (0.03, 9, "int8"), 640),
    ('threshold = 0.5\nerror = "absolute"', (0.2, 0, "uint8"), (0.03, 127, "int8"), 33),
    ("threshold = 0.5", (1e-4, 0, "int16"), (0.9e-4, 0, "int16"), 100),
    ("threshold = 2", (1 / 255, 0, "uint8"), (3e-5, -32768, "int16"), 7),
    ('threshold = 0.1\nerror = "absolute"', (1e-6, 3, "int8"), (0.1, -128, "int8"), 5),
)
DISTANCES = (("squared", "int8", 6, 0), ("absolute", "int16", 11, 1), ("squared", "uint8", 1, 2))


def rows(dtype: str, elements: int, seed: int) -> NDArray[np.generic]:
    """Both extremes, in turns too, and noise of all spreads."""
    info, rng = np.iinfo(dtype), np.random.default_rng(seed)
    turns = np.where(np.arange(elements) % 2, info.min, info.max)
    found = [np.full(elements, info.min), np.full(elements, info.max), turns]
    found += [rng.normal((info.min + info.max) / 2, (info.max - info.min) / 2**k, elements) for k in range(1, 7)]
    return np.stack(found).clip(info.min, info.max).astype(dtype)


def reconstruction(index: int) -> tuple[Anomaly, dict[str, NDArray[np.generic]]]:
    keys, x, y, elements = SHAPES[index]
    graph = graph_of([tensor("y", (elements,), *y)], [tensor("x", (elements,), *x)])
    twin = bound(f'kind = "anomaly"\n{keys}', graph)
    assert isinstance(twin, Anomaly)
    near = rows(y[2], elements, index)
    # the extremes of one against those of the other, and reconstructions
    given = np.concatenate([rows(x[2], elements, index), rows(x[2], elements, 9)[[1, 0, 2]]])
    return twin, {"x": given, "y": np.concatenate([near, near[[0, 1, 2]]])}


@pytest.mark.parametrize("index", range(len(SHAPES)))
def test_errors_are_those_of_real_numbers(index: int) -> None:
    twin, seen = reconstruction(index)
    of_what = twin.of_what
    real = {
        n: (c.astype(np.float64) - t.zero_point) * t.scale
        for n, c, t in (
            ("x", seen["x"], of_what.x),
            ("y", seen["y"], of_what.y),  # type: ignore[union-attr]
        )
    }
    difference = real["x"] - real["y"]
    # half of a unit, and half of the finest one in the factor of each code
    codes = sum(int(np.ptp(t.quantization.bounds)) for t in (of_what.x, of_what.y))  # type: ignore[union-attr]
    bound_of = of_what.unit * (0.5 + 0.5 * codes / 1024 + 1e-3)
    found = of_what.differences(seen, seen) * of_what.unit
    assert np.abs(found - difference).max() <= bound_of
    want = (difference**2 if twin.is_squared else np.abs(difference)).mean(-1)
    judged = twin.of(seen, seen)
    assert [own.score for own in judged] == pytest.approx(
        want, rel=0.001, abs=bound_of ** (2 if twin.is_squared else 1)
    )
    threshold = twin.after.values["threshold"]
    assert all(own.is_anomaly == (own.score > threshold) for own in judged)
    assert 0 < sum(own.is_anomaly for own in judged) < len(judged) or index == 4


def distance(index: int) -> tuple[Anomaly, NDArray[np.generic]]:
    error, dtype, elements, seed = DISTANCES[index]
    rng, info = np.random.default_rng(seed), np.iinfo(dtype)
    middle, wide = (info.min + info.max) / 2, (info.max - info.min) / 40
    learned = {
        "means": rng.normal(middle, wide, elements).tolist(),
        "deviations": (wide * rng.uniform(0, 1, elements) ** 3).tolist(),
        "limit": 12345,
    }
    learned["deviations"][0] = 0.0
    text = f'kind = "anomaly"\nscore = "distance"\nerror = "{error}"'
    twin = bound(text, graph_of([tensor("y", (elements,), 0.1, 3, dtype)]), learned=learned)
    assert isinstance(twin, Anomaly)
    return twin, rows(dtype, elements, seed)


@pytest.mark.parametrize("index", range(len(DISTANCES)))
def test_distances_are_those_of_real_numbers(index: int) -> None:
    twin, codes = distance(index)
    means, deviations = (np.array(twin.after.learned[key]) for key in ("means", "deviations"))
    z = ((codes.astype(np.float64) - means) / np.maximum(deviations, 12**-0.5)).clip(-1024, 1024)
    found = twin.of_what.differences({}, {"y": codes}) / 1024
    # half of 2^-10, and a mean that is rounded to 2^-8 of a code
    assert np.abs(found - z).max() <= 2.0**-11 + 2.0**-9 * 12**0.5 + np.abs(z).max() * 2.0**-20
    assert [own.is_anomaly for own in twin.of({}, {"y": codes})] == [
        total > 12345 for total in twin.totals({}, {"y": codes})
    ]


@pytest.mark.parametrize("cpu", CPUS)
def test_c_gives_the_scores_of_its_twin(cpu: str) -> None:
    made = []
    for index in range(len(SHAPES)):
        twin, seen = reconstruction(index)
        x, y = twin.of_what.x, twin.of_what.y  # type: ignore[union-attr]
        call = f"""
    const int64_t score = id_anomaly_score((const {x.dtype}_t *)(const void *)in,
                                           (const {y.dtype}_t *)(const void *)(in + {(x.size_bytes + 3) // 4 * 4}));
    ((int32_t *)(void *)out)[0] = (int32_t)(score & 0x7fffffff);
    ((int32_t *)(void *)out)[1] = (int32_t)(score >> 31);
    ((int32_t *)(void *)out)[2] = score > ID_ANOMALY_LIMIT;
"""
        sent = [a.tobytes() + bytes(-a.nbytes % 4) + b.tobytes() for a, b in zip(seen["x"], seen["y"], strict=True)]
        made.append((twin, graph_of([y], [x]), call, sent, twin.of(seen, seen)))
    for index in range(len(DISTANCES)):
        twin, codes = distance(index)
        y = twin.of_what.y
        call = f"""
    const int64_t score = id_anomaly_score((const {y.dtype}_t *)(const void *)in);
    ((int32_t *)(void *)out)[0] = (int32_t)(score & 0x7fffffff);
    ((int32_t *)(void *)out)[1] = (int32_t)(score >> 31);
    ((int32_t *)(void *)out)[2] = score > ID_ANOMALY_LIMIT;
"""
        made.append((twin, graph_of([y]), call, [c.tobytes() for c in codes], twin.of({}, {"y": codes})))
    cases = []
    for twin, graph, call, sent, judged in made:
        want = [np.array([j.total & 0x7FFFFFFF, j.total >> 31, j.is_anomaly], np.int32).tobytes() for j in judged]
        cases.append(Case(twin, graph, call, sent, want))
    check(cpu, cases)


@pytest.mark.parametrize("keys", ['score = "reconstruction"', 'score = "distance"\nerror = "absolute"'])
def test_limits_are_learned_of_calibration_data_and_kept(keys: str, tmp_path: Path) -> None:
    after = parse_after(f'kind = "anomaly"\nquantile = 0.9\n{keys}', "after.toml")
    normal = data(50)
    model = compile_model(network(6), "host", normal, "behind", after=after)
    seen = simulate(model, normal).after
    assert sum(own.is_anomaly for own in seen) == 5
    assert all(own.is_anomaly for own in simulate(model, 30 * normal[:5] + 3).after)
    save(model, tmp_path)
    loaded = load(tmp_path)
    assert loaded.after == model.after
    assert simulate(loaded, normal).after == seen == run(loaded, normal).after


def test_what_calibration_is_to_say_is_missed() -> None:
    def refused(text: str, kind: type[Exception], size: int = 6) -> str:
        with pytest.raises(kind) as error:
            compile_model(network(size), "host", None, "behind", after=parse_after(text, "after.toml"))
        return str(error.value)

    anomaly = 'kind = "anomaly"\n'
    assert refused(anomaly, DataError) == (
        "after.toml: kind = 'anomaly': its quantile of normal data is learned; give --calibration with normal data, "
        "or a threshold"
    )
    assert refused(f'{anomaly}score = "distance"', DataError) == (
        "after.toml: kind = 'anomaly': means and deviations are learned; give --calibration with normal data"
    )
    assert refused(f"{anomaly}threshold = 1", ModelError, 4) == (
        "after.toml: input 'x' has 6 elements, output 'y' 4; a reconstruction has as many as its input: "
        'score = "distance" takes any'
    )
    assert refused(f'{anomaly}threshold = 1\ninput = "z"', ModelError) == (
        "after.toml: input = 'z': is no input of the model, which has 'x'"
    )
