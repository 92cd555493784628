"""Files -> a process on this computer that runs a model."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from mcuq.build.compiler import (
    WARNINGS,
    compile_in,
    find_host_compiler,
    first_lines,
    without_folder,
    write_files,
)
from mcuq.build.pieces import IN_PIECES
from mcuq.errors import BuildError
from mcuq.resources import resource_dir
from mcuq.system.process import run
from mcuq.system.work_folder import make_work_folder

# -g1: a report names lines, for which variables need not be followed through the optimizer (half of the time).
_SANITIZERS = ("-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_TRAPS = ("-fsanitize=undefined", "-fsanitize-trap=undefined")
_HOST_PROGRAM = "host_program.exe"  # Windows wants the suffix, others do not mind


@dataclass(frozen=True)
class HostModel:
    """What host_main.c must know of a model: its C identifier, the bytes of each input and output, and the function
    that gives it its weights, if they are not in its C. Where it runs `in_pieces`, sources have the C for that
    (pieces.py). `arenas` are the macros of the bytes of each part of its arena; none: it has one."""

    name: str
    input_bytes: tuple[int, ...]
    output_bytes: tuple[int, ...]
    start: str = ""
    in_pieces: bool = False
    arenas: tuple[str, ...] = ()


def build_host(sources: Mapping[str, str | bytes], model: HostModel, sanitize: bool = True) -> HostProgram:
    """Compile `sources` and firmware/host_main.c into a program that runs the model on this computer.

    With `sanitize`, AddressSanitizer and UBSan stop it at the first wrong access or undefined operation.

    Raises BuildError where no compiler is installed or the compiler refuses the sources.
    """
    compiler = find_host_compiler()
    flags: tuple[str, ...] = ()
    version = compiler.version
    if sanitize and compiler.is_zig:
        flags, version = _TRAPS, f"{version} with UBSan as traps, without AddressSanitizer"
    elif sanitize:
        flags, version = _SANITIZERS, f"{version} with AddressSanitizer and UBSan"
    support: dict[str, str | bytes] = {
        "host_main.c": (resource_dir("firmware") / "host_main.c").read_bytes(),
        "host_model.h": _host_model_header(model),
    }
    folder = make_work_folder()
    try:
        files = write_files(Path(folder.name), sources)
        write_files(Path(folder.name) / "firmware", support)
        # The folder is no fact of the program: debugging information names files as the command does.
        unnamed = f"-fdebug-prefix-map={os.path.realpath(folder.name)}=."
        arguments = ("-O2", *WARNINGS, "-g0", *flags, unnamed, "-I.", *files, "firmware/host_main.c")
        compile_in(compiler, Path(folder.name), arguments, _HOST_PROGRAM)
    except BaseException:
        folder.cleanup()
        raise
    return HostProgram(folder, model, version)


class HostProgram:
    """A model built for this computer, in a temporary folder that lives as long as the `with` block."""

    def __init__(self, folder: tempfile.TemporaryDirectory[str], model: HostModel, compiler: str) -> None:
        self.compiler = compiler
        self._folder = folder
        self._model = model

    def __enter__(self) -> HostProgram:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the program."""
        self._folder.cleanup()

    def run(
        self, samples: Sequence[bytes], timeout_s: float = 600, before: Sequence[bytes] | None = None
    ) -> list[bytes]:
        """Return, for each sample (all inputs, one after the other), all outputs, one after the other.

        `before` is what the outputs hold when each inference begins, zeros by default.
        Raises BuildError where the program crashes, a sanitizer stops it, or `timeout_s` is over.
        """
        where = f"'{self._model.name}' on the host"
        for sample in samples:
            if len(sample) != sum(self._model.input_bytes):
                raise ValueError(f"a sample has {len(sample)} bytes, not {sum(self._model.input_bytes)}")
        try:
            ended = run(
                [str(Path(self._folder.name) / _HOST_PROGRAM)],
                timeout_s,
                # LeakSanitizer fails under ptrace and in some containers; nothing here can leak
                env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
                stdin=sample_stream(samples, before, sum(self._model.output_bytes)),
            )
        except subprocess.TimeoutExpired as error:
            raise BuildError(f"{where}: did not end within {timeout_s} s") from error
        except OSError as error:
            raise BuildError(f"{where}: cannot be run: {error.strerror}; it was built by {self.compiler}") from error
        if ended.code != 0:
            raise BuildError(f"{where}: {self._how_it_ended(ended.code, ended.stderr)}")
        answer_bytes = sum(self._model.output_bytes)
        return [ended.stdout[i * answer_bytes : (i + 1) * answer_bytes] for i in range(len(samples))]

    def _how_it_ended(self, code: int, stderr: bytes) -> str:
        how = f"stopped by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        report = without_folder(stderr, self._folder.name)
        return f"{how}{first_lines(re.sub(r'(?m)^==[0-9]+==|^=+$', '', report))}"


def sample_stream(samples: Sequence[bytes], before: Sequence[bytes] | None, output_bytes: int) -> bytes:
    """What host_main.c and qemu/startup.c read: for each sample what all outputs hold before it, then its inputs."""
    held = [bytes(output_bytes)] * len(samples) if before is None else before
    return b"".join(part for pair in zip(held, samples, strict=True) for part in pair)


def _host_model_header(model: HostModel) -> str:
    sizes = (*model.input_bytes, *model.output_bytes)
    pointers = "".join(f", (tensor)[{i}]" for i in range(len(sizes)))
    start = f"int32_t {model.start}(void);\n#define HOST_START() {model.start}()\n" if model.start else ""
    macros = model.arenas or (f"{model.name.upper()}_ARENA_BYTES",)
    arenas = ", ".join(f"(arena)[{i}]" for i in range(len(macros)))
    run = f"{model.name}_run_in({arenas}{pointers})\n"
    if model.in_pieces:
        run = (
            f"{IN_PIECES}(host_number++, {arenas}{pointers})\n"
            f"void {IN_PIECES}(int32_t number{', void *' * len(macros)}{', int8_t *' * len(sizes)});\n"
            "static int32_t host_number;\n"
        )
    return (
        f'#include "{model.name}.h"\n{start}'
        f"#define HOST_INPUTS {len(model.input_bytes)}\n"
        f"#define HOST_TENSORS {len(sizes)}\n"
        f"#define HOST_TENSOR_BYTES {{{', '.join(map(str, sizes))}}}\n"
        f"#define HOST_ARENAS {len(macros)}\n"
        f"#define HOST_ARENA_BYTES {{{', '.join(macros)}}}\n"
        f"#define HOST_RUN(arena, tensor) {run}"
    )
