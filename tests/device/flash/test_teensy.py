"""Teensy's loader is a program: a stand-in in PATH notes what it was given."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest
from device.flash.firmwares import firmware

from mcuq.device.flash.teensy import Teensy, intel_hex
from mcuq.errors import BoardError, BuildError

STAND_IN = """#!{python}
import json, pathlib, sys
*arguments, path = sys.argv[1:]
pathlib.Path({log!r}).write_text(json.dumps([arguments, pathlib.Path(path).name, pathlib.Path(path).read_text()]))
"""


def bytes_of_hex(text: str) -> dict[int, int]:
    """Address -> byte, read with Intel's own rules: every record's sum is 0; type 4 has the upper half of addresses."""
    found: dict[int, int] = {}
    upper = 0
    for line in text.split():
        record = bytes.fromhex(line.removeprefix(":"))
        assert sum(record) % 256 == 0
        n_bytes, low, kind, data = record[0], int.from_bytes(record[1:3], "big"), record[3], record[4:-1]
        assert len(data) == n_bytes
        if kind == 4:
            upper = int.from_bytes(data, "big") << 16
        elif kind == 0:
            found |= {upper + low + i: byte for i, byte in enumerate(data)}
        else:
            assert (kind, data) == (1, b"")
    return found


def test_the_loader_gets_the_image_at_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, tool = tmp_path / "log", tmp_path / "teensy_loader_cli"
    tool.write_text(STAND_IN.format(python=sys.executable, log=str(log)))
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    code = firmware(70_000, address=0x6000_0000)
    done: list[int] = []
    Teensy({"mcu": "TEENSY41"}).flash(code, "auto", lambda task, total: done.append)
    arguments, name, text = json.loads(log.read_text())
    assert (arguments, name) == (["--mcu=TEENSY41", "-w", "-v"], "firmware.hex")
    assert bytes_of_hex(text) == {0x6000_0000 + i: byte for i, byte in enumerate(code.image)}
    assert done == [70_000]


def test_intel_hex_of_three_bytes() -> None:
    assert intel_hex(b"\x01\x02\x03", 0x6000_0000).split() == [":0200000460009A", ":03000000010203F7", ":00000001FF"]


def test_a_missing_loader_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError) as error:
        Teensy({"mcu": "TEENSY41"}).flash(firmware(4), "auto")
    assert str(error.value) == (
        "teensy_loader_cli: is not installed; install Debian's teensy-loader-cli or Homebrew's teensy_loader_cli, or "
        "build it: github.com/PaulStoffregen/teensy_loader_cli"
    )


def test_the_loader_takes_no_port() -> None:
    with pytest.raises(BoardError) as error:
        Teensy({"mcu": "TEENSY41"}).flash(firmware(4), "/dev/ttyACM0")
    assert str(error.value) == (
        "--port /dev/ttyACM0: teensy_loader_cli takes the board whose button is pressed; give --port auto"
    )


def test_the_board_must_say_which_teensy_it_is() -> None:
    with pytest.raises(BoardError) as error:
        Teensy({}).flash(firmware(4), "auto")
    assert str(error.value) == (
        "board 'mps2-an386': [flash] mcu is missing; teensy_loader_cli --list-mcus shows their names"
    )
