"""docs/after.md stays true: its files are read and fit models, its keys are all that there are."""

from __future__ import annotations

import re

import numpy as np
import pytest
from behind import bound, emitted, graph_of, tensor

from mcuq.after.read import KEYS, KINDS
from mcuq.resources import resource_dir

PAGE = (resource_dir("docs") / "after.md").read_text()
EXAMPLES = re.findall(r"<!-- a test reads this -->\n```toml\n(.*?)```", PAGE, re.DOTALL)
LABELS = "".join(f"{i}\n" for i in range(10))
GRAPHS = {
    "anomaly": graph_of([tensor("y", (10,), 0.1)], [tensor("x", (10,), 0.1)]),
    "classes": graph_of([tensor("y", (10,), 0.1)]),
    "decision": graph_of([tensor("y", (4,), 0.1)]),
}
LEARNED = {"anomaly": {"limit": 100}}


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_are_read_and_make_files(text: str) -> None:
    kind = re.findall(r'kind = "(\w+)"', text)[0]
    twin = bound(text, GRAPHS[kind], {"labels.txt": LABELS}, LEARNED.get(kind))
    assert emitted(twin, GRAPHS[kind], "stub").files
    given = {t: np.zeros((3, *GRAPHS[kind].tensors[t].shape), np.int8) for t in GRAPHS[kind].tensors}
    twin.begin()
    assert len(twin.of(given, given)) == 3


def test_every_key_and_kind_is_in_a_table() -> None:
    told = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", PAGE, re.MULTILINE))))
    assert {key for keys in KEYS.values() for key in keys} <= told
    assert set(re.findall(r"^## (\w+):", PAGE, re.MULTILINE)) == set(KINDS)
    assert set(KINDS) - {"floats"} == {re.findall(r'kind = "(\w+)"', text)[0] for text in EXAMPLES}
