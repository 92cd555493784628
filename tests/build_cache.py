"""C that the tests have compiled once is not compiled again: programs by the digest of their sources and command, and
each source by that of what it includes, so that programs share what they have in common.

All processes of a run share one folder, and all runs of `.ci/run` do, through MCUQ_TEST_BUILDS. No program
names the folder that it was built in, so that what is remembered are the bytes that the compiler would give. mcuq
itself knows nothing of it and compiles whatever it is asked to.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

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


def compiling_by(
    compile: Callable[[Compiler, Path, Sequence[str], str], None] = compile_in,
) -> AbstractContextManager[None]:
    """The function that mcuq compiles with until the end: its own, which remembers nothing, if no other is given."""
    return standing_in(_CALLERS, "compile_in", compile)


@contextmanager
def standing_in(callers: Sequence[ModuleType], name: str, function: Callable[..., Any]) -> Iterator[None]:
    """What modules call by that name, until the end."""
    before = [getattr(caller, name) for caller in callers]
    for caller in callers:
        setattr(caller, name, function)
    try:
        yield
    finally:
        for caller, own in zip(callers, before, strict=True):
            setattr(caller, name, own)


def keep(kept: Path, write: Callable[[Path], object]) -> None:
    """Make a file that other processes read: all of it, or none."""
    new = kept.with_name(f"{kept.name}.{os.getpid()}.{threading.get_ident()}")
    write(new)
    new.replace(kept)


def remembered(
    program: Path, build: Callable[[], None], command: Sequence[str], sources: Iterable[tuple[str, bytes]]
) -> None:
    """Have `program`, made of the same command and sources before, or else now by `build`."""
    kept = Path(os.environ[PLACE]) / _digest(command, sources)
    if not kept.is_file():
        build()
        keep(kept, partial(shutil.copy, program))
    else:
        shutil.copy(kept, program)


def compile_once(compiler: Compiler, folder: Path, arguments: Sequence[str], output: str) -> None:
    """compile_in for what has not been compiled before."""
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    sources = [word for word in arguments if word in files and word.endswith(".c")]
    # Zig remembers by itself; a single source has nothing to share.
    is_whole = compiler.is_zig or len(sources) < 2 or "-flto" in arguments

    def build() -> None:
        """What the compiler does where it is given all at once: each source, then the program."""
        flags = _for_sources(arguments, sources)
        for source in () if is_whole else sources:
            command = (*flags, "-c", source)
            compile = partial(compile_in, compiler, folder, command, f"{source}.o")
            _remembered_in(folder, f"{source}.o", compile, compiler, command, read_by(source, flags, files))
        compiled = {} if is_whole else {source: f"{source}.o" for source in sources}
        compile_in(compiler, folder, [compiled.get(word, word) for word in arguments], output)

    _remembered_in(folder, output, build, compiler, arguments, files)


def _remembered_in(
    folder: Path,
    output: str,
    build: Callable[[], None],
    compiler: Compiler,
    arguments: Sequence[str],
    files: Mapping[str, bytes],
) -> None:
    """`remembered`, whatever the folder is called."""
    words = [word.replace(os.path.realpath(folder), "") for word in (*compiler.command, *arguments, compiler.version)]
    remembered(folder / output, build, words, files.items())


def _for_sources(arguments: Sequence[str], sources: Collection[str]) -> list[str]:
    """The words that are about compiling, not about linking."""
    found: list[str] = []
    is_script = False
    for word in arguments:
        if not (is_script or word in sources or word == "-T" or word.startswith(("-Wl,", "-l"))):
            found.append(word)
        is_script = word == "-T"
    return found


def read_by(source: str, flags: Sequence[str], files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Of the files those that compiling the source may read: by the last part of their names, wherever they lie."""
    wanted = [source, *(flag for flag in flags if flag in files)]
    read = set(wanted)
    while wanted:
        for line in re.findall(rb"(?m)^[ \t]*#[ \t]*include[ \t]*(.*)", files[wanted.pop()]):
            name = re.match(rb'["<](?:.*/)?(.+?)[">]', line)
            if name is None:  # a macro says what
                return dict(files)
            new = {file for file in files if file.rpartition("/")[2].encode() == name[1]} - read
            read |= new
            wanted += new
    return {file: data for file, data in files.items() if file in read}


def compile_quickly(compiler: Compiler, folder: Path, arguments: Sequence[str], output: str) -> None:
    """compile_once, and not optimized where GCC's sanitizers check: they see as much, in a seventh of its time.

    The same C is optimized for boards, and for this computer in tests/reference and where a command runs as users do.
    """
    if not compiler.is_zig and "-fsanitize=address,undefined" in arguments:
        arguments = _at_level("-O0", arguments)
    compile_once(compiler, folder, arguments, output)


def compile_hardly_optimized(compiler: Compiler, folder: Path, arguments: Sequence[str], output: str) -> None:
    """compile_quickly, and boards' C at -Og, a third of the time: for sweeps of many layers, whose kernels other tests
    compile as users do (corners of int8, all schemes where accesses are trapped, all goals, the networks)."""
    is_board = not compiler.is_zig and "-ffreestanding" in arguments
    compile_quickly(compiler, folder, _at_level("-Og", arguments) if is_board else arguments, output)


def _at_level(level: str, arguments: Sequence[str]) -> list[str]:
    return [level if word == "-O2" else word for word in arguments]


def _digest(command: Sequence[str], sources: Iterable[tuple[str, bytes]]) -> str:
    """Of the command, the file of its program, and names and bytes of the sources."""
    path = shutil.which(command[0])
    program = Path(path).stat() if path else None
    digest = hashlib.sha256(repr((*command, program and (program.st_size, program.st_mtime_ns))).encode())
    for name, data in sources:
        digest.update(f"\n{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()
