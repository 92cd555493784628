"""Firmware of boards: what is linked, what it is told of the board, and what does not fit."""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import replace

import pytest
from elftools.elf.elffile import ELFFile
from golden.graphs import digits, tiny
from support import model_of

from mcuq.boards.facts import MAILBOX_BYTES, Board, Uart
from mcuq.boards.find import board_names, load_board, parse_board
from mcuq.build.elf import read_symbols
from mcuq.build.firmware import Firmware, build_firmware, build_loader, slot_header
from mcuq.build.firmware_source import marked_source, model_sources
from mcuq.compile import CompiledModel
from mcuq.errors import ArtifactError, BoardError
from mcuq.resources import resource_dir

WITH_FIRMWARE = [name for name in board_names() if load_board(name).driver is not None]
WITH_LOADER = [name for name in WITH_FIRMWARE if load_board(name).loader is not None]


def model(board: str | Board = "mps2-an386") -> CompiledModel:
    return model_of(digits(), board, "digits")


def symbols(firmware: Firmware) -> dict[str, int]:
    return {symbol.name: symbol.address for symbol in read_symbols(firmware.elf)}


def with_memory(board: str, **memory: int) -> Board:
    """A board without a loader, with other sizes of memory."""
    found = load_board(board)
    assert found.memory is not None
    return replace(found, loader=None, memory=replace(found.memory, **memory))


# The model's C, joined


def test_each_layer_is_marked_once_after_its_last_call_and_nothing_else_is_changed() -> None:
    compiled = model_of(tiny(), "cortex-m4", "tiny")
    text = compiled.files["tiny.c"]
    marked = marked_source(text, compiled.listing)
    layers = [layer.name for layer in compiled.listing.layers]
    calls = re.findall(r"/\* (\w+) \*/\n|mcuq_layer_done\((\d+)\);", marked[marked.index("void tiny_run_in(") :])
    seen = [name or int(number) for name, number in calls]
    expected: list[str | int] = []
    for k, layer in enumerate(layers):
        expected += [*[name for name in (n for n, _ in calls) if name == layer], k]
    assert seen == expected
    assert "".join(line for line in marked.splitlines(True) if "mcuq_layer_done" not in line) == text


def test_c_that_mcuq_has_not_written_is_refused() -> None:
    files = {**model().files, "digits.c": "int main(void) { return 0; }"}
    with pytest.raises(ArtifactError) as caught:
        model_sources(replace(model(), files=files), True)
    assert str(caught.value) == "digits.c, digits.h: were changed after mcuq wrote them; compile the model again"


def test_an_input_is_kept_beside_the_arena_only_if_asked() -> None:
    joined = [model_sources(model(), keeps)["mcuq_joined.c"] for keeps in (True, False)]
    assert "static int8_t kept_input[64];" in joined[0]
    assert "kept_input[64]" not in joined[1]
    assert ".kept_input = 0," in joined[1]


# What is linked


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_FIRMWARE)
def test_firmware_of_every_board_begins_with_its_vectors_and_fits(name: str) -> None:
    board = load_board(name)
    memory = board.program_memory
    assert memory is not None
    firmware = build_firmware(model(name))
    found = symbols(firmware)
    assert firmware.address == memory.flash_address
    assert len(firmware.image) <= memory.flash_bytes
    assert firmware.ram_bytes + MAILBOX_BYTES <= memory.ram_bytes
    assert (found["mcuq_stack_bottom"], found["mcuq_stack_top"]) == (
        memory.ram_address,
        memory.ram_address + firmware.stack_bytes,
    )
    assert found["mcuq_reset"] == firmware.entry & ~1
    if board.cpu.core.startswith("cortex-m"):
        table = firmware.image.index(
            found["mcuq_stack_top"].to_bytes(4, "little") + firmware.entry.to_bytes(4, "little")
        )
        assert (firmware.address + table) % 128 == 0
    else:
        assert firmware.entry == firmware.address


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_LOADER)
def test_the_loader_of_every_board_ends_before_its_slot(name: str) -> None:
    board = load_board(name)
    assert board.loader is not None
    assert board.memory is not None
    loader = build_loader(board)
    assert loader.address == (board.memory.flash_address if board.loader.address is None else board.loader.address)
    if loader.address < board.loader.slot_address:
        assert loader.address + len(loader.image) <= board.loader.slot_address
    assert len(loader.image) < 8192
    memory = board.program_memory
    assert memory is not None
    assert loader.ram_bytes + MAILBOX_BYTES <= memory.ram_bytes


def test_the_same_input_gives_the_same_bytes() -> None:
    first, second = (build_firmware(model()) for _ in range(2))
    assert first.elf == second.elf
    assert build_loader(load_board("mps2-an386")).elf == build_loader(load_board("mps2-an386")).elf


def test_the_image_is_what_the_elf_file_puts_into_flash() -> None:
    firmware = build_firmware(model())
    for segment in ELFFile(io.BytesIO(firmware.elf)).iter_segments("PT_LOAD"):
        if segment["p_filesz"]:
            start = segment["p_paddr"] - firmware.address
            assert firmware.image[start : start + segment["p_filesz"]] == segment.data()


def test_the_image_names_board_model_and_build_and_no_path() -> None:
    firmware = build_firmware(model())
    for text in ("mps2-an386", "digits", firmware.build):
        assert text.encode() in firmware.image
    assert str(resource_dir("firmware")).encode() not in firmware.elf


def test_a_frame_holds_the_whole_input_and_the_window_two_of_them() -> None:
    firmware = build_firmware(model())
    assert firmware.payload_bytes >= 64
    assert firmware.window_bytes >= 2 * (64 + 11)


def test_without_an_interrupt_reception_is_polled_and_there_is_no_window() -> None:
    assert build_firmware(model("microbit-v1")).window_bytes == 0


@pytest.mark.slow
def test_where_ram_is_short_the_window_goes_first_then_the_kept_input_then_the_frame() -> None:
    """Each time a little less than the choice before takes."""
    large = model_of(tiny(), "mps2-an386", "tiny")
    ram_bytes, seen = 65_536, []
    while True:
        try:
            firmware = build_firmware(large, with_memory("mps2-an386", ram_bytes=ram_bytes))
        except BoardError:
            break
        assert firmware.ram_bytes <= ram_bytes
        seen.append((firmware.window_bytes, "kept_input" in symbols(firmware), firmware.payload_bytes))
        ram_bytes = 32_000 if ram_bytes == 65_536 else firmware.ram_bytes - 1
    frame = 192 + 16
    assert seen == [(2 * frame, True, 192)] * 2 + [(frame, True, 192), (0, True, 192), (0, False, 192)]


# What does not fit


def test_a_model_with_too_much_data_is_refused_with_figures() -> None:
    board = with_memory("mps2-an386", ram_bytes=4096)
    with pytest.raises(BoardError) as caught:
        build_firmware(model(), board)
    pattern = (
        r"model 'digits' needs (\d,\d{3}) bytes of RAM on the device \(arena (\d,\d{3}), stack 2,048, protocol and the "
        r"rest ([\d,]+)\), mps2-an386 has 4,096 for it; use a smaller model or a board with more RAM"
    )
    found = re.fullmatch(pattern, str(caught.value))
    assert found, str(caught.value)
    needed, arena, rest = (int(text.replace(",", "")) for text in found.groups())
    assert needed == arena + 2048 + rest
    assert arena == model().arena_bytes


def test_a_model_with_too_much_code_is_refused_with_figures() -> None:
    with pytest.raises(BoardError) as caught:
        build_firmware(model(), with_memory("mps2-an386", flash_bytes=8192))
    pattern = (
        r"model 'digits' needs \d+,\d{3} bytes of flash with its firmware, mps2-an386 has 8,192 for it; use a smaller "
        r"model or a board with more flash"
    )
    assert re.fullmatch(pattern, str(caught.value)), str(caught.value)


def test_a_loader_that_would_reach_into_its_slot_is_refused() -> None:
    board = load_board("microbit-v1")
    assert board.loader is not None
    assert board.memory is not None
    loader = replace(board.loader, address=0x3000, slot_address=0x3400)
    with pytest.raises(BoardError) as caught:
        build_loader(replace(board, loader=loader))
    pattern = (
        r"the loader needs \d,\d{3} bytes of flash with its firmware, microbit-v1 has 1,024 for it; use a smaller "
        r"model or a board with more flash"
    )
    assert re.fullmatch(pattern, str(caught.value)), str(caught.value)


def test_an_image_must_begin_with_its_vectors() -> None:
    """The loader jumps to its first byte; 88 vectors are aligned to 512 bytes."""
    board = load_board("netduinoplus2")
    assert board.loader is not None
    with pytest.raises(BoardError) as caught:
        build_firmware(model(board), replace(board, loader=replace(board.loader, page_bytes=256)))
    assert str(caught.value) == (
        "board 'netduinoplus2' [loader]: slot_address + page_bytes = 0x20010100 must be a multiple of 512, where its "
        "vectors can lie"
    )


def test_behind_a_loader_a_cortex_m0_has_no_interrupts_of_its_own() -> None:
    board = load_board("microbit-v1")
    assert board.uart is not None
    assert board.driver is not None
    for changed in (
        replace(board, uart=replace(board.uart, interrupt=2)),
        replace(board, driver=replace(board.driver, counter="systick")),
    ):
        with pytest.raises(BoardError) as caught:
            build_firmware(model(board), changed)
        assert str(caught.value) == (
            "board 'microbit-v1' [loader]: a Cortex-M0 finds its vectors at address 0 only, where the loader's are; "
            "leave out [uart] interrupt, and use another [firmware] counter than systick"
        )


def test_a_board_without_a_driver_has_no_firmware() -> None:
    with pytest.raises(BoardError) as caught:
        build_firmware(model("cortex-m4"))
    assert str(caught.value) == (
        "board 'cortex-m4' is a CPU without a driver, so that no firmware can be built for it; use a board with a "
        "[firmware] table (mcuq boards lists them)"
    )


def test_a_board_without_a_loader_says_how_it_is_flashed() -> None:
    with pytest.raises(BoardError) as caught:
        build_loader(load_board("stm32vldiscovery"))
    text = "board 'stm32vldiscovery' has no [loader]; it is flashed by the method 'stm32-rom'"
    assert str(caught.value) == text


def test_another_board_must_have_the_features_that_the_models_c_uses() -> None:
    with pytest.raises(BoardError) as caught:
        build_firmware(model("mps2-an386"), load_board("mps2-an385"))
    assert str(caught.value) == (
        "model 'digits' is compiled for mps2-an386 and uses dsp, fpu, which mps2-an385 does not have; compile it again "
        "with --board mps2-an385"
    )
    assert build_firmware(model("mps2-an386"), load_board("mps2-an505")).board.name == "mps2-an505"


def test_the_slots_header_is_the_loaders() -> None:
    firmware = build_firmware(model())
    header = slot_header(firmware)
    words = [int.from_bytes(header[i : i + 4], "little") for i in (4, 8, 12)]
    assert header[:4] == b"MCUQ"
    assert words[:2] == [len(firmware.image), zlib.crc32(firmware.image)]
    assert words[2] == words[0] ^ words[1] ^ 0xFFFF_FFFF


# One TOML file is all that a board of a known family takes


def test_a_board_of_a_known_family_takes_one_file() -> None:
    text = (resource_dir("boards") / "netduinoplus2.toml").read_text()
    text = re.sub(r"\[loader\].*?\n\n", "", text, flags=re.DOTALL)
    text = re.sub(r"\[qemu\].*", "", text, flags=re.DOTALL)
    for old, new in (
        ('name = "netduinoplus2"', 'name = "weather_station"'),
        ('"mcuq-loader"', '"stm32-rom"'),
        ("address = 0x4001_1400", "address = 0x4000_4400"),
        ("interrupt = 71", "interrupt = 38"),
        ("clock_hz = 84_000_000", "clock_hz = 42_000_000"),
        ('tx = "PC6"', 'tx = "PA2"'),
        ('rx = "PC7"', 'rx = "PA3"'),
        ("alternate = 8", "alternate = 7"),
        ('verified = "emulator"', 'verified = "untried"'),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    board = parse_board(text, "weather_station.toml")
    assert board.uart == Uart(0x4000_4400, 42_000_000, 115_200, 38, "PA2", "PA3", (("alternate", 7),))
    firmware = build_firmware(model(board))
    assert firmware.address == 0x0800_0000
    assert b"weather_station" in firmware.image
