"""C sources as libraries that this process, or a program beside it, loads."""

from __future__ import annotations

import ctypes
from pathlib import Path

from mcuq.build.compiler import (
    WARNINGS,
    compile_in,
    find_host_compiler,
    write_files,
)
from mcuq.system.work_folder import work_folder


def build_shared_object(source: str) -> bytes:
    """Compile one C source into a shared library for this computer.

    Raises BuildError where no compiler is installed or the compiler refuses the source.
    """
    with work_folder() as folder:
        return _shared_object(source, folder).read_bytes()


def build_library(source: str) -> ctypes.CDLL:
    """Compile one C source for this computer and load it as a shared library.

    Raises BuildError where no compiler is installed.
    """
    with work_folder() as folder:
        return ctypes.CDLL(str(_shared_object(source, folder)))


def _shared_object(source: str, folder: Path) -> Path:
    files = write_files(folder, {"library.c": source})
    compile_in(find_host_compiler(), folder, ("-O2", *WARNINGS, "-g0", "-shared", "-fPIC", *files), "library.so")
    return folder / "library.so"
