"""docs/after.md stays true: its files are read and fit models, its keys are all that there are."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from behind import DIGEST, bound, emitted, graph_of, tensor
from front_end_c import Probe

from mcuq.after.read import KEYS, KINDS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "after.md").read_text()
EXAMPLES = re.findall(r"<!-- a test reads this -->\n```toml\n(.*?)```", PAGE, re.DOTALL)
LABELS = "".join(f"{i}\n" for i in range(10))
GRAPHS = {
    "anomaly": graph_of([tensor("y", (10,), 0.1)], [tensor("x", (10,), 0.1)]),
    "classes": graph_of([tensor("y", (10,), 0.1)]),
    "decision": graph_of([tensor("y", (4,), 0.1)]),
    "fomo": graph_of([tensor("y", (8, 8, 3), 1 / 256, -128)]),
    "ssd": graph_of([tensor("offsets", (2, 4), 0.1), tensor("classes", (2, 3), 0.1)]),
    "yolov5": graph_of([tensor("y", (60, 7), 1 / 32768, 0, "int16")]),
    "yolov8": graph_of([tensor("y", (66, 8, 8), 0.1), tensor("z", (66, 4, 4), 0.1)]),
}
LEARNED = {"anomaly": {"limit": 100}}


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_are_read_and_make_files(text: str) -> None:
    kind = re.findall(r'kind = "(\w+)"', text)[0]
    twin = bound(
        text, GRAPHS[kind], {"labels.txt": LABELS, "anchors.txt": "0.5 0.5 1 1\n.2 .3 .1 .1\n"}, LEARNED.get(kind)
    )
    assert emitted(twin, GRAPHS[kind], "stub").files
    given = {name: np.zeros((3, *t.shape), t.dtype) for name, t in GRAPHS[kind].tensors.items()}
    twin.begin()
    assert len(twin.of(given, given)) == 3


def test_the_c_is_one_that_compiles() -> None:
    (code,) = re.findall(r"```c\n(.*?)```", PAGE, re.DOTALL)
    graph = graph_of([tensor("y", (10,), 0.1)])
    files = emitted(bound(EXAMPLES[0], graph, {"labels.txt": LABELS}), graph, "digits").files
    files["digits.h"] = f"""#include <stddef.h>
#include <stdint.h>
#define DIGITS_DIGEST {DIGEST:#x}u
void digits_run(const int8_t *input, int8_t *output);
"""
    head, _, body = code.partition("\n\n")
    program = f"""#include "digits_after.h"
static const char *said;
#define puts(text) (said = (text))
void digits_run(const int8_t *input, int8_t *output) {{ output[3] = input[0]; }}
static void probe(const int8_t *input, int8_t *output)
{{
{head}
{body}
output[0] = said[0];
}}
"""
    assert Probe("host", program, (4, 12), files).run([bytes([100, 0, 0, 0])])[0][:1] == b"3"


def test_every_key_and_kind_is_in_a_table() -> None:
    told = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", PAGE, re.MULTILINE))))
    assert {key for keys in KEYS.values() for key in keys} <= told
    assert set(",".join(re.findall(r"^## ([\w, ]+):", PAGE, re.MULTILINE)).replace(" ", "").split(",")) == set(KINDS)
    assert set(KINDS) - {"floats"} == {re.findall(r'kind = "(\w+)"', text)[0] for text in EXAMPLES}
