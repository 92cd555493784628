"""C compilers: found, named, given a board's flags, and run; only this package does."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcuq.boards.facts import Board
from mcuq.errors import BuildError
from mcuq.system.process import LIMIT_S, Ended, run

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")
TARGET_FLAGS = (
    "-ffreestanding",
    "-ffunction-sections",
    "-fdata-sections",
    "-fomit-frame-pointer",  # GCC's default; Clang keeps a frame pointer on bare metal
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-g0",  # Zig's default is -g, which would record paths
    "-nostdlib",
)
_REPORT_LINES = 12
_VERSION_LIMIT_S = 60.0


@dataclass(frozen=True)
class Compiler:
    """A command, what it is called in reports, and whether it is `zig cc`."""

    command: tuple[str, ...]
    version: str
    is_zig: bool


def target_compiler(board: Board) -> str | None:
    """What build_target would compile with for the board, or None where no compiler is installed."""
    try:
        return _find_compiler((board.cpu.gcc,), "").version
    except BuildError:
        return None


def for_target(board: Board) -> tuple[Compiler, tuple[str, ...], str]:
    """The compiler for the board's CPU, the flags that name the CPU, and its library: 64-bit division and its kin."""
    cpu = board.cpu
    compiler = _find_compiler((cpu.gcc,), f"gcc-{cpu.gcc.removesuffix('-gcc')}")
    if compiler.is_zig:
        return compiler, ("-target", cpu.target, f"-mcpu={cpu.zig_cpu}"), "-lcompiler_rt"
    return compiler, cpu.gcc_flags, "-lgcc"


def find_host_compiler() -> Compiler:
    """This computer's own. Raises BuildError where none is installed."""
    return _find_compiler(("cc", "gcc", "clang"), "gcc")


def _find_compiler(commands: tuple[str, ...], debian_package: str) -> Compiler:
    wanted = os.environ.get("MCUQ_CC", "")
    if wanted not in ("", "gcc", "zig"):
        raise BuildError(f"MCUQ_CC='{wanted}' is not supported; use gcc or zig, or unset it")
    looked_for = (commands if wanted != "zig" else ()) + (("ziglang",) if wanted != "gcc" else ())
    for command in looked_for:
        if command == "ziglang" and importlib.util.find_spec("ziglang") is not None:
            return _zig()
        path = shutil.which(command)
        if path is not None:
            return Compiler((path,), f"{command} {_version_in(_output_of(command, path, '--version'))}", False)
    raise BuildError(
        f"no C compiler: {', '.join(looked_for)} not found; "
        f"pip install 'mcuq[emulator]', or install Debian's {debian_package}"
    )


@functools.cache
def _zig() -> Compiler:
    zig = (sys.executable, "-m", "ziglang")
    clang = _version_in(_output_of("zig cc", *zig, "cc", "--version"))
    return Compiler((*zig, "cc"), f"zig cc {_output_of('zig', *zig, 'version')} (clang {clang})", True)


@functools.cache
def _output_of(name: str, *command: str) -> str:
    """What a compiler says of itself, whatever the encoding."""
    return _run_compiler(command, name, _VERSION_LIMIT_S).stdout.decode("utf-8", "replace").strip()


def _version_in(text: str) -> str:
    found = re.search(r"\d+\.\d+\.\d+", text)
    return found.group() if found else "of unknown version"


def compile_in(compiler: Compiler, folder: Path, arguments: Sequence[str], output: str) -> None:
    """Run the compiler inside `folder`, so that no artefact and no message holds a path of this computer."""
    env = {**os.environ, "LC_ALL": "C", "ZIG_LOCAL_CACHE_DIR": str(folder / "zig")}
    ended = _run_compiler([*compiler.command, *arguments, "-o", output], compiler.version, LIMIT_S, folder, env)
    if ended.code != 0:
        said = first_lines(without_folder(ended.stderr, str(folder)))
        raise BuildError(f"{compiler.version} refuses the sources{said}")
    if not (folder / output).is_file():
        raise BuildError(f"{compiler.version} wrote no program and reported no error; install another compiler")


def _run_compiler(
    command: Sequence[str],
    name: str,
    time_limit_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Ended:
    """Run a compiler. Raises BuildError where it cannot be started or does not end."""
    try:
        return run(command, time_limit_s, cwd, env)
    except subprocess.TimeoutExpired:
        raise BuildError(f"{name} did not end within {time_limit_s:g} s; install another compiler") from None
    except OSError as error:
        raise BuildError(f"{name} cannot be run: {error.strerror}; install another compiler") from None


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> list[str]:
    """Write files and return the names of those to compile, sorted so that their order changes nothing."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return sorted(name for name in files if name.endswith(".c"))


def first_lines(text: str) -> str:
    """What a program said, as indented lines under a message, the first dozen; "" where it said nothing."""
    lines = [f"\n  {line}" for line in text.splitlines() if line.strip()]
    return "".join([":", *lines[:_REPORT_LINES]]) if lines else ""


def without_folder(output: bytes, folder: str) -> str:
    """A program's output as text that names no path of this computer's."""
    return output.decode("utf-8", "replace").replace(folder + os.sep, "")
