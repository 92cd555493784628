"""Boards with chips of Nordic, Raspberry Pi and NXP: nobody here has them, so their firmware runs on Unicorn against
models of their registers, and the headers that their ROMs look for are read as the ROMs do.
"""

from __future__ import annotations

import functools
import struct

import numpy as np
import pytest
import unicorn.arm_const as arm
from other_chips import (
    BREAK,
    FRAMING,
    OTHER_CHIPS,
    OVERRUN,
    ImxRt1062,
    Nrf52,
    OtherChip,
    Rp2,
    Rp2040,
    Rp2350,
    other_chip_of,
)
from real_boards import large_boards, real_boards, side_of_large_model
from register_harness import AIRCR, Chip, Harness, HarnessLink, Stuck, first_write
from selections import quick
from stm32_chips import MHZ
from support import integer_graph, model_of, random_inputs

from mcuq.boards.find import load_board
from mcuq.boards.toml_table import pin_numbers
from mcuq.build.firmware import Firmware, build_firmware
from mcuq.compile import CompiledModel, compile_model
from mcuq.device.flash.uf2 import uf2_file
from mcuq.device.session import Session
from mcuq.graph.simulate import simulate
from mcuq.ops.add import Add
from mcuq.resources import resource_dir

BOARDS = real_boards(OTHER_CHIPS)
# family -> where its vectors are
VECTORS = {"nrf52": 0x0000_0000, "rp2040": 0x1000_0100, "rp2350": 0x1000_0100, "imxrt1062": 0x6000_1100}
NRF52 = real_boards(["nrf52"])
RP2 = real_boards(["rp2040", "rp2350"])
MOST_BAUD_ERROR = 0.02
SAMPLES = 3

every_board = pytest.mark.parametrize("name", BOARDS)


@functools.cache
def digits(name: str) -> CompiledModel:
    folder = resource_dir("examples") / "digits"
    return compile_model(
        str(folder / "digits.onnx"), load_board(name), str(folder / "digits_calibration.npz"), name="digits"
    )


@functools.cache
def firmware_of(name: str) -> Firmware:
    return build_firmware(digits(name))


def harness_of(name: str, chip: Chip) -> Harness:
    return Harness(firmware_of(name), chip, other_chip_of(load_board(name)).regions)


def started(name: str) -> tuple[Harness, OtherChip]:
    """A chip on which board_start() has run."""
    chip = other_chip_of(load_board(name))
    harness = harness_of(name, chip)
    harness.call("board_start")
    return harness, chip


def check_image(firmware: Firmware) -> None:
    """The vectors where the core finds them, and everything within the board's memory."""
    board = firmware.board
    assert board.memory is not None and board.uart is not None and board.uart.interrupt is not None
    harness = Harness(firmware, Chip(), other_chip_of(board).regions)
    assert board.driver is not None
    at = VECTORS[board.driver.family]
    words = np.frombuffer(firmware.image[at - firmware.address :][: 4 * (17 + board.uart.interrupt)], "<u4")
    assert firmware.address == board.memory.flash_address
    assert at % (1 << (4 * len(words) - 1).bit_length()) == 0, "VTOR wants it aligned to its size"
    assert words[0] == harness.address_of("mcuq_stack_top")
    assert words[1] == firmware.entry == harness.address_of("mcuq_reset") | 1
    assert words[16 + board.uart.interrupt] == harness.address_of("mcuq_uart") | 1
    assert len(firmware.image) <= board.memory.flash_bytes
    assert firmware.ram_bytes <= board.memory.ram_bytes
    check_header(firmware)


def check_header(firmware: Firmware) -> None:
    """What stands before the vectors."""
    head = {"rp2040": check_boot2, "rp2350": check_image_def, "imxrt1062": check_flash_header}
    assert firmware.board.driver is not None
    if firmware.board.driver.family in head:
        head[firmware.board.driver.family](firmware)


@pytest.mark.parametrize("name", quick(BOARDS))
def test_the_firmware_fits_and_has_its_vectors_and_header(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUQ_CC", "zig")
    check_image(build_firmware(digits(name)))


@pytest.mark.toolchain
@every_board
def test_the_firmware_fits_and_has_its_vectors_and_header_with_gcc_too(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCUQ_CC", "gcc")
    check_image(build_firmware(digits(name)))


@pytest.mark.slow
@pytest.mark.parametrize("name", large_boards(OTHER_CHIPS))
def test_a_large_model_uses_all_of_the_ram_that_lies_together(name: str) -> None:
    side = side_of_large_model(name)
    firmware = build_firmware(model_of(integer_graph(Add(), [(side, side, 4), (side, side, 4)]), name, "wide"))
    assert firmware.board.memory is not None
    assert 0.9 * firmware.board.memory.ram_bytes < firmware.ram_bytes <= firmware.board.memory.ram_bytes


@every_board
def test_the_clocks_are_those_of_the_board_file_and_within_the_manuals_limits(name: str) -> None:
    board = load_board(name)
    assert board.uart is not None
    _, chip = started(name)
    assert chip.core_hz() == board.clock_hz
    assert abs(chip.baud() / board.uart.baud - 1) < MOST_BAUD_ERROR
    assert chip.too_fast == []
    if isinstance(chip, Rp2):
        assert 750 * MHZ <= chip.vco_hz() <= 1600 * MHZ
        assert chip.core_hz() == board.uart.clock_hz
    if isinstance(chip, ImxRt1062):
        assert 648 * MHZ <= chip.pll_hz() <= 1296 * MHZ
        assert chip.crystal_hz == board.uart.clock_hz
    if isinstance(chip, Nrf52):
        assert chip.runs_from_crystal


@every_board
@pytest.mark.parametrize("chip", quick([Chip(), Stuck(0), Stuck(0xFFFF_FFFF)]), ids=["silent", "zeros", "ones"])
def test_the_start_ends_on_a_chip_that_answers_nothing(name: str, chip: Chip) -> None:
    harness_of(name, chip).call("board_start")


@pytest.mark.slow
@every_board
def test_a_chip_whose_oscillators_never_start_goes_on_within_its_limits(name: str) -> None:
    chip = other_chip_of(load_board(name), wakes=False)
    harness = harness_of(name, chip)
    harness.call("board_start")
    assert chip.too_fast == []
    assert chip.core_hz() > 0
    harness.call("board_send", 0x5A)
    assert bytes(chip.from_device) == b"\x5a"


@every_board
def test_bytes_come_and_go(name: str) -> None:
    harness, chip = started(name)
    assert harness.call("board_receive") == 0xFFFF_FFFF
    chip.to_device.extend([(0x00, 0), (0xFF, 0), (0x44, 0)])
    assert chip.interrupts()
    assert [harness.call("board_receive") for _ in range(4)] == [0x00, 0xFF, 0x44, 0xFFFF_FFFF]
    assert not chip.interrupts(), "nothing asks for the interrupt for ever"
    for byte in range(256):
        harness.call("board_send", byte)
    assert bytes(chip.from_device) == bytes(range(256))


@pytest.mark.parametrize("name", [*RP2, "teensy-4.1"])
def test_damaged_bytes_are_dropped(name: str) -> None:
    harness, chip = started(name)
    chip.to_device.extend([(0x40, 0), (0x41, FRAMING), (0x43, FRAMING | BREAK), (0x44, 0)])
    assert [harness.call("board_receive") for _ in range(3)] == [0x40, 0x44, 0xFFFF_FFFF]


@pytest.mark.parametrize("name", [*RP2, "teensy-4.1"])
def test_reception_ends_where_every_byte_is_damaged(name: str) -> None:
    """A receive FIFO that never empties: the handler of the interrupt must come back to the program."""
    harness = harness_of(name, Stuck(0x0000_6F00))
    assert harness.call("board_receive") == 0xFFFF_FFFF


@every_board
def test_the_cycle_counter_moves(name: str) -> None:
    harness, _ = started(name)
    first, second = harness.call("board_cycles"), harness.call("board_cycles")
    assert 0 < second - first < 1000


@every_board
def test_the_whole_firmware_answers_over_the_uart_with_the_simulators_bytes(name: str) -> None:
    board, model = load_board(name), digits(name)
    chip = other_chip_of(board)
    link = HarnessLink(vectors_at(harness_of(name, chip)), chip)
    inputs = random_inputs(model.graph, SAMPLES)
    (want,) = simulate(model.graph, inputs).values()
    (samples,) = inputs.values()
    with Session(link, clock=link.clock) as session:
        info = session.hello()
        assert (info.board, info.clock_hz, info.window_bytes > 0) == (name, board.clock_hz, True)
        assert session.self_test() == 0
        answers = list(session.infer_all(x.tobytes() for x in samples))
        assert (session.traffic.starts, session.traffic.repeats) == (1, 1), "only HELLO again, after STARTED"
    assert [answer.outputs for answer in answers] == [y.tobytes() for y in want]


class VectorsBehindHeader(Harness):
    """A harness that takes handlers from where VTOR points, which is not the image's start on these boards."""

    def _interrupt(self, number: int) -> None:
        before = self.engine.context_save()
        vector = self.chip.words[0xE000_ED08] + 4 * (16 + number)
        handler = int.from_bytes(self.engine.mem_read(vector, 4), "little")
        self.engine.reg_write(self._register["link"], 0x9FFF_F001)
        self.engine.emu_start(handler, 0x9FFF_F000)
        self.engine.context_restore(before)


def vectors_at(harness: Harness) -> Harness:
    return VectorsBehindHeader(harness.firmware, harness.chip, other_chip_of(harness.firmware.board).regions)


@every_board
def test_vtor_points_at_the_vectors(name: str) -> None:
    chip = other_chip_of(load_board(name))
    harness = harness_of(name, chip)
    harness.start()
    harness.run(lambda: bool(chip.from_device), most_instructions=3_000_000)
    driver = load_board(name).driver
    assert driver is not None
    assert chip.words[0xE000_ED08] == VECTORS[driver.family]


@every_board
def test_the_board_says_that_nobody_has_tried_it(name: str) -> None:
    assert load_board(name).verified == "untried"


# nRF52840


@pytest.mark.parametrize("name", NRF52)
def test_nrf52_pins_lead_to_the_uart(name: str) -> None:
    board = load_board(name)
    assert board.uart is not None and board.uart.tx is not None and board.uart.rx is not None
    harness, chip = started(name)
    assert isinstance(chip, Nrf52)
    tx, rx = pin_numbers(board.uart.tx), pin_numbers(board.uart.rx)
    assert chip.pins() == (tx[0] << 5 | tx[1], rx[0] << 5 | rx[1])
    assert chip.pin_configuration(*tx) == 1, "an output"
    assert chip.pin_configuration(*rx) == 0b1100, "an input with its buffer on, pulled up"
    writes = harness.writes
    rests = first_write(writes, 0x5000_0508 + 0x300 * tx[0], 1 << tx[1], 1 << tx[1])
    drives = first_write(writes, 0x5000_0700 + 0x300 * tx[0] + 4 * tx[1], 1, 1)
    connects = first_write(writes, chip.uart + 0x50C, 0x3F, tx[0] << 5 | tx[1])
    enables = first_write(writes, chip.uart + 0x500, 0xF, 4)
    assert rests < drives < connects < enables, "the line rests at 1 from its first moment, PSEL changes while off"
    assert (chip.icachecnf, 1) in writes


@pytest.mark.parametrize("name", NRF52)
def test_nrf52_baud_is_the_specifications_figure(name: str) -> None:
    _, chip = started(name)
    assert chip.words[chip.uart + 0x524] == 0x01D7_E000  # product specification, UART, BAUDRATE: Baud115200


@pytest.mark.parametrize("name", NRF52)
def test_nrf52_clears_errors_and_goes_on(name: str) -> None:
    """Its UART does not say which of the bytes that it holds was damaged: the frame's CRC finds it."""
    harness, chip = started(name)
    chip.to_device.extend([(0x41, FRAMING), (0x44, 0)])
    assert [harness.call("board_receive") for _ in range(3)] == [0x41, 0x44, 0xFFFF_FFFF]
    assert harness.writes[-5:].count((chip.uart + 0x480, 0xF)) == 1, "ERRORSRC is cleared by writing 1"
    assert chip.words[chip.uart + 0x124] == 0


@pytest.mark.parametrize(("variant", "is_opened"), [(b"AAC0", False), (b"AAD1", False), (b"AAF0", True)])
def test_nrf52_keeps_its_debug_port_open_where_the_chip_asks_the_program(variant: bytes, is_opened: bool) -> None:
    chip = Nrf52(load_board("nrf52840-dk"), variant=variant)
    harness = harness_of("nrf52840-dk", chip)
    harness.call("board_start")
    assert ((chip.approtect_disable, 0x5A) in harness.writes) == is_opened


@pytest.mark.parametrize("name", [*NRF52, "teensy-4.1"])
def test_a_reset_is_asked_for_with_its_key(name: str) -> None:
    harness, _ = started(name)
    harness.accesses.clear()
    harness.start("board_reset")
    harness.run(lambda: bool(harness.writes), most_instructions=10_000)
    assert harness.writes == [(AIRCR, 0x05FA_0004)]


# RP2040 and RP2350


def crc32_of_boot2(data: bytes) -> int:
    """RP2040 Datasheet, boot sequence: polynomial 0x04c11db7, from the top bit, begun with all ones, not inverted."""
    crc = 0xFFFF_FFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C1_1DB7 if crc >> 31 else 0)) & 0xFFFF_FFFF
    return crc


def check_boot2(firmware: Firmware) -> None:
    assert crc32_of_boot2(b"123456789") == 0x0376_E6E7, "the published check value of CRC-32/MPEG-2"
    assert struct.unpack("<I", firmware.image[252:256]) == (crc32_of_boot2(firmware.image[:252]),)


def check_image_def(firmware: Firmware) -> None:
    """RP2350 Datasheet, 5.9: items between two markers, the last with the words of all; a loop of one block."""
    words = struct.unpack("<8I", firmware.image[:32])
    assert (words[0], words[-1]) == (0xFFFF_DED3, 0xAB12_3579)
    at, items = 1, {}
    while words[at] & 0xFF != 0xFF:
        n_words = words[at] >> 8 & 0xFF
        items[words[at] & 0xFF] = words[at : at + n_words]
        at += n_words
    assert words[at] >> 8 & 0xFFFF == at - 1
    assert words[at + 1] == 0
    image_type = items[0x42][0] >> 16
    executable, secure, arm_cores, rp2350 = 1, 2 << 4, 0 << 8, 1 << 12
    assert image_type == executable | secure | arm_cores | rp2350
    harness = Harness(firmware, Chip())
    assert items[0x44][1:] == (harness.address_of("mcuq_reset") | 1, harness.address_of("mcuq_stack_top"))


def test_boot2_sets_up_serial_reads_and_starts_the_program() -> None:
    """Run where the ROM puts it: the last 256 bytes of SRAM5."""
    firmware = firmware_of("raspberry-pi-pico")
    ssi, at = 0x1800_0000, 0x2004_1F00
    harness = Harness(firmware, Chip(), (*Rp2040.regions, (ssi, 0x1000)))
    harness.engine.mem_map(0x2004_1000, 0x1000)
    harness.engine.mem_write(at, firmware.image[:252])
    harness.engine.emu_start(at | 1, firmware.entry & ~1, count=100)
    assert harness.engine.reg_read(arm.UC_ARM_REG_PC) == firmware.entry & ~1
    assert harness.engine.reg_read(arm.UC_ARM_REG_SP) == harness.address_of("mcuq_stack_top")
    control = 0 << 21 | 31 << 16 | 3 << 8  # SPI_FRF standard, DFS_32 of 32 clocks, TMOD: read an EEPROM
    command = 0x03 << 24 | 2 << 8 | 6 << 2 | 0  # XIP_CMD, INST_L of 8 bits, ADDR_L of 6 x 4 bits, TRANS_TYPE serial
    names = {8: "SSIENR", 0x14: "BAUDR", 0: "CTRLR0", 4: "CTRLR1", 0xF4: "SPI_CTRLR0"}
    assert [(names[a - ssi], word) for a, word in harness.writes if a >> 12 == ssi >> 12] == [
        ("SSIENR", 0), ("BAUDR", 4), ("CTRLR0", control), ("CTRLR1", 0), ("SPI_CTRLR0", command), ("SSIENR", 1),
    ]  # fmt: skip
    assert (0xE000_ED08, 0x1000_0100) in harness.writes


def test_the_flash_of_the_pico_is_fast_enough_for_its_reads() -> None:
    """W25Q16JV data sheet, AC characteristics: command 03h at up to 50 MHz."""
    board = load_board("raspberry-pi-pico")
    assert board.clock_hz is not None
    assert board.clock_hz / 4 <= 50 * MHZ


@pytest.mark.parametrize("name", RP2)
def test_rp2_pins_have_the_uarts_function_before_their_pads_open(name: str) -> None:
    harness, chip = started(name)
    assert isinstance(chip, Rp2)
    for pin in (0, 1):
        function = first_write(harness.writes, chip.io_bank0 + 4 + 8 * pin, 0x1F, 2)
        pad = first_write(harness.writes, chip.pads_bank0 + 4 + 4 * pin, 0x1FF, 0x5A)
        assert function < pad
    assert all(chip.is_out_of_reset(block) for block in ("io_bank0", "pads_bank0", "pll_sys", "uart0"))


@pytest.mark.parametrize(("name", "model"), [("raspberry-pi-pico", Rp2040), ("raspberry-pi-pico-2", Rp2350)])
def test_rp2_starts_again_while_the_pll_runs(name: str, model: type[Rp2]) -> None:
    """After a reset of the core alone."""
    board = load_board(name)
    chip = model(board, warm=True)
    assert chip.core_hz() == 120 * MHZ
    harness_of(name, chip).call("board_start")
    assert chip.core_hz() == board.clock_hz
    assert chip.too_fast == []


@pytest.mark.parametrize("name", RP2)
def test_rp2_keeps_a_byte_behind_an_overrun(name: str) -> None:
    harness, chip = started(name)
    chip.to_device.append((0x42, OVERRUN))
    assert harness.call("board_receive") == 0x42


@pytest.mark.parametrize("name", RP2)
def test_rp2_is_reset_by_its_watchdog_all_but_the_oscillators(name: str) -> None:
    harness, chip = started(name)
    assert isinstance(chip, Rp2)
    harness.accesses.clear()
    harness.start("board_reset")
    harness.run(lambda: any(address == AIRCR for address, _ in harness.writes), most_instructions=10_000)
    writes = harness.writes
    selects = first_write(writes, chip.psm + 8, chip.oscillators, 0)
    assert writes[selects][1] | chip.oscillators == (1 << writes[selects][1].bit_length()) - 1
    elsewhere = writes.index((chip.watchdog + 0x1C, 0))
    assert elsewhere < first_write(writes, chip.watchdog, 1 << 31, 1 << 31)
    assert selects < first_write(writes, chip.watchdog, 1 << 31, 1 << 31)
    assert writes[-1] == (AIRCR, 0x05FA_0004)


@pytest.mark.parametrize(
    ("name", "family_id"), [("raspberry-pi-pico", 0xE48B_FF56), ("raspberry-pi-pico-2", 0xE48B_FF59)]
)
def test_rp2_goes_into_uf2_blocks_from_the_flashs_start(name: str, family_id: int) -> None:
    firmware = firmware_of(name)
    assert firmware.board.flashing is not None
    options = dict(firmware.board.flashing.options)
    assert options["family_id"] == family_id
    file = uf2_file(firmware.image, firmware.address, family_id)
    assert struct.unpack("<I", file[12:16]) == (0x1000_0000,)
    assert file[32:288] == firmware.image[:256]


# i.MX RT1062


def check_flash_header(firmware: Firmware) -> None:
    """i.MX RT1060 Processor Reference Manual, System Boot: configuration block, image vector table, boot data."""
    image = firmware.image
    assert image[:4] == b"FCFB"
    assert firmware.board.memory is not None
    flash_type, pads, clock, has_own_sequences = image[0x44:0x48]
    assert (flash_type, pads, clock, has_own_sequences) == (1, 4, 8, 0), "serial NOR, 4 lines, 133 MHz"
    assert image[0x0C] == 1, "readSampleClkSrc: looped back from the DQS pad, which more than 60 MHz need"
    flash_bytes, page_bytes, sector_bytes = (struct.unpack_from("<I", image, at)[0] for at in (0x50, 0x1C0, 0x1C4))
    assert (flash_bytes, page_bytes, sector_bytes) == (8 << 20, 256, 4096)
    steps = [(step >> 10, 1 << (step >> 8 & 3), step & 0xFF) for step in struct.unpack_from("<6H", image, 0x80)]
    command, address, mode, dummy, read, stop = 1, 2, 7, 12, 9, 0
    # W25Q64JV data sheet, Fast Read Quad I/O: 8 bits of mode whose bits 5-4 are not 10, then 4 clocks
    assert steps == [(command, 1, 0xEB), (address, 4, 24), (mode, 4, 0), (dummy, 4, 4), (read, 4, 4), (stop, 1, 0)]
    header, entry, _, dcd, boot_data, self_address, csf, _ = struct.unpack_from("<8I", image, 0x1000)
    assert (header & 0xFF, header >> 8 & 0xFFFF, header >> 28) == (0xD1, 0x2000, 4), "its length is big-endian"
    assert entry == firmware.entry
    assert (dcd, csf, self_address) == (0, 0, firmware.address + 0x1000)
    start, n_bytes, plugin = struct.unpack_from("<3I", image, boot_data - firmware.address)
    assert (start, n_bytes, plugin) == (firmware.address, firmware.board.memory.flash_bytes, 0)


def test_imxrt1062_raises_the_voltage_on_the_crystals_clock_before_the_pll() -> None:
    harness, chip = started("teensy-4.1")
    assert isinstance(chip, ImxRt1062)
    order = [
        first_write(harness.writes, chip.cbcmr, 3 << 12, 1 << 12),  # PERIPH_CLK2_SEL: the crystal
        first_write(harness.writes, chip.cbcdr, 1 << 25, 1 << 25),  # PERIPH_CLK_SEL
        first_write(harness.writes, chip.dcdc_reg3, 0x1F, 0x13),  # 1.275 V
        first_write(harness.writes, chip.pll_arm, 1 << 12, 1 << 12),  # down
        first_write(harness.writes, chip.pll_arm, 0x307F, 0x2000 | 100),
        first_write(harness.writes, chip.cacrr, 7, 1),
        len(harness.writes) - 1 - [w for w, _ in reversed(harness.writes)].index(chip.cbcdr),  # back to the PLL
    ]
    assert order == sorted(order)
    assert harness.writes[order[-1]][1] >> 25 & 1 == 0


def test_imxrt1062_pads_lead_to_lpuart6() -> None:
    harness, _ = started("teensy-4.1")
    mux_tx, mux_rx, select_rx = 0x401F_80C4, 0x401F_80C8, 0x401F_8550  # AD_B0_02 and AD_B0_03: alternate 2
    assert {(mux_tx, 2), (mux_rx, 2), (select_rx, 1)} <= set(harness.writes)


def test_imxrt1062_reads_nothing_ahead_outside_of_its_memories() -> None:
    """Armv7-M manual, B3.5: regions are (first, bytes, access); a later one goes before."""
    harness, _ = started("teensy-4.1")
    mpu = [(a, word) for a, word in harness.writes if 0xE000_ED94 <= a <= 0xE000_EDA0]
    regions = {}
    for (_, base), (_, word) in zip(mpu[1:-1:2], mpu[2:-1:2], strict=True):
        regions[base & 0xF] = (base & ~0x1F, 2 << (word >> 1 & 0x1F), word >> 24 & 7, word >> 28 & 1)
    nobody, all_may, all_may_read = 0, 3, 7
    assert regions == {
        0: (0, 1 << 32, nobody, 1),
        1: (0x6000_0000, 8 << 20, all_may_read, 0),
        2: (0x2020_0000, 512 << 10, all_may, 1),
        3: (0x4000_0000, 64 << 20, all_may, 1),
        4: (0x2028_0000, 256 << 10, all_may, 1),
        5: (0x2000_0000, 128 << 10, all_may, 1),
    }
    assert (mpu[0], mpu[-1]) == ((0xE000_ED94, 0), (0xE000_ED94, 1))
    assert mpu[-1] in harness.writes[: first_write(harness.writes, 0xE000_ED14, 1 << 17, 1 << 17)]


def test_imxrt1062_keeps_what_a_data_cache_holds_that_the_rom_left_on() -> None:
    chip = ImxRt1062(load_board("teensy-4.1"))
    chip.words[0xE000_ED14] = 1 << 16
    harness = harness_of("teensy-4.1", chip)
    harness.call("board_start")
    assert not any(address == 0xE000_EF60 for address, _ in harness.writes), "DCISW throws lines away"
