"""Methods that run a program of others: the real one reads its command line, a stand-in notes what it was given."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from device.flash.firmwares import firmware

from mcuq.device.flash.esptool import EspTool
from mcuq.device.flash.pyocd import PyOcd
from mcuq.errors import BoardError, BuildError, DeviceError
from mcuq.system import tool as programs
from mcuq.system.tool import program, run_program

STAND_IN = """
import json, pathlib, sys
arguments = sys.argv[1:]
files = {a: pathlib.Path(a).read_bytes().hex() for a in arguments if a.endswith(".bin")}
with open(LOG, "a") as log:
    log.write(json.dumps([[a for a in arguments if a not in files], list(files.values())]) + "\\n")
"""


class StandIn:
    """A Python program in place of a tool; `calls` are (arguments without files, contents of the files)."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
        self._log = folder / "calls"
        script = folder / "tool.py"
        script.write_text(STAND_IN.replace("LOG", repr(str(self._log))))
        monkeypatch.setattr(f"{where}.program", lambda *names: (sys.executable, str(script)))

    @property
    def calls(self) -> list[tuple[list[str], list[bytes]]]:
        lines = self._log.read_text().splitlines()
        return [(arguments, [bytes.fromhex(f) for f in files]) for arguments, files in map(json.loads, lines)]


def test_esptool_writes_the_image_at_the_offset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = StandIn(tmp_path, monkeypatch, "mcuq.device.flash.esptool")
    code = firmware(3000)
    done: list[int] = []
    EspTool({"chip": "esp32c3", "offset": 0x10000}).flash(code, "/dev/ttyUSB0", lambda task, total: done.append)
    given = ["--chip", "esp32c3", "--port", "/dev/ttyUSB0", "--baud", "460800", "write_flash", "0x10000"]
    assert tool.calls == [(given, [code.image])]
    assert done == [3000]


@pytest.mark.parametrize(("port", "probe"), [("auto", []), ("0240", ["--uid", "0240"])])
def test_pyocd_loads_at_the_address_and_resets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: str, probe: list[str]
) -> None:
    tool = StandIn(tmp_path, monkeypatch, "mcuq.device.flash.pyocd")
    code = firmware(1000, address=0x1000)
    PyOcd({"target": "nrf52840"}).flash(code, port)
    load = ["load", "--no-wait", "--target", "nrf52840", *probe, "--format", "bin", "--base-address", "0x1000"]
    assert tool.calls == [(load, [code.image]), (["reset", "--no-wait", "--target", "nrf52840", *probe], [])]


def test_pyocd_needs_the_target() -> None:
    with pytest.raises(BoardError) as error:
        PyOcd({}).flash(firmware(4), "auto")
    assert str(error.value) == ("board 'mps2-an386': [flash] target is missing; pyocd list --targets shows their names")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "package", "arguments"),
    [
        (
            "pyocd",
            "pyocd",
            ["load", "--no-wait", "--target", "nrf52840", "--uid", "1", "--format", "bin", "--base-address", "0x0"],
        ),
        ("pyocd", "pyocd", ["reset", "--no-wait", "--target", "nrf52840", "--uid", "1"]),
        ("esptool", "esptool", ["--chip", "esp32c3", "--port", "none", "--baud", "460800", "write_flash", "0x0"]),
    ],
)
def test_the_real_tools_take_the_options(module: str, package: str, arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "firmware.bin").write_bytes(bytes(16))
    files = [str(tmp_path / "firmware.bin")] if arguments[0] != "reset" else []
    command = [*program(module, module, package), *arguments, *files]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    said = (ended.stdout + ended.stderr).lower()
    # It gets as far as looking for the probe or the port.
    assert ("probe" in said or "debug" in said) if module == "pyocd" else "could not open none" in said, said
    assert "unrecognized" not in said
    assert "no such option" not in said


def test_a_missing_tool_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(programs.shutil, "which", lambda name: None)
    with pytest.raises(BuildError) as error:
        program("esptool", "esptool.py", "esptool")
    assert str(error.value) == "esptool.py: is not installed; pip install esptool"


def test_a_tool_in_path_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(programs.shutil, "which", lambda name: f"/bin/{name}")
    assert program("esptool", "esptool.py", "esptool") == ("/bin/esptool.py",)


def test_a_failing_tool_ends_with_its_last_lines() -> None:
    script = "import sys\nfor i in range(9): print('line', i)\nprint()\nsys.exit('no probe')"
    with pytest.raises(DeviceError) as error:
        run_program([sys.executable, "-c", script], "pyocd load", 30)
    assert str(error.value) == (
        "pyocd load: ended with 1:\n  line 4\n  line 5\n  line 6\n  line 7\n  line 8\n  no probe"
    )


def test_a_tool_that_hangs_is_ended() -> None:
    with pytest.raises(DeviceError) as error:
        run_program([sys.executable, "-c", "import time; time.sleep(60)"], "esptool", 0.5)
    assert str(error.value) == "esptool: did not end within 0.5 s; unplug the board, plug it in and retry"
