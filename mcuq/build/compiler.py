"""Files + Board -> an ELF with its sizes, or a process on this computer; only this module runs compilers."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import io
import os
import re
import shutil
import signal
import string
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from elftools.common.exceptions import ELFError
from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from mcuq.boards.facts import Board
from mcuq.errors import BoardError, BuildError, did_you_mean
from mcuq.resources import resource_dir
from mcuq.system.process import LIMIT_S, Ended, run
from mcuq.system.work_folder import make_work_folder, work_folder

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")

_TARGET_FLAGS = (
    "-ffreestanding",
    "-ffunction-sections",
    "-fdata-sections",
    "-fomit-frame-pointer",  # GCC's default; Clang keeps a frame pointer on bare metal
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-g0",  # Zig's default is -g, which would record paths
    "-nostdlib",
)
_SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_TRAPS = ("-fsanitize=undefined", "-fsanitize-trap=undefined")
_HOST_PROGRAM = "host_program.exe"  # Windows wants the suffix, others do not mind
_REPORT_LINES = 12
_VERSION_LIMIT_S = 60.0


@dataclass(frozen=True)
class Symbol:
    """A named place in a program; `address` is without the Thumb bit."""

    name: str
    address: int
    symbol_bytes: int
    is_function: bool


@dataclass(frozen=True)
class Built:
    """A linked program for a board.

    `flash_bytes` is everything that occupies flash: code, constants, initial values of data, gaps between
    them. `ram_bytes` is data with initial values (`data_bytes`) and zeroed data (`bss_bytes`), no stack.
    """

    elf: bytes
    compiler: str
    text_bytes: int
    rodata_bytes: int
    data_bytes: int
    bss_bytes: int
    flash_bytes: int
    ram_bytes: int
    symbols: Mapping[str, int] = field(hash=False)


@dataclass(frozen=True)
class HostModel:
    """What host_main.c must know of a model: its C identifier, and the bytes of each input and output."""

    name: str
    input_bytes: tuple[int, ...]
    output_bytes: tuple[int, ...]


@dataclass(frozen=True)
class _Compiler:
    """A command, what it is called in reports, and whether it is `zig cc`."""

    command: tuple[str, ...]
    version: str
    is_zig: bool


def build_target(
    sources: Mapping[str, str | bytes],
    entry: str,
    keep: Sequence[str],
    board: Board,
    optimize: str = "-O2",
    stack_bytes: int = 8192,
) -> Built:
    """Compile `sources` (file name -> text, .c and .h) for the board and link what `entry` and `keep` need.

    There is no startup code: an emulator loads the segments and calls functions. The stack takes the first
    `stack_bytes` of RAM, from mcuq_stack_bottom to mcuq_stack_top. The same input gives the same bytes.

    Raises BoardError where the program does not fit the board, BuildError where no compiler is installed or
    the compiler refuses the sources.
    """
    if board.memory is None:
        raise BoardError(f"board '{board.name}' has no memory to link for; use a board with a [memory] table")
    compiler, flags, helpers = _for_target(board)
    firmware = resource_dir("firmware")
    script = string.Template((firmware / "link.ld.in").read_text(encoding="utf-8")).substitute(
        keep=" ".join(f'"{name}"' for name in (entry, *keep)),
        flash_address=f"{board.memory.flash_address:#010x}",
        ram_address=f"{board.memory.ram_address:#010x}",
        stack_bytes=stack_bytes,
    )
    with work_folder() as folder:
        files = _write(folder, sources)
        _write(folder / "firmware", {"memory.c": (firmware / "memory.c").read_bytes(), "link.ld": script})
        link = ("-T", "firmware/link.ld", "-Wl,--gc-sections", f"-Wl,-e,{entry}", helpers)
        arguments = (*flags, optimize, *WARNINGS, *_TARGET_FLAGS, *files, "firmware/memory.c", *link)
        _compile(compiler, folder, arguments, "program.elf")
        elf = (folder / "program.elf").read_bytes()
    try:
        built = _measure(elf, compiler.version, board.memory.flash_address)
    except (ELFError, KeyError) as error:
        raise BuildError(f"{compiler.version} wrote no ELF program for {board.cpu.core}; install another") from error
    for symbol in (entry, *keep):
        if symbol not in built.symbols:
            hint = did_you_mean(symbol, built.symbols)
            raise BuildError(f"function '{symbol}' is not in the sources{hint}")
    _check_fit(built, entry, board, stack_bytes)
    return built


def build_device(
    sources: Mapping[str, str | bytes], includes: Collection[str], script: str, config: str, board: Board, optimize: str
) -> bytes:
    """Compile and link `sources` (path -> text) with the linker script, each .c file but those that others include.

    `config` is a header that every file sees first. Returns the ELF file; the same input gives the same bytes.

    Raises BuildError where no compiler is installed or the compiler refuses the sources.
    """
    compiler, flags, helpers = _for_target(board)
    with work_folder() as folder:
        for path, text in {**sources, "mcuq_config.h": config, "mcuq.ld": script}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(text.encode() if isinstance(text, str) else text)
        files = sorted(path for path in sources if path.endswith(".c") and path not in includes)
        head = ("-I.", "-include", "mcuq_config.h")
        link = ("-T", "mcuq.ld", "-Wl,--gc-sections", "-Wl,-e,mcuq_reset", helpers)
        _compile(compiler, folder, (*flags, optimize, *WARNINGS, *_TARGET_FLAGS, *head, *files, *link), "program.elf")
        return (folder / "program.elf").read_bytes()


def target_compiler(board: Board) -> str | None:
    """What build_target would compile with for the board, or None where no compiler is installed."""
    try:
        return _find_compiler((board.cpu.gcc,), "").version
    except BuildError:
        return None


def read_symbols(elf: bytes) -> tuple[Symbol, ...]:
    """Return the functions and variables of an ELF file, static ones too, by address."""
    table = ELFFile(io.BytesIO(elf)).get_section_by_name(".symtab")
    found = []
    for symbol in table.iter_symbols() if isinstance(table, SymbolTableSection) else ():
        is_function = symbol["st_info"]["type"] == "STT_FUNC"
        # $t, $d, $a and $x mark where code and constants start; Clang leaves local labels, .L0, for RISC-V
        if symbol["st_shndx"] == "SHN_UNDEF" or not symbol.name or symbol.name.startswith(("$", ".L")):
            continue
        if symbol["st_info"]["type"] in ("STT_FUNC", "STT_OBJECT", "STT_NOTYPE"):
            address = symbol["st_value"] & ~1 if is_function else symbol["st_value"]
            found.append(Symbol(symbol.name, address, symbol["st_size"], is_function))
    return tuple(sorted(found, key=lambda symbol: (symbol.address, symbol.name)))


def build_host(sources: Mapping[str, str | bytes], model: HostModel, sanitize: bool = True) -> HostProgram:
    """Compile `sources` and firmware/host_main.c into a program that runs the model on this computer.

    With `sanitize`, AddressSanitizer and UBSan stop it at the first wrong access or undefined operation.

    Raises BuildError where no compiler is installed or the compiler refuses the sources.
    """
    compiler = _find_host_compiler()
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
        files = _write(Path(folder.name), sources)
        _write(Path(folder.name) / "firmware", support)
        arguments = ("-O2", *WARNINGS, *flags, "-I.", *files, "firmware/host_main.c")
        _compile(compiler, Path(folder.name), arguments, _HOST_PROGRAM)
    except BaseException:
        folder.cleanup()
        raise
    return HostProgram(folder, model, version)


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
    files = _write(folder, {"library.c": source})
    _compile(_find_host_compiler(), folder, ("-O2", *WARNINGS, "-shared", "-fPIC", *files), "library.so")
    return folder / "library.so"


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
        report = _without_folder(stderr, self._folder.name)
        return f"{how}{_first_lines(re.sub(r'(?m)^==[0-9]+==|^=+$', '', report))}"


def sample_stream(samples: Sequence[bytes], before: Sequence[bytes] | None, output_bytes: int) -> bytes:
    """What host_main.c and qemu/startup.c read: for each sample what all outputs hold before it, then its inputs."""
    held = [bytes(output_bytes)] * len(samples) if before is None else before
    return b"".join(part for pair in zip(held, samples, strict=True) for part in pair)


def _host_model_header(model: HostModel) -> str:
    sizes = (*model.input_bytes, *model.output_bytes)
    pointers = "".join(f", (tensor)[{i}]" for i in range(len(sizes)))
    return (
        f'#include "{model.name}.h"\n'
        f"#define HOST_INPUTS {len(model.input_bytes)}\n"
        f"#define HOST_TENSORS {len(sizes)}\n"
        f"#define HOST_TENSOR_BYTES {{{', '.join(map(str, sizes))}}}\n"
        f"#define HOST_ARENA_BYTES {model.name.upper()}_ARENA_BYTES\n"
        f"#define HOST_RUN(arena, tensor) {model.name}_run_in(arena{pointers})\n"
    )


def _first_lines(text: str) -> str:
    lines = [f"\n  {line}" for line in text.splitlines() if line.strip()]
    return "".join([":", *lines[:_REPORT_LINES]]) if lines else ""


def _without_folder(output: bytes, folder: str) -> str:
    return output.decode("utf-8", "replace").replace(folder + os.sep, "")


def _write(folder: Path, files: Mapping[str, str | bytes]) -> list[str]:
    """Write files and return the names of those to compile, sorted so that their order changes nothing."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return sorted(name for name in files if name.endswith(".c"))


def _compile(compiler: _Compiler, folder: Path, arguments: Sequence[str], output: str) -> None:
    """Run the compiler inside `folder`, so that no artefact and no message holds a path of this computer."""
    env = {**os.environ, "LC_ALL": "C", "ZIG_LOCAL_CACHE_DIR": str(folder / "zig")}
    ended = _run_compiler([*compiler.command, *arguments, "-o", output], compiler.version, LIMIT_S, folder, env)
    if ended.code != 0:
        said = _first_lines(_without_folder(ended.stderr, str(folder)))
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


def _find_host_compiler() -> _Compiler:
    return _find_compiler(("cc", "gcc", "clang"), "gcc")


def _find_compiler(commands: tuple[str, ...], debian_package: str) -> _Compiler:
    wanted = os.environ.get("MCUQ_CC", "")
    if wanted not in ("", "gcc", "zig"):
        raise BuildError(f"MCUQ_CC='{wanted}' is not supported; use gcc or zig, or unset it")
    looked_for = (commands if wanted != "zig" else ()) + (("ziglang",) if wanted != "gcc" else ())
    for command in looked_for:
        if command == "ziglang" and importlib.util.find_spec("ziglang") is not None:
            return _zig()
        path = shutil.which(command)
        if path is not None:
            return _Compiler((path,), f"{command} {_version_in(_output_of(command, path, '--version'))}", False)
    raise BuildError(
        f"no C compiler: {', '.join(looked_for)} not found; "
        f"pip install 'mcuq[emulator]', or install Debian's {debian_package}"
    )


@functools.cache
def _zig() -> _Compiler:
    zig = (sys.executable, "-m", "ziglang")
    clang = _version_in(_output_of("zig cc", *zig, "cc", "--version"))
    return _Compiler((*zig, "cc"), f"zig cc {_output_of('zig', *zig, 'version')} (clang {clang})", True)


@functools.cache
def _output_of(name: str, *command: str) -> str:
    """What a compiler says of itself, whatever the encoding."""
    return _run_compiler(command, name, _VERSION_LIMIT_S).stdout.decode("utf-8", "replace").strip()


def _version_in(text: str) -> str:
    found = re.search(r"\d+\.\d+\.\d+", text)
    return found.group() if found else "of unknown version"


def _measure(elf: bytes, compiler: str, flash_address: int) -> Built:
    file = ELFFile(io.BytesIO(elf))
    section_bytes = {section.name: section["sh_size"] for section in file.iter_sections()}
    symbols = {symbol.name: symbol.address for symbol in read_symbols(elf)}
    flash_end = flash_address
    ram_end = symbols["mcuq_stack_top"]
    for segment in file.iter_segments("PT_LOAD"):
        if segment["p_filesz"] > 0:
            flash_end = max(flash_end, segment["p_paddr"] + segment["p_filesz"])
        if segment["p_memsz"] > 0 and segment["p_flags"] & P_FLAGS.PF_W:
            ram_end = max(ram_end, segment["p_vaddr"] + segment["p_memsz"])
    return Built(
        elf=elf,
        compiler=compiler,
        text_bytes=section_bytes.get(".text", 0),
        rodata_bytes=section_bytes.get(".rodata", 0),
        data_bytes=section_bytes.get(".data", 0),
        bss_bytes=section_bytes.get(".bss", 0),
        flash_bytes=flash_end - flash_address,
        ram_bytes=ram_end - symbols["mcuq_stack_top"],
        symbols=symbols,
    )


def _check_fit(built: Built, entry: str, board: Board, stack_bytes: int) -> None:
    assert board.memory is not None
    needs_ram_bytes = built.ram_bytes + stack_bytes
    if built.flash_bytes > board.memory.flash_bytes:
        raise BoardError(
            f"'{entry}' needs {built.flash_bytes:,} bytes of flash (code {built.text_bytes:,}, constants "
            f"{built.rodata_bytes:,}, initial values {built.data_bytes:,}), {board.name} has "
            f"{board.memory.flash_bytes:,}; use a smaller model or a board with more flash"
        )
    if needs_ram_bytes > board.memory.ram_bytes:
        raise BoardError(
            f"'{entry}' needs {needs_ram_bytes:,} bytes of RAM (data {built.ram_bytes:,}, stack "
            f"{stack_bytes:,}), {board.name} has {board.memory.ram_bytes:,}; "
            "use a smaller model or a board with more RAM"
        )


def _for_target(board: Board) -> tuple[_Compiler, tuple[str, ...], str]:
    """The compiler for the board's CPU, the flags that name the CPU, and its library: 64-bit division and its kin."""
    cpu = board.cpu
    compiler = _find_compiler((cpu.gcc,), f"gcc-{cpu.gcc.removesuffix('-gcc')}")
    if compiler.is_zig:
        return compiler, ("-target", cpu.target, f"-mcpu={cpu.zig_cpu}"), "-lcompiler_rt"
    return compiler, cpu.gcc_flags, "-lgcc"
