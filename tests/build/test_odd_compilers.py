"""Compilers that are broken, hang or speak in other tongues, and disks without room: one line each, no traceback."""

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mcuq.boards.find import load_board
from mcuq.build import compiler as build
from mcuq.build.compiler import target_compiler
from mcuq.build.host_program import HostModel, build_host
from mcuq.build.target import build_target
from mcuq.errors import BuildError
from mcuq.system.work_folder import work_folder

F = {"f.c": "int f(void); int f(void) { return 1; }\n"}


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str | bytes], None]:
    """Makes a script the only arm-none-eabi-gcc and cc."""
    folder = tmp_path / "bin"
    folder.mkdir()
    build._output_of.cache_clear()
    monkeypatch.chdir(folder)  # one of the scripts writes into a file, asked for its version
    monkeypatch.setenv("MCUQ_CC", "gcc")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(script: str | bytes) -> None:
        for name in ("arm-none-eabi-gcc", "cc"):
            path = folder / name
            path.write_bytes(script.encode() if isinstance(script, str) else script)
            path.chmod(0o755)

    return make


def error_of_target() -> str:
    with pytest.raises(BuildError) as caught:
        build_target(F, "f", [], load_board("cortex-m4"))
    return str(caught.value)


NAME = "arm-none-eabi-gcc of unknown version"


def test_a_compiler_that_writes_nothing(compiler: Callable[[str], None]) -> None:
    compiler("#!/bin/sh\nexit 0\n")
    assert error_of_target() == f"{NAME} wrote no program and reported no error; install another compiler"


def test_a_compiler_that_writes_something_else(compiler: Callable[[str], None]) -> None:
    compiler('#!/bin/sh\n[ "$1" = --version ] && exit\nwhile [ $# -gt 1 ]; do shift; done\necho hello > "$1"\n')
    assert error_of_target() == f"{NAME} wrote no ELF program for cortex-m4; install another"


def test_a_compiler_that_speaks_no_utf_8(compiler: Callable[[str], None]) -> None:
    compiler("#!/bin/sh\nprintf 'Fehler: \\374bel\\n'\nprintf 'f.c: \\374bel\\n' >&2\nexit 1\n")
    assert error_of_target() == f"{NAME} refuses the sources:\n  f.c: \ufffdbel"


def test_a_compiler_that_says_nothing(compiler: Callable[[str], None]) -> None:
    compiler("#!/bin/sh\nexit 7\n")
    assert error_of_target() == f"{NAME} refuses the sources"


def test_a_compiler_that_hangs(compiler: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    compiler('#!/bin/sh\n[ "$1" = --version ] || sleep 600\n')
    monkeypatch.setattr(build, "LIMIT_S", 0.5)
    assert error_of_target() == f"{NAME} did not end within 0.5 s; install another compiler"


def test_a_compiler_that_hangs_when_asked_who_it_is(
    compiler: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler("#!/bin/sh\nsleep 600\n")
    monkeypatch.setattr(build, "_VERSION_LIMIT_S", 0.5)
    assert error_of_target() == "arm-none-eabi-gcc did not end within 0.5 s; install another compiler"


def test_a_compiler_that_is_no_program(compiler: Callable[[bytes], None]) -> None:
    compiler(b"\0\1\2")
    assert error_of_target() == "arm-none-eabi-gcc cannot be run: Exec format error; install another compiler"
    assert target_compiler(load_board("cortex-m4")) is None


def test_a_compiler_whose_programs_cannot_be_run(compiler: Callable[[str], None]) -> None:
    compiler('#!/bin/sh\nwhile [ $# -gt 1 ]; do shift; done\nprintf "\\001\\002" > "$1"\nchmod +x "$1"\n')
    with build_host(F, HostModel("f", (1,), (1,))) as program, pytest.raises(BuildError) as caught:
        program.run([b"x"])
    assert str(caught.value) == (
        "'f' on the host: cannot be run: Exec format error; it was built by cc of unknown version with "
        "AddressSanitizer and UBSan"
    )


# --- disks -----------------------------------------------------------------------------------------------------


def test_a_folder_for_temporary_files_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    monkeypatch.setattr(tempfile, "tempdir", str(gone))
    assert error_of_target() == (
        f"temporary files: {gone} cannot be written: No such file or directory; free space there, or set TMPDIR to a "
        "folder with room"
    )


def test_a_disk_that_is_full_in_the_middle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(BuildError) as caught, work_folder() as folder:
        (folder / "part").write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "part"))
    assert str(caught.value) == (
        f"temporary files: {tmp_path} cannot be written: No space left on device; free space there, or set TMPDIR to a "
        "folder with room"
    )
    assert list(tmp_path.iterdir()) == []


def test_other_faults_of_files_are_not_blamed_on_the_disk(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), work_folder() as folder:
        (folder / "nothing").read_bytes()
