"""mcuq compile --step and --step-cycles, and the verbs on what they wrote."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mcuq.cli import main
from mcuq.resources import resource_dir

DIGITS = resource_dir("examples") / "digits"
DATA = DIGITS / "digits_calibration.npz"
DOCS = Path(__file__).parents[2] / "docs"


def compiled(*arguments: object) -> Result:
    return call(
        "compile", DIGITS / "digits.onnx", "--calibration", DATA, "--board", "cortex-m4", "--no-judge", *arguments
    )


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def test_steps_are_told(tmp_path: Path) -> None:
    told = compiled("--step-cycles", 3000, "-o", tmp_path)
    assert told.exit_code == 0
    (line,) = [line for line in told.stdout.splitlines() if line.startswith("  steps ")]
    found = re.fullmatch(r"  steps +(\d+) of about ([\d,]+) cycles at most \((\S+)\), ([\d,]+) in all", line)
    assert found is not None
    said = json.loads(compiled("--step-cycles", 3000, "-o", tmp_path, "--json").stdout)["steps"]
    assert (said["count"], said["worst"], said["total"]) == tuple(int(found[i].replace(",", "")) for i in (1, 2, 4))
    assert (said["unit"], said["worst_layer"], said["asked"]) == ("cycles", found[3], 3000)
    for own in said["too_long"]:
        assert f"          {own['layer']} takes about {own['takes']:,} and cannot be cut further\n" in told.stdout


def test_a_step_of_no_cycles_is_no_option(tmp_path: Path) -> None:
    refused = compiled("--step-cycles", 0, "-o", tmp_path)
    assert refused.exit_code == 2
    assert "0 is not in the range x>=1" in refused.stderr


@pytest.mark.slow
def test_every_verb_takes_the_model(tmp_path: Path) -> None:
    assert compiled("--step", "-o", tmp_path).exit_code == 0
    for verb, *given in (["run", "--on", "host"], ["run"], ["profile"], ["inspect"], ["simulate", "--data", DATA]):
        done = call(verb, tmp_path, *given, "--json")
        assert done.exit_code == 0, done.output
        assert verb != "run" or json.loads(done.stdout)["samples"] == 8
    said = json.loads(call("profile", tmp_path, "--json").stdout)["steps"]
    told = call("profile", tmp_path).stdout
    most = f"{said['instructions']['most']:,} instructions, {said['cycles']['most']:,} cycles at most; stated are "
    assert f"  steps   {said['count']:>9,} of {most}" in told


@pytest.mark.slow
def test_the_documented_loop_runs(tmp_path: Path) -> None:
    assert compiled("--step-cycles", 3000, "--name", "digits", "-o", tmp_path).exit_code == 0
    text = (DOCS / "steps.md").read_text()
    loop = text[text.index("    ID_reset();") : text.index("\n\n`ID_step(budget)` does units")].replace(
        "ID_", "digits_"
    )
    (tmp_path / "main.c").write_text(
        '#include "digits.h"\n'
        "static int left = 3, turns, first, now;\n"
        "static void other_work(void) { turns++; }\n"
        "static void read_sample(int8_t *x) { for (int8_t i = 0; i < DIGITS_INPUT_ELEMENTS; i++) x[i] = i; }\n"
        "static void use(const int8_t *y) { now = y[0]; first = left == 3 ? now : first; left--; }\n"
        f"int main(void) {{\n{loop.replace('for (;;)', 'while (left > 0)')}\n"
        "    return left == 0 && turns > 6 && now == first ? 0 : 1;\n}\n"
    )
    cc = shutil.which("cc") or "gcc"
    command = [cc, "-Wall", "-Wextra", "-Wconversion", "-Werror", "main.c", "digits.c", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"], check=False).returncode == 0
