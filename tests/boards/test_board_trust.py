"""A board file, or the one inside a compiled model, may be somebody else's: it names a CPU, never a program to run."""

import json
import zipfile
from pathlib import Path

import pytest
from golden.graphs import tiny
from support import model_of
from test_boards import TEXT, error_of

from mcuq.artifact import load, save
from mcuq.boards.facts import GCC_COMMANDS, GCC_FLAGS
from mcuq.boards.find import board_names, load_board
from mcuq.errors import ArtifactError

COMMANDS = ", ".join(GCC_COMMANDS)
FLAGS = ", ".join(GCC_FLAGS)


@pytest.mark.parametrize("gcc", ["sh", "./arm-none-eabi-gcc", "/tmp/arm-none-eabi-gcc", "arm-none-eabi-gcc -B."])
def test_a_compiler_that_is_not_in_the_list_is_refused(tmp_path: Path, gcc: str) -> None:
    text = TEXT.replace("arm-none-eabi-gcc", gcc)
    assert error_of(tmp_path, text) == f"mine.toml [cpu]: gcc has '{gcc}', must be from: {COMMANDS}"


@pytest.mark.parametrize(
    "flag",
    [
        "-fplugin=./evil.so",
        "-wrapper",
        "-B.",
        "-specs=evil.specs",
        "@arguments",
        "evil.c",
        "-Wl,-plugin,evil.so",
        "-o/home/me/.profile",
        "-include/etc/passwd",
        "-mllvm",
        "-mcpu=../../evil",
        "-mcpu=",
        "-mthumb=yes",
    ],
)
def test_a_flag_that_does_not_name_a_cpu_is_refused(tmp_path: Path, flag: str) -> None:
    text = TEXT.replace('"-mthumb"', f'"{flag}"')
    message = f"mine.toml [cpu]: gcc_flags has '{flag}'; allowed are flags that name a CPU: {FLAGS}"
    assert error_of(tmp_path, text) == message


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("cpu", "target", "-fplugin=./evil.so"),
        ("cpu", "zig_cpu", "cortex_m4 -B."),
        ("cpu", "core", "../cortex-m4"),
        ("cpu", "unicorn_model", "/evil"),
        ("cpu", "qemu_machine", "virt,dumpdtb=/home/me/.profile"),
        ("qemu", "machine", "virt,dumpdtb=/home/me/.profile"),
        ("flash", "chip", "--before"),
        ("flash", "target", "--script"),
        ("flash", "mcu", "-x y"),
    ],
)
def test_a_name_that_other_programs_would_take_for_more_is_refused(
    tmp_path: Path, table: str, key: str, value: str
) -> None:
    text = TEXT
    for name in ("target", "zig_cpu", "core"):
        if (table, key) == ("cpu", name):
            text = "\n".join(line for line in text.splitlines() if not line.startswith(f"{name} "))
    if table == "cpu":
        text = text.replace("[cpu]", f'[cpu]\n{key} = "{value}"')
    else:
        text += f'[{table}]\n{key} = "{value}"\n' + ('method = "pyocd"\n' if table == "flash" else "")
    assert error_of(tmp_path, text) == (
        f"mine.toml [{table}]: {key} = '{value}' must be one word of letters, digits and . _ + -, "
        "beginning with none of . + -"
    )


def test_a_path_that_looks_like_an_option_is_refused(tmp_path: Path) -> None:
    text = TEXT + '[flash]\nmethod = "mcuboot"\nkey = "--version"\n'
    message = "mine.toml [flash]: key = '--version' must be a path; write ./ before a name that begins with -"
    assert error_of(tmp_path, text) == message


def test_the_emulator_of_a_board_is_one_of_qemus(tmp_path: Path) -> None:
    text = TEXT + '[qemu]\nmachine = "virt"\nsystem = "/../../tmp/evil"\n'
    assert error_of(tmp_path, text) == "mine.toml [qemu]: system has '/../../tmp/evil', must be from: arm, riscv32"


def test_mcuqs_own_boards_name_only_what_is_allowed() -> None:
    assert {load_board(name).cpu.gcc for name in board_names()} <= set(GCC_COMMANDS)


def test_a_compiled_model_cannot_name_a_program_either(tmp_path: Path) -> None:
    (path,) = [path for path in save(model_of(tiny(), "cortex-m4", "tiny"), tmp_path) if path.suffix == ".mcuq"]
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(found["manifest.json"])
    manifest["board"] = manifest["board"].replace('"arm-none-eabi-gcc"', '"sh"')
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (found | {"manifest.json": json.dumps(manifest).encode()}).items():
            archive.writestr(name, data)
    with pytest.raises(ArtifactError) as caught:
        load(tmp_path)
    assert str(caught.value) == f"{path}: is damaged (BoardError); compile the model again"
