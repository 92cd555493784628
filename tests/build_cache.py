"""C that the tests have compiled once is not compiled again: programs by the digest of their sources and command.

All processes of a run share one folder, and all runs of `.ci/run` do, through MCUQ_TEST_BUILDS. No program
names the folder that it was built in, so that what is remembered are the bytes that the compiler would give. mcuq
itself knows nothing of it and compiles whatever it is asked to.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import mcuq.build.host_program
import mcuq.build.shared_library
import mcuq.build.target
from mcuq.build.compiler import Compiler, compile_in

PLACE = "MCUQ_TEST_BUILDS"
_CALLERS = (mcuq.build.host_program, mcuq.build.shared_library, mcuq.build.target)


@contextmanager
def remembering() -> Iterator[None]:
    """mcuq compiles nothing twice until the end; into a folder of this time unless a process before has one."""
    with tempfile.TemporaryDirectory(prefix="mcuq-builds-") as folder:
        os.environ.setdefault(PLACE, folder)
        try:
            with compiling_by(compile_quickly):
                yield
        finally:
            if os.environ[PLACE] == folder:
                del os.environ[PLACE]


@contextmanager
def compiling_by(compile: Callable[[Compiler, Path, Sequence[str], str], None] = compile_in) -> Iterator[None]:
    """The function that mcuq compiles with until the end: its own, which remembers nothing, if no other is given."""
    before = [caller.compile_in for caller in _CALLERS]
    for caller in _CALLERS:
        caller.compile_in = compile
    try:
        yield
    finally:
        for caller, function in zip(_CALLERS, before, strict=True):
            caller.compile_in = function


def remembered(
    program: Path, build: Callable[[], None], command: Sequence[str], sources: Iterable[tuple[str, bytes]]
) -> None:
    """Have `program`, made of the same command and sources before, or else now by `build`."""
    kept = Path(os.environ[PLACE]) / _digest(command, sources)
    if not kept.is_file():
        build()
        new = kept.with_name(f"{kept.name}.{os.getpid()}.{threading.get_ident()}")
        shutil.copy(program, new)
        new.replace(kept)
    else:
        shutil.copy(kept, program)


def compile_once(compiler: Compiler, folder: Path, arguments: Sequence[str], output: str) -> None:
    """compile_in for what has not been compiled before."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    remembered(
        folder / output,
        lambda: compile_in(compiler, folder, arguments, output),
        [word.replace(os.path.realpath(folder), "") for word in (*compiler.command, *arguments, compiler.version)],
        [(path.relative_to(folder).as_posix(), path.read_bytes()) for path in files],
    )


def compile_quickly(compiler: Compiler, folder: Path, arguments: Sequence[str], output: str) -> None:
    """compile_once, and hardly optimized where GCC's sanitizers check: they see as much, in a fifth of its time.

    The same C is optimized for boards, and for this computer in tests/reference and where a command runs as users do.
    """
    if not compiler.is_zig and "-fsanitize=address,undefined" in arguments:
        arguments = ["-Og" if word == "-O2" else word for word in arguments]
    compile_once(compiler, folder, arguments, output)


def _digest(command: Sequence[str], sources: Iterable[tuple[str, bytes]]) -> str:
    """Of the command, the file of its program, and names and bytes of the sources."""
    path = shutil.which(command[0])
    program = Path(path).stat() if path else None
    digest = hashlib.sha256(repr((*command, program and (program.st_size, program.st_mtime_ns))).encode())
    for name, data in sources:
        digest.update(f"\n{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()
