"""Boards: boards/NAME.toml, or a user's own file, read strictly into frozen dataclasses."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mcuq.errors import BoardError, did_you_mean
from mcuq.resources import resource_dir

FEATURES = ("dsp", "fpu", "mve", "rv32m", "armv6m", "armv7m")
"""What a kernel can ask of a CPU: dsp = SMLAD and its kin; fpu = single-precision registers; mve = Helium, the
vectors of Armv8.1-M; rv32m = RV32I with MUL and MULH; armv6m = Thumb without long multiplies (Cortex-M0, M0+);
armv7m = Thumb-2 with them and without dsp (Cortex-M3)."""

VERIFIED = ("hardware", "emulator", "untried")
"""How far a board has been proved: on the device itself, in an emulator only, not at all."""

_ADDRESS_SPACE = 1 << 32


@dataclass(frozen=True)
class Cpu:
    """A processor, as each compiler and emulator names it.

    `target` and `zig_cpu` are for `zig cc -target ... -mcpu=...`; `gcc` is the command of the GNU compiler.
    `unicorn_model` and `qemu_machine` are None where Unicorn or QEMU does not emulate it.
    """

    core: str
    features: frozenset[str]
    target: str
    zig_cpu: str
    gcc: str
    gcc_flags: tuple[str, ...]
    unicorn_model: str | None = None
    qemu_machine: str | None = None

    @property
    def is_emulated(self) -> bool:
        """Whether Unicorn or QEMU has it."""
        return self.unicorn_model is not None or self.qemu_machine is not None


@dataclass(frozen=True)
class Memory:
    """The memory a program may use."""

    flash_address: int
    flash_bytes: int
    ram_address: int
    ram_bytes: int


@dataclass(frozen=True)
class Board:
    """A CPU with its memory and clock; the host has neither `memory` nor `clock_hz`. `source` is the TOML text."""

    name: str
    description: str
    verified: str
    cpu: Cpu
    memory: Memory | None = None
    clock_hz: int | None = None
    source: str = field(default="", repr=False, compare=False)


def board_names() -> tuple[str, ...]:
    """Return the names of the boards that come with mcuq, sorted."""
    return tuple(sorted(path.stem for path in resource_dir("boards").glob("*.toml")))


def load_board(name_or_path: str) -> Board:
    """Return the board of that name, or of that file where the text ends in .toml or has a slash.

    Raises BoardError for an unknown board and for anything wrong in its file.
    """
    if name_or_path.endswith(".toml") or "/" in name_or_path or "\\" in name_or_path:
        return _read(Path(name_or_path))
    names = board_names()
    if name_or_path not in names:
        hint = did_you_mean(name_or_path, names)
        raise BoardError(f"board '{name_or_path}' is not known{hint} (mcuq boards lists them)")
    return _read(resource_dir("boards") / f"{name_or_path}.toml")


def _read(path: Path) -> Board:
    try:
        return parse_board(path.read_text(encoding="utf-8"), path.name)
    except OSError as error:
        raise BoardError(f"{path}: cannot be read: {error.strerror}; give the path of a board file") from error
    except UnicodeDecodeError as error:
        raise BoardError(f"{path.name}: is not valid TOML: {error}") from error


def parse_board(text: str, file_name: str) -> Board:
    """Return the board that the TOML text describes; `file_name` is its file's, for errors.

    Raises BoardError for anything wrong in the text.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BoardError(f"{file_name}: is not valid TOML: {error}") from error
    table = _Table(file_name, values, Board)
    board = Board(
        name=table.text("name"),
        description=table.text("description"),
        verified=table.choice("verified", VERIFIED),
        cpu=_cpu(table.table("cpu", Cpu)),
        memory=_memory(table.table("memory", Memory)) if "memory" in values else None,
        clock_hz=table.positive("clock_hz") if "clock_hz" in values else None,
        source=text,
    )
    stem = file_name.removesuffix(".toml")
    if board.name != stem:
        raise BoardError(f"{file_name}: name = '{board.name}' is not the file's name; write '{stem}'")
    return board


def _cpu(table: _Table) -> Cpu:
    return Cpu(
        core=table.text("core"),
        features=frozenset(table.choices("features", FEATURES)),
        target=table.text("target"),
        zig_cpu=table.text("zig_cpu"),
        gcc=table.text("gcc"),
        gcc_flags=table.texts("gcc_flags"),
        unicorn_model=table.text("unicorn_model") if "unicorn_model" in table.values else None,
        qemu_machine=table.text("qemu_machine") if "qemu_machine" in table.values else None,
    )


def _memory(table: _Table) -> Memory:
    memory = Memory(
        flash_address=table.address("flash_address"),
        flash_bytes=table.positive("flash_bytes"),
        ram_address=table.address("ram_address"),
        ram_bytes=table.positive("ram_bytes"),
    )
    flash_end = memory.flash_address + memory.flash_bytes
    ram_end = memory.ram_address + memory.ram_bytes
    if max(flash_end, ram_end) > _ADDRESS_SPACE:
        raise BoardError(f"{table.where}: memory ends beyond 32-bit addresses; check addresses and sizes")
    if memory.flash_address < ram_end and memory.ram_address < flash_end:
        raise BoardError(f"{table.where}: flash and RAM overlap; check addresses and sizes")
    return memory


class _Table:
    """One TOML table whose keys must be fields of `shape`; each getter checks one key."""

    def __init__(self, where: str, values: Mapping[str, Any], shape: type[Board] | type[Cpu] | type[Memory]):
        known = [f.name for f in fields(shape) if f.name != "source"]
        for key in values:
            if key not in known:
                hint = did_you_mean(key, known) or f"; known keys: {', '.join(known)}"
                raise BoardError(f"{where}: unknown key '{key}'{hint}")
        self.where = where
        self.values = values

    def table(self, key: str, shape: type[Cpu] | type[Memory]) -> _Table:
        where = f"{self.where} [{key}]"
        if key not in self.values:
            raise BoardError(f"{where}: the table is missing")
        if not isinstance(self.values[key], dict):
            raise BoardError(f"{where}: must be a table, is {self.values[key]!r}")
        return _Table(where, self.values[key], shape)

    def text(self, key: str) -> str:
        value = self._get(key)
        if not isinstance(value, str) or not value:
            raise self._wrong(key, "a text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._get(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, "a list of texts")
        return tuple(value)

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        return self._known(key, self.text(key), choices)

    def choices(self, key: str, choices: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._known(key, value, choices) for value in self.texts(key))

    def positive(self, key: str) -> int:
        value = self._get(key)
        if type(value) is not int or value <= 0:
            raise self._wrong(key, "a whole number above 0")
        return value

    def address(self, key: str) -> int:
        value = self._get(key)
        if type(value) is not int or value < 0:
            raise self._wrong(key, "a whole number from 0")
        return value

    def _get(self, key: str) -> object:
        if key not in self.values:
            raise BoardError(f"{self.where}: key '{key}' is missing")
        return self.values[key]

    def _wrong(self, key: str, expected: str) -> BoardError:
        return BoardError(f"{self.where}: {key} = {self.values[key]!r} must be {expected}")

    def _known(self, key: str, value: str, choices: tuple[str, ...]) -> str:
        if value not in choices:
            raise BoardError(f"{self.where}: {key} has '{value}', must be from: {', '.join(choices)}")
        return value
