"""What is behind a model with states begins anew with each sequence."""

from __future__ import annotations

import numpy as np
import pytest
from state_models import FEATURES, recurrent

from mcuq.after.read import parse_after
from mcuq.api import run, simulate
from mcuq.compile import CompiledModel, compile_model

TEXT = 'kind = "decision"\nscores = "softmax"\naverage = 3\nthreshold = 0.35\noutput = "y"\n'


def sequences(count: int, calls: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(count)
    return [{"x": rng.normal(0, 2, (calls, 1, 1, FEATURES)).astype(np.float32)} for _ in range(count)]


def compiled(text: str) -> CompiledModel:
    after = parse_after(text, "after.toml")
    return compile_model(recurrent("GRU"), "host", sequences(4, 20), "gru", after=after, states={"h": "h_out"})


def test_a_decision_begins_anew_with_each_sequence() -> None:
    model = compiled(TEXT)
    data = sequences(3, 40)
    found = simulate(model, data).after
    assert len(found) == 120
    alone = [own for part in data for own in simulate(model, [part]).after]
    assert found == alone == run(model, data, "host").after
    twin = model.twin()
    assert twin is not None
    codes = simulate(model, data).integers
    assert list(twin.of({}, codes)) != found  # as one stream
    assert sum(own.index >= 0 for own in found) > 2


@pytest.mark.parametrize("error", ["squared", "absolute"])
def test_distances_are_learned_along_sequences(error: str) -> None:
    model = compiled(f'kind = "anomaly"\nscore = "distance"\nquantile = 0.95\nerror = "{error}"\noutput = "y"\n')
    seen = simulate(model, sequences(4, 20)).after
    assert 0 < sum(own.is_anomaly for own in seen) <= 12
