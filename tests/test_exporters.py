"""Files of other tools: compiled, their C run, and their outputs held to what the table says of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from exported_files import EXPORTERS, FILES, Exported, Measured, exported, kept, measure, recorded
from onnx_models import original_outputs

import mcuq

sys.path.append(str(Path(__file__).resolve().parents[1] / "docs"))
from make_exporters import MEASURED, page

# One of each kind; all others are `slow`.
QUICK = ("ort_qdq_int8.onnx", "ort_qoperator_uint8.onnx")
FIGURES: dict[str, Any] = json.loads(MEASURED.read_text())
CASES = [
    pytest.param(
        file, scheme, id=f"{file.stem}-{scheme}", marks=[] if file.name in QUICK and not i else [pytest.mark.slow]
    )
    for file in exported()
    for i, scheme in enumerate(file.schemes)
]


@pytest.mark.parametrize(("file", "scheme"), CASES)
def test_the_c_of_a_file_computes_what_its_tool_does(file: Exported, scheme: str) -> None:
    found = compare(file, scheme, FILES)
    assert kept(file) == FIGURES[file.name]["kept"]
    if found.ranges == "given":
        assert found.steps == FIGURES[file.name][scheme]["steps"]


def compare(file: Exported, scheme: str, folder: Path) -> Measured:
    """C against simulator, and that against the tool: as the table says and no worse."""
    stated = Measured(**FIGURES[file.name][scheme])
    model, found = measure(file, scheme, folder)
    assert found.ranges == stated.ranges
    assert at_most(found.steps, stated.steps)
    # What is computed in floats before it is rounded differs a little between computers, and so do ranges found here.
    assert at_most(stated.equal, found.equal, 0.02)
    assert at_most(stated.db, found.db, 1 if found.ranges == "given" else 2)
    assert at_most(found.error, stated.error, stated.error or 0)
    assert at_most(stated.labels, found.labels)
    inputs, _ = recorded(folder / file.name)
    assert mcuq.run(model, {name: x[::5] for name, x in inputs.items()}, on="host").report.bit_exact
    return found


def at_most(a: float | None, b: float | None, slack: float = 0) -> bool:
    """Whether a figure is no larger than another, of which neither or both are known."""
    if a is None or b is None:
        return a is b
    return a <= b + slack


def test_the_page_is_that_of_the_committed_facts() -> None:
    assert (Path(__file__).resolve().parents[1] / "docs" / "exporters.md").read_text() == page(FIGURES)


def test_every_file_has_its_row_and_its_script() -> None:
    rows = {file.name for file in exported()}
    assert rows == {path.name for path in FILES.iterdir() if path.suffix != ".npz"}
    assert {Path(name).stem for name in rows} == {path.stem for path in FILES.glob("*.npz")}
    assert all((EXPORTERS / file.script).is_file() for file in exported())
    assert sum(path.stat().st_size for path in FILES.iterdir()) < 720_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    ["onnxruntime_static.py", "onnxruntime_dynamic.py", pytest.param("pytorch.py", marks=pytest.mark.toolchain)],
)
def test_a_script_writes_such_files_again(script: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXPORTERS / script), str(tmp_path)],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for file in exported():
        if file.script == script:
            if script == "pytorch.py":
                record_onnx_runtimes(tmp_path / file.name)
            compare(file, file.schemes[0], tmp_path)


def record_onnx_runtimes(path: Path) -> None:
    """Beside the file, what ONNX Runtime computes of it instead of its tool: sums of uint8 by int8 saturate in
    PyTorch on x86 CPUs without VNNI."""
    inputs, outputs = recorded(path)
    proto, (name,) = onnx.load(path), outputs
    rows = [original_outputs(proto, {"image": x[None]})[name] for x in inputs["image"]]
    assert np.abs(np.concatenate(rows) - outputs[name]).max() < 0.1 * np.abs(outputs[name]).max()
    np.savez(path.with_suffix(".npz"), **{"in:image": inputs["image"], f"out:{name}": np.concatenate(rows)})
