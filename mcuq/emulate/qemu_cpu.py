"""Runs a generated model on one of QEMU's machines, for CPUs that Unicorn does not have (GPL-2.0, a program of its
own). Samples go in and answers come back through files; a plugin counts instructions."""

from __future__ import annotations

import functools
import io
import re
import shutil
import string
import struct
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from elftools.elf.elffile import ELFFile

from mcuq.boards.facts import Board
from mcuq.build.arena_sections import NO_SECTIONS, ArenaSections
from mcuq.build.elf import read_symbols
from mcuq.build.host_program import sample_stream
from mcuq.build.pieces import IN_PIECES
from mcuq.build.shared_library import build_shared_object
from mcuq.build.target import build_target
from mcuq.emulate.block_counts import count_thumb_instructions
from mcuq.emulate.unicorn_cpu import Block, Part
from mcuq.errors import BoardError, BuildError
from mcuq.resources import resource_dir
from mcuq.system.process import run
from mcuq.system.work_folder import work_folder

_ENTRY = "mcuq_qemu_reset"
_CALLER = "mcuq_qemu_run_model"
_ENDED_BADLY = 1
ROWS = "qemu_rows"
_MODEL_HEADER = string.Template("""\
#define QEMU_INPUTS $inputs
#define QEMU_TENSORS $tensors
#define QEMU_TENSOR_BYTES {$sizes}
#define QEMU_TENSOR_ADDRESSES {$addresses}
#define QEMU_RUN() $run
#define QEMU_ARENAS $arenas
#define QEMU_ARENA_ADDRESSES {$arena_addresses}
#define QEMU_ARENA_BYTES {$arena_bytes}
""")


@dataclass(frozen=True)
class QemuModel:
    """What the startup code must know of a model: its C identifier, for each input and output the C function that gives
    its address, and its bytes, and the function that gives it its weights, if they are not in its C. An input that
    comes row by row is called ROWS; where it runs `in_pieces`, all inferences but the first are by the C of
    build/pieces.py.
    `arenas` are the parts of an arena in several memories: the linker's symbol of each, and the macro of its bytes.
    `state` is the function of an input and output that the run function has in itself, if there is one.
    """

    name: str
    inputs: Mapping[str, int] = field(hash=False)
    outputs: Mapping[str, int] = field(hash=False)
    start: str = ""
    in_pieces: bool = False
    arenas: tuple[tuple[str, str], ...] = ()
    state: str = ""


@dataclass(frozen=True)
class QemuResult:
    """What a run did: all outputs of each sample, one after the other, and the stack of the last inference.

    `instructions` and `blocks` (address -> Block) are those of the first inference, from the entry of the model's
    run function to its return; None unless counted. Blocks do not overlap. `parts` divide them as those of
    `unicorn_cpu.CallResult`.
    """

    answers: tuple[bytes, ...]
    stack_bytes: int
    instructions: int | None = None
    blocks: Mapping[int, Block] | None = field(default=None, hash=False)
    parts: tuple[Part, ...] = field(default=(), hash=False)


class QemuProgram:
    """A model built for a board that QEMU emulates."""

    def __init__(
        self,
        sources: Mapping[str, str],
        model: QemuModel,
        board: Board,
        stack_bytes: int,
        sections: ArenaSections = NO_SECTIONS,
    ) -> None:
        """Build the model's C (file name -> text) with the startup code.

        Raises BoardError where QEMU has no machine for the board or the model does not fit it, BuildError where a
        compiler or QEMU is missing or the compiler refuses the sources.
        """
        if board.cpu.qemu_machine is None:
            raise BoardError(f"board '{board.name}' cannot be emulated; use a board with qemu_machine")
        self._qemu = _find_qemu()
        self._board = board
        self._model = model
        startup = (resource_dir("firmware") / "qemu" / "startup.c").read_bytes()
        support: dict[str, str | bytes] = {"mcuq_qemu_startup.c": startup, "qemu_model.h": _model_header(model)}
        files = {**sources, **support}
        keep = (f"{model.name}_run",)
        built = build_target(files, _ENTRY, keep, board, stack_bytes=stack_bytes, arenas=sections)
        self.compiler = built.compiler
        self.elf = built.elf
        self._stack_top = built.symbols["mcuq_stack_top"]

    def run(
        self,
        samples: Sequence[bytes],
        count: bool = False,
        time_limit_s: float = 600,
        marks: Collection[str] = (),
        before: Sequence[bytes] | None = None,
    ) -> QemuResult:
        """Infer for each sample: all inputs, one after the other. `before` is what the outputs hold when each inference
        begins, zeros by default, but where inputs lie at the same place.

        With `count`, every instruction that the first inference executes is counted; one inside an IT or VPT block
        counts whether its condition holds or not. The counts are also divided into parts at each call of a function
        named in `marks`.

        Raises BuildError where the model faults or runs longer than `time_limit_s`.
        """
        if any(len(sample) != sum(self._model.inputs.values()) for sample in samples):
            raise ValueError(f"a sample does not have {sum(self._model.inputs.values())} bytes")
        size = sum(self._model.outputs.values())
        with work_folder() as folder:
            (folder / "samples.bin").write_bytes(sample_stream(samples, before, size))
            command = [self._qemu, *self._machine(folder), *(self._counting(folder, marks) if count else ())]
            self._start(command, folder, time_limit_s)
            answers = (folder / "answers.bin").read_bytes()
            rows = (folder / "blocks.txt").read_text(encoding="ascii") if count else ""
        split = tuple(answers[i * size : (i + 1) * size] for i in range(len(samples)))
        stack_bytes = int.from_bytes(answers[len(samples) * size :], "little")
        if not count:
            return QemuResult(split, stack_bytes)
        states, addresses = _states(rows)
        code = self._code()
        total = states[-1]
        instructions = sum(n * runs for (_, n), runs in total.items())
        entry = next(s.address for s in read_symbols(self.elf) if s.name == f"{self._model.name}_run")
        parts = tuple(
            Part(address, _without_overlaps([(*key, after[key] - before.get(key, 0)) for key in after], code))
            for address, (before, after) in zip((entry, *addresses), pairwise(({}, *states)), strict=True)
        )
        blocks = _without_overlaps([(*key, runs) for key, runs in total.items()], code)
        return QemuResult(split, stack_bytes, instructions, blocks, parts if marks else ())

    def read(self, address: int, n_bytes: int) -> bytes:
        """Bytes of the program."""
        return _bytes_at(address, address + n_bytes, self._code())

    def _machine(self, folder: Path) -> list[str]:
        """QEMU's arguments: the machine with the program in its memory, no devices that a person would look at."""
        machine = self._board.cpu.qemu_machine
        arguments = ["-M", str(machine), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
        arguments += ["-semihosting-config", "enable=on,target=native"]
        entry = next(s.address for s in read_symbols(self.elf) if s.name == _ENTRY)
        # To p_vaddr, where the program finds it: no startup code runs that would copy .data out of flash.
        images = {0: struct.pack("<II", self._stack_top, entry | 1), **self._code()}
        for address, data in images.items():
            (folder / f"{address:x}.bin").write_bytes(data)
            arguments += ["-device", f"loader,file={address:x}.bin,addr={address:#x},force-raw=on"]
        return arguments

    def _counting(self, folder: Path, functions: Collection[str]) -> list[str]:
        (folder / "count.so").write_bytes(_plugin(self._qemu))
        symbols = {symbol.name: symbol for symbol in read_symbols(self.elf)}
        caller = symbols[_CALLER]
        marks = {
            "start": symbols[f"{self._model.name}_run"].address,
            "home": caller.address,
            "end": caller.address + caller.symbol_bytes,
        }
        given = [f"{key}={value:#x}" for key, value in marks.items()]
        for symbol in (symbols[name] for name in functions):
            given.append(f"mark={symbol.address:#x}-{symbol.address + symbol.symbol_bytes:#x}")
        return ["-plugin", ",".join(["file=./count.so", *given])]

    def _start(self, command: Sequence[str], folder: Path, time_limit_s: float) -> None:
        where = f"'{self._model.name}' on emulated {self._board.name}"
        try:
            ended = run(command, time_limit_s, folder)
        except subprocess.TimeoutExpired as error:
            raise BuildError(f"{where}: did not end within {time_limit_s} s") from error
        said = [line for line in ended.stderr.decode("utf-8", "replace").splitlines() if "warning:" not in line]
        if ended.code == _ENDED_BADLY and not said:
            raise BuildError(f"{where}: stops with a fault")
        if ended.code != 0:
            raise BuildError(f"{where}: QEMU ended with {ended.code}: {' '.join(said[:1]) or 'no message'}")

    def _code(self) -> Mapping[int, bytes]:
        """The first address of each segment that has bytes -> those."""
        segments = ELFFile(io.BytesIO(self.elf)).iter_segments("PT_LOAD")
        return {segment["p_vaddr"]: segment.data() for segment in segments if segment["p_filesz"] > 0}


def _states(rows: str) -> tuple[list[dict[tuple[int, int], int]], list[int]]:
    """(counts until each mark and until the end by (address, instructions), addresses of the marks)."""
    states: list[dict[tuple[int, int], int]] = [{}]
    addresses = []
    for row in rows.splitlines():
        if row.startswith("mark "):
            addresses.append(int(row.removeprefix("mark ")))
            states.append({})
            continue
        address, instructions, runs = map(int, row.split())
        key = (address, instructions)
        states[-1][key] = states[-1].get(key, 0) + runs
    return states, addresses


def _without_overlaps(rows: Sequence[tuple[int, ...]], code: Mapping[int, bytes]) -> dict[int, Block]:
    """Rows (address, instructions, count) as blocks that cover no instruction twice.

    QEMU ends a block of code at a jump, but also where it likes, and translates a jump's target anew.
    """
    steps: dict[int, int] = {}  # address -> how much more often its instruction runs than the one before it
    for address, instructions, count in rows:
        beyond = _address_behind(address, instructions, code)
        steps[address] = steps.get(address, 0) + count
        steps[beyond] = steps.get(beyond, 0) - count
    blocks: dict[int, Block] = {}
    count = 0
    edges = sorted(steps)
    for first, beyond in pairwise(edges):
        count += steps[first]
        if count:
            blocks[first] = Block(beyond - first, count_thumb_instructions(_bytes_at(first, beyond, code)), count)
    return blocks


def _address_behind(address: int, instructions: int, code: Mapping[int, bytes]) -> int:
    """Where so many Thumb instructions from `address` on end."""
    for _ in range(instructions):
        address += 4 if count_thumb_instructions(_bytes_at(address, address + 4, code)) == 1 else 2
    return address


def _bytes_at(first: int, beyond: int, code: Mapping[int, bytes]) -> bytes:
    for address, data in code.items():
        if address <= first < address + len(data):
            return data[first - address : beyond - address]
    raise AssertionError(f"QEMU reports a block at {first:#x}, outside of the code")


def _model_header(model: QemuModel) -> str:
    sizes = [*model.inputs.items(), *model.outputs.items()]
    place_of = {name: f"(int8_t *)(void *){name}{'' if name == ROWS else '()'}" for name, _ in sizes}
    places = [place_of[name] for name, _ in sizes]
    placed = next(name for name, _ in sizes if name not in (ROWS, model.state))
    given = [place_of[name] for name, _ in sizes if name != model.state]
    run = f"{model.name}_run({', '.join(f'(void *){place}' for place in given)})"
    head = f'#include "{model.name}.h"\n'
    if model.start:
        head += f"int32_t {model.start}(void);\n#define QEMU_START() {model.start}()\n"
    if ROWS in place_of:
        head += f"static int32_t {ROWS}[{-(-dict(sizes)[ROWS] // 4)}];\n"
    own = f"(unsigned char *){placed}() - {placed.upper()}_OFFSET"
    arenas = model.arenas or ((own, f"{model.name.upper()}_ARENA_BYTES"),)
    for symbol, _ in model.arenas:
        head += f"extern unsigned char {symbol}[];\n"
    if model.in_pieces:
        head += f"void {IN_PIECES}(int32_t number{', void *' * len(arenas)}{', int8_t *' * len(sizes)});\n"
        head += "static int32_t qemu_number;\n"
        all_places = ", ".join(("qemu_number", *(f"(void *)({at})" for at, _ in arenas), *places))
        run = f"(qemu_number++ ? {IN_PIECES}({all_places}) : {run})"
    return head + _MODEL_HEADER.substitute(
        name=model.name,
        arenas=len(arenas),
        arena_addresses=", ".join(at for at, _ in arenas),
        arena_bytes=", ".join(n_bytes for _, n_bytes in arenas),
        inputs=len(model.inputs),
        tensors=len(sizes),
        sizes=", ".join(str(n_bytes) for _, n_bytes in sizes),
        addresses=", ".join(places),
        run=run,
    )


def _find_qemu() -> str:
    path = shutil.which("qemu-system-arm")
    if path is None:
        raise BuildError(
            "QEMU: qemu-system-arm not found; install Debian's qemu-system-arm (macOS: brew install qemu, "
            "Windows: https://qemu.weilnetz.de), or run on the host: --on host"
        )
    return path


@functools.cache
def _plugin(qemu: str) -> bytes:
    """The counting plugin, for the version of its interface that this QEMU takes."""
    said = run([qemu, "--version"]).stdout.decode("utf-8", "replace")
    found = re.search(r"version (\d+)", said)
    interface = 2 if found and int(found[1]) >= 9 else 1
    source = Path(__file__).with_name("count_qemu_blocks.c").read_text(encoding="utf-8")
    return build_shared_object(f"#define QEMU_PLUGIN_VERSION {interface}\n{source}")
