"""ONNX's backend tests: what benchmarks/conformance.md says of each is so."""

from __future__ import annotations

import pytest
from conformance import KINDS, RESULTS, cases, compiled, of_floats, outcome, read_table, run, table
from many_layers import unsearched_memory
from support import beside, model_of

from mcuq.validate import check_bits

__all__ = ["unsearched_memory"]

PARTS = 8  # of all cases, for both cores
COMPILED = 8  # one of so many is compiled


def test_the_table_is_read_back_as_it_was_written() -> None:
    found = run([case for case in cases("simple") if "sign" in case.name or "gradient" in case.name], 1)
    assert read_table(table(found, frozenset())) == {
        f"{kind}/{name}": outcome(results) for kind, name, results in found
    }
    assert {outcome(results) for _, _, results in found} == {"pass", "refused"}


def test_the_goals_are_reached() -> None:
    """None is wrong and none ends with a traceback."""
    found = read_table(RESULTS.read_text(encoding="utf-8"))
    assert set(found.values()) <= {"pass", "int8 beyond", "int8 refused", "refused"}
    assert sum(v != "refused" for name, v in found.items() if name.startswith("pytorch-")) >= 105
    assert sum(v != "refused" for name, v in found.items() if name.startswith("node/")) >= 900


def test_most_of_floats_pass() -> None:
    """Of operators that networks are made of; what is left trains, or is DeformConv and Mod of floats without fmod."""
    found = read_table(RESULTS.read_text(encoding="utf-8"))
    floats = of_floats(cases("node"))
    assert sum(found[f"node/{name}"] != "refused" for name in floats) >= 640


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_every_case_is_as_the_table_says(part: int) -> None:
    """What passed passes; what passes now is entered by running benchmarks/conformance.py."""
    wanted = read_table(RESULTS.read_text(encoding="utf-8"))
    every = [case for kind in KINDS for case in cases(kind)]
    found = {f"{k}/{n}": outcome(results) for k, n, results in run(every[part::PARTS], 1)}
    assert found == {name: wanted.get(name) for name in found}
    assert {f"{case.kind}/{case.name}" for case in every} == set(wanted)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["float32", "int8"])
def test_the_c_of_some_gives_the_simulators_bytes(scheme: str) -> None:
    passed = [name for name, verdict in read_table(RESULTS.read_text(encoding="utf-8")).items() if verdict == "pass"]
    chosen = set(passed[::COMPILED])
    found = [compiled(case, scheme) for kind in KINDS for case in cases(kind) if f"{kind}/{case.name}" in chosen]
    assert len(found) == len(chosen)
    found = [(graph, sample) for graph, sample in found if all(x.size for x in sample.values())]
    inputs = {f"g{i}_{name}": x for i, (_, sample) in enumerate(found) for name, x in sample.items()}
    report = check_bits(model_of(beside([graph for graph, _ in found]), "host"), iter([inputs]), "host")
    assert report.first_mismatch is None, report.first_mismatch
    assert report.compared_bytes > 0
