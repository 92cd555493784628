"""Writes docs/exporters.md from examples/exporters/files.toml and measured.json.

python docs/make_exporters.py [--measure]
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent / "tests")]

from exported_files import EXPORTERS, Exported, exported, kept, measure  # noqa: E402

MEASURED = EXPORTERS / "measured.json"
INTRODUCTION = """\
# Files of other tools

Networks as the tools in the field write them, each made by a script in [examples/exporters](../examples/exporters),
and what their C computes beside what the tool itself does; `python docs/make_exporters.py` writes this page from
[files.toml](../examples/exporters/files.toml) and from what it measured. Tests compile each file, run the C, whose
every byte is the simulator's, and hold it to the figures here.

Files that have scales and zero points are compared in steps of their outputs: the largest difference, and how many
values of the recorded samples are equal. Of those without, whose ranges come from 12 samples here, the signal to
quantization noise is told, on 16. Where outputs are floats, it is the largest difference over the largest output.
"""


def row(file: Exported, found: Mapping[str, Any]) -> str:
    """A line of the table."""
    results = "; ".join(f"{scheme}: {result(found[scheme])}" for scheme in file.schemes)
    results += f" ({file.note})" if file.note else ""
    return f"| {file.name} | {file.tool} | {file.how} | {found['kept']} | {file.against} | {results} |"


def result(found: Mapping[str, Any]) -> str:
    """How near one scheme is."""
    if found["steps"] is None:
        return f"{found['error']:.1g}"
    if found["ranges"] != "given":
        labels = "" if found["labels"] is None else f", {100 * found['labels']:.0f} % of labels"
        return f"{found['db']:.0f} dB{labels}"
    return f"{found['steps']} step{'s' * (found['steps'] != 1)}, {100 * found['equal']:.0f} % equal"


def page(measured: Mapping[str, Any]) -> str:
    """The whole file."""
    table = tomllib.loads((EXPORTERS / "files.toml").read_text())
    return "\n".join([INTRODUCTION, *rows(measured), "", "## What cannot be exported", "", *refusals(table)]) + "\n"


def rows(measured: Mapping[str, Any]) -> Iterator[str]:
    """The table."""
    yield "| file | tool | how | kept of its quantization | against | C |"
    yield "|---|---|---|---|---|---|"
    for file in exported():
        yield row(file, measured[file.name])


def refusals(table: Mapping[str, Any]) -> Iterator[str]:
    """Where a tool has no way to ONNX."""
    yield "| tool | what | why |"
    yield "|---|---|---|"
    for entry in table.get("cannot", []):
        yield f"| {entry['tool']} | {entry['what']} | {entry['why']} |"


def measured_now() -> dict[str, Any]:
    """Every file in every scheme."""
    return {
        file.name: {
            "kept": kept(file),
            **{scheme: asdict(measure(file, scheme)[1]) for scheme in file.schemes},
        }
        for file in exported()
    }


if __name__ == "__main__":
    if "--measure" in sys.argv:
        MEASURED.write_text(json.dumps(measured_now(), indent=1) + "\n")
    (DOCS / "exporters.md").write_text(page(json.loads(MEASURED.read_text())))
