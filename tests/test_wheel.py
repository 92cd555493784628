"""What a user installs: the wheel, in a fresh environment away from the checkout, with all that it needs."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mcuq.version import __version__

CHECKOUT = Path(__file__).resolve().parent.parent

# Runs in the fresh environment, in an empty folder.
SCRIPT = """
import json, sys
import mcuq
from mcuq.artifact import load, save
from mcuq.compile import compile_model, dataset_for
from mcuq.resources import resource_dir
from mcuq.graph.simulate import quantize_inputs
from mcuq.validate import check_bits

digits = resource_dir("examples") / "digits"
model = compile_model(digits / "digits.onnx", "cortex-m4", str(digits / "digits_calibration.npz"))
save(model, "out")
model = load("out")
data = dataset_for(model.graph, str(digits / "digits_test.npz"))
batch = next(iter(data.batches(8)))
reports = [check_bits(model, iter([quantize_inputs(model.graph, batch)]), on) for on in ("emulator", "host")]
print(json.dumps({
    "package": mcuq.__file__,
    "resources": str(digits),
    "version": mcuq.__version__,
    "bit_exact": [report.bit_exact for report in reports],
    "samples": [report.samples for report in reports],
    "instructions": reports[0].instructions,
}))
"""


def run(*command: object, cwd: Path, **variables: str) -> str:
    """What the command prints; its complaint where it fails."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    ended = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=clean | variables, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, CHECKOUT, cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_its_resources_alone(wheel: Path) -> None:
    assert wheel.name == f"mcuq-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {"mcuq", f"mcuq-{__version__}.dist-info"}
    for folder in ("templates", "firmware", "boards", "examples/digits"):
        in_checkout = {
            path.relative_to(CHECKOUT).as_posix()
            for path in (CHECKOUT / folder).rglob("*")
            # What trains the example is for a checkout; what runs it is for everybody.
            if path.is_file() and "__pycache__" not in path.parts and path.name not in ("train.py", "requirements.txt")
        }
        in_wheel = {name.removeprefix("mcuq/data/") for name in names if name.startswith(f"mcuq/data/{folder}/")}
        assert in_wheel == in_checkout
    assert "mcuq/py.typed" in names
    assert not [name for name in names if name.endswith((".pyc", ".orig", ".swp"))]


@pytest.mark.slow
def test_the_installed_wheel_compiles_a_model_and_proves_it_bit_for_bit(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    run(scripts / "python", "-m", "pip", "install", "--quiet", "--no-compile", f"{wheel}[emulator]", cwd=tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    result = json.loads(run(scripts / "python", "-c", SCRIPT, cwd=empty))
    package = Path(result["package"]).resolve()
    assert package.is_relative_to((tmp_path / "venv").resolve())
    assert Path(result["resources"]).resolve() == package.parent / "data" / "examples" / "digits"
    assert result["version"] == __version__
    assert result["bit_exact"] == [True, True]
    assert result["samples"] == [8, 8]
    assert result["instructions"] > 100_000
    assert sorted(path.name for path in (empty / "out").iterdir()) == ["digits.c", "digits.h", "digits.mcuq"]
