"""A board's TOML text, read strictly into the dataclasses of board_facts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields

from mcuq.boards.facts import (
    COUNTERS,
    EMULATOR_KEYS,
    FEATURES,
    FLASH_METHODS,
    GCC_COMMANDS,
    GCC_FLAGS,
    LOADER_KINDS,
    QEMU_SYSTEMS,
    VERIFIED,
    Board,
    Cpu,
    Driver,
    Flashing,
    Loader,
    Memory,
    Qemu,
    Ram,
    Uart,
    Usb,
    WeightSlots,
)
from mcuq.boards.family import COMMON_UART_KEYS, family_keys, family_names
from mcuq.boards.toml_table import Table
from mcuq.errors import BoardError
from mcuq.toml_text import parse_toml

_ADDRESS_SPACE = 1 << 32
_WEIGHTS_ALIGNMENT = 8  # of ID.weights.bin: docs/weights.md
_UART_KEYS_OF_ALL = ("address", "clock_hz", "baud", "interrupt")  # what Uart always has, or knows how to do without
_RAM_KEYS = ("address", "bytes", "fast")
# A memory's name is a part of names in C: ID_arena_NAME, ID_ARENA_NAME_BYTES.
RAM_NAME = re.compile(r"[a-z][a-z0-9]{0,15}")
_NO_RAM_NAMES = ("alignment", "bytes", "flash", "section")
_TABLES = ("cpu", "memory", "firmware", "uart", "clock", "flash", "loader", "weights", "usb", "qemu")


def parse_board(text: str, file_name: str) -> Board:
    """Return the board that the TOML text describes; `file_name` is its file's, for errors.

    Raises BoardError for anything wrong in the text.
    """
    try:
        values = parse_toml(text)
    except ValueError as error:
        raise BoardError(f"{file_name}: is not valid TOML: {error}") from error
    table = Table(file_name, values, ("name", "description", "verified", "clock_hz", *_TABLES))
    driver = _driver(table.table("firmware", _keys(Driver))) if "firmware" in table else None
    board = Board(
        name=table.text("name"),
        description=table.text("description"),
        verified=table.choice("verified", VERIFIED),
        cpu=_cpu(table.table("cpu", _keys(Cpu))),
        memory=_memory(table.table("memory", _keys(Memory))) if "memory" in table else None,
        clock_hz=table.positive("clock_hz") if "clock_hz" in table else None,
        driver=driver,
        uart=_uart(table, driver) if driver or "uart" in table else None,
        clock=_settings(table, "clock", driver),
        flashing=_flashing(table, driver) if "flash" in table else None,
        loader=_loader(table.table("loader", _keys(Loader))) if "loader" in table else None,
        weights=_weights(table.table("weights", _keys(WeightSlots))) if "weights" in table else None,
        usb=_usb(table.table("usb", _keys(Usb))) if "usb" in table else None,
        qemu=_qemu(table.table("qemu", _keys(Qemu))) if "qemu" in table else None,
        source=text,
    )
    stem = file_name.removesuffix(".toml")
    if board.name != stem:
        raise BoardError(f"{file_name}: name = '{board.name}' is not the file's name; write '{stem}'")
    _check_parts(board, file_name)
    return board


def _keys(shape: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(shape))


def _cpu(table: Table) -> Cpu:
    return Cpu(
        core=table.word("core"),
        features=frozenset(table.choices("features", FEATURES)),
        target=table.word("target"),
        zig_cpu=table.word("zig_cpu"),
        gcc=table.choice("gcc", GCC_COMMANDS),
        gcc_flags=table.flags("gcc_flags", GCC_FLAGS),
        **{key: table.word(key) for key in EMULATOR_KEYS if key in table},
    )


def _memory(table: Table) -> Memory:
    more = table.raw_table("more") if "more" in table else {}
    all_more = Table(f"{table.where} [more]", more, tuple(more))
    memory = Memory(
        flash_address=table.address("flash_address"),
        flash_bytes=table.positive("flash_bytes"),
        ram_address=table.address("ram_address"),
        ram_bytes=table.positive("ram_bytes"),
        ram_name=table.text("ram_name") if "ram_name" in table else "ram",
        more=tuple(_ram(name, all_more.table(name, _RAM_KEYS)) for name in more),
    )
    flash = Ram("flash", memory.flash_address, memory.flash_bytes)
    if max(part.end for part in (flash, *memory.rams)) > _ADDRESS_SPACE:
        raise BoardError(f"{table.where}: memory ends beyond 32-bit addresses; check addresses and sizes")
    if _overlap(flash, memory.main):
        raise BoardError(f"{table.where}: flash and RAM overlap; check addresses and sizes")
    taken = [flash, memory.main]
    for ram in memory.more:
        for other in taken:
            if ram.name == other.name:
                raise BoardError(f"{table.where}: two memories are called '{ram.name}'; give each a name of its own")
            if _overlap(ram, other):
                raise BoardError(f"{table.where}: '{ram.name}' and '{other.name}' overlap; check addresses and sizes")
        taken.append(ram)
    for ram in memory.rams:
        if not RAM_NAME.fullmatch(ram.name) or ram.name in _NO_RAM_NAMES:
            raise BoardError(
                f"{table.where}: a memory cannot be called '{ram.name}'; use 1 to 16 small letters and digits, a "
                f"letter first, as in dtcm, but none of {', '.join(_NO_RAM_NAMES)}"
            )
    return memory


def _ram(name: str, table: Table) -> Ram:
    return Ram(
        name,
        address=table.address("address"),
        size_bytes=table.positive("bytes"),
        is_fast=table.flag("fast") if "fast" in table else False,
    )


def _overlap(a: Ram, b: Ram) -> bool:
    return a.address < b.end and b.address < a.end


def _driver(table: Table) -> Driver:
    return Driver(family=table.choice("family", family_names()), counter=table.choice("counter", COUNTERS))


def _uart(file: Table, driver: Driver | None) -> Uart:
    own = family_keys(driver.family, "uart") if driver else {}
    settings = tuple(key for key in own if key not in COMMON_UART_KEYS)
    table = file.table("uart", (*COMMON_UART_KEYS, *settings))
    _check_needed(table, {key: own[key] for key in own if key not in _UART_KEYS_OF_ALL}, driver)
    return Uart(
        address=table.address("address"),
        clock_hz=table.positive("clock_hz"),
        baud=table.positive("baud") if "baud" in table else 115_200,
        interrupt=table.address("interrupt") if "interrupt" in table else None,
        tx=table.pin("tx") if "tx" in table else None,
        rx=table.pin("rx") if "rx" in table else None,
        settings=tuple((key, table.setting(key)) for key in settings if key in table),
    )


def _settings(file: Table, name: str, driver: Driver | None) -> tuple[tuple[str, int], ...]:
    """A table of which every key is the family's."""
    own = family_keys(driver.family, name) if driver else {}
    if name not in file and not any(own.values()):
        return ()
    if driver is None:
        raise BoardError(f"{file.where} [{name}]: needs a [firmware] table too")
    table = file.table(name, tuple(own))
    _check_needed(table, own, driver)
    return tuple((key, table.setting(key)) for key in own if key in table)


def _check_needed(table: Table, own: Mapping[str, bool], driver: Driver | None) -> None:
    """Raise where a key is missing that the family's driver cannot do without."""
    for key, is_needed in own.items():
        if driver and is_needed and key not in table:
            raise BoardError(f"{table.where}: key '{key}' is missing (family '{driver.family}' needs it)")


def _flashing(file: Table, driver: Driver | None) -> Flashing:
    kinds = {key: kind for facts in FLASH_METHODS.values() for key, kind in facts.options.items()}
    own = family_keys(driver.family, "flash") if driver else {}
    table = file.table("flash", ("method", *own, *kinds))
    _check_needed(table, own, driver)
    read: dict[str, Callable[[str], str | int]] = {
        "text": table.text,
        "word": table.word,
        "path": table.path,
        "address": table.address,
        "positive": table.positive,
    }
    return Flashing(
        method=table.choice("method", tuple(FLASH_METHODS)),
        wait_states=table.address("wait_states") if "wait_states" in table else None,
        options=tuple((key, read[kind](key)) for key, kind in kinds.items() if key in table),
    )


def _loader(table: Table) -> Loader:
    loader = Loader(
        slot_address=table.address("slot_address"),
        slot_bytes=table.positive("slot_bytes"),
        page_bytes=table.positive("page_bytes"),
        kind=table.choice("kind", LOADER_KINDS),
        address=table.address("address") if "address" in table else None,
    )
    _check_pages(table, loader)
    return loader


def _weights(table: Table) -> WeightSlots:
    slots = WeightSlots(
        address=table.address("address"),
        slot_bytes=table.positive("slot_bytes"),
        page_bytes=table.positive("page_bytes"),
        kind=table.choice("kind", LOADER_KINDS),
    )
    _check_pages(table, slots)
    if slots.address % slots.page_bytes or slots.page_bytes % _WEIGHTS_ALIGNMENT:
        raise BoardError(
            f"{table.where}: address = {slots.address:#x} must be a multiple of page_bytes = {slots.page_bytes:,}, and "
            f"that of {_WEIGHTS_ALIGNMENT}: a page is erased as a whole, and weights are aligned"
        )
    if slots.address + 2 * slots.slot_bytes > _ADDRESS_SPACE:
        raise BoardError(f"{table.where}: slots end beyond 32-bit addresses; check address and slot_bytes")
    return slots


def _check_pages(table: Table, slot: Loader | WeightSlots) -> None:
    if slot.slot_bytes % slot.page_bytes or slot.slot_bytes < 2 * slot.page_bytes:
        raise BoardError(
            f"{table.where}: slot_bytes = {slot.slot_bytes:,} must be 2 or more pages of {slot.page_bytes:,} bytes"
        )


def _usb(table: Table) -> Usb:
    return Usb(vendor_id=table.address("vendor_id"), product_id=table.address("product_id"))


def _qemu(table: Table) -> Qemu:
    return Qemu(
        machine=table.word("machine"),
        system=table.choice("system", QEMU_SYSTEMS) if "system" in table else "arm",
        serial=table.address("serial") if "serial" in table else 0,
        wake=table.address("wake") if "wake" in table else None,
    )


def _check_weights(board: Board, where: str) -> None:
    """Slots lie outside of all that programs use."""
    slots, memory = board.weights, board.memory
    if slots is None:
        return
    if board.driver is None or memory is None:
        raise BoardError(f"{where} [weights]: needs a [firmware] table too")
    both = Ram("slots", slots.address, 2 * slots.slot_bytes)
    for other in (Ram("flash", memory.flash_address, memory.flash_bytes), *memory.rams):
        if _overlap(both, other):
            raise BoardError(
                f"{where} [weights]: slots from {both.address:#010x} to {both.end:#010x} overlap '{other.name}'; leave "
                "them out of its bytes"
            )


def _check_parts(board: Board, where: str) -> None:
    """What no table can tell alone."""
    _check_weights(board, where)
    if board.driver is not None and (board.memory is None or board.clock_hz is None):
        raise BoardError(f"{where}: [firmware] needs [memory] and clock_hz too")
    if board.loader is None:
        if board.flashing is not None and board.flashing.facts.needs_loader:
            raise BoardError(f"{where} [flash]: method '{board.flashing.method}' needs a [loader] table")
        return
    if board.driver is None or board.memory is None:
        raise BoardError(f"{where} [loader]: needs a [firmware] table too")
    slot, memory = board.loader, board.memory
    if slot.slot_address % slot.page_bytes:
        raise BoardError(
            f"{where} [loader]: slot_address = {slot.slot_address:#x} must be a multiple of page_bytes = "
            f"{slot.page_bytes:,}: a page is erased as a whole"
        )
    end = slot.slot_address + slot.slot_bytes
    ram_end = memory.ram_address + memory.ram_bytes
    if (
        slot.slot_address < ram_end
        and memory.ram_address < end
        and (end != ram_end or slot.slot_address <= memory.ram_address)
    ):
        raise BoardError(f"{where} [loader]: a slot in RAM must be at its end, and leave some")
    start = memory.flash_address if slot.address is None else slot.address
    if slot.slot_address <= start < end or end > _ADDRESS_SPACE:
        raise BoardError(f"{where} [loader]: the slot covers the loader at {start:#010x}")
