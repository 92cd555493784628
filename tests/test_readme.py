"""The README stays true: its commands, its C and its Python are run as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mcuq.importer.flatten import RULES
from mcuq.importer.transformers import TRANSFORMERS
from mcuq.ops import FROM_ONNX, OPS
from mcuq.ops.clip import Clip
from mcuq.ops.function import Function
from mcuq.ops.rescale import Rescale

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def block(mark: str, language: str) -> str:
    """The fenced blocks behind the comment `mark`, one after the other."""
    found = re.findall(rf"<!-- {re.escape(mark)} -->\n```{language}\n(.*?)```", README, re.DOTALL)
    assert found, mark
    return "".join(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the examples in it, in which the shell block has run."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "examples", folder / "examples")
    run(folder, "bash", "-euo", "pipefail", "-c", block("a test runs these commands", "sh"))
    return folder


def run(folder: Path, *command: str) -> str:
    # The `mcuq` of this Python, not one that happens to be on PATH.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_the_commands_run(folder: Path) -> None:
    assert {"digits.c", "digits.h", "digits.mcuq"} <= {path.name for path in (folder / "build" / "digits").iterdir()}
    assert (folder / "build" / "digits_int4" / "digits_qdq.onnx").is_file()


@pytest.mark.toolchain
def test_the_commands_for_a_board_run_with_an_emulated_one(folder: Path) -> None:
    lines = block("a test runs these commands, the second in the background", "sh").splitlines()
    compiling, emulating, *using = (line.partition("#")[0].split() for line in lines)
    run(folder, *compiling)
    mcuq = str(Path(sys.executable).parent / emulating[0])
    with subprocess.Popen([mcuq, *emulating[1:]], cwd=folder, stdout=subprocess.PIPE, text=True) as machine:
        try:
            assert machine.stdout is not None
            port = re.search(r"/dev/\S+", machine.stdout.readline())
            assert port is not None
            said = [run(folder, *(port[0] if word == "PORT" else word for word in command)) for command in using]
        finally:
            machine.terminate()
    assert "checked and started" in said[0]
    assert "bit-exact: 5,000 of 5,000 output bytes equal" in said[1]


@pytest.mark.slow
def test_the_c_program_compiles_and_answers_with_a_digit(folder: Path) -> None:
    (folder / "main.c").write_text(block("a test compiles and runs this program", "c"))
    flags = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-Ibuild/digits", "-o", "main"]
    run(folder, "gcc", "main.c", "build/digits/digits.c", *flags)
    assert subprocess.run([folder / "main"], check=False).returncode in range(10)


@pytest.mark.slow
def test_the_python_code_runs(folder: Path) -> None:
    assert "(100, 1, 10)" in run(folder, sys.executable, "-c", block("a test runs this code", "python"))


def test_the_two_set_up_commands_are_there_once() -> None:
    assert README.count("pip install '.[emulator]' && mcuq demo\n") == 1
    assert README.count("pip install '.[dev]' && pytest\n") == 1


def test_the_ci_script_calls_the_readmes_test_command() -> None:
    assert "pip install '.\\[dev\\]' && pytest" in (ROOT / ".ci" / "run").read_text()


def test_every_file_that_the_readme_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_readme_links_to_the_page_that_lists_every_operator() -> None:
    row = next(line for line in README.splitlines() if line.startswith("| import |"))
    assert "](docs/operators.md)" in row
    page = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    before_layers = page[: page.index("## Layers")]
    # ONNX Runtime's operators have rows of their own; one of them is in ONNX's domain.
    assert {*FROM_ONNX, *(key[1] for key in RULES if key[0] or key in TRANSFORMERS)} == set(
        re.findall(r"^\| ([A-Z]\w+) \|", before_layers, re.MULTILINE)
    )
    assert {name for domain, name in RULES if not domain} <= set(re.findall(r"\w+", before_layers))
    (stated,) = re.findall(r"over (\d+) operators", row)
    assert int(stated) < len(FROM_ONNX) + len(RULES) < int(stated) + 50


def test_the_page_of_operators_is_what_the_tables_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    from make_operators import page

    written = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    assert page() == written, "write it anew: python docs/make_operators.py"


def test_the_page_of_functions_states_each_ones_units() -> None:
    page = (ROOT / "docs" / "functions.md").read_text()
    stated = {}
    for names, units in re.findall(r"^\| ([A-Z][\w, ]+) \| (\d[\d.]*)", page, re.MULTILINE):
        stated |= dict.fromkeys(names.split(", "), float(units))
    functions = {op.__name__: op.units for op in OPS.values() if issubclass(op, Function) and op is not Rescale}
    assert stated == functions | {"Relu": Clip.units}
