"""ST's boards that people own; nobody here does, so their firmware runs on Unicorn against models of their registers.

What this shows: the firmware fits and begins as the chip's reset wants it; the driver gives the core, its buses and
the UART the clocks that the board file promises, within the manual's limits at every moment; it ends where nothing ever
becomes ready; and the whole firmware answers the host over the UART's registers, with the simulator's bytes.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
import unicorn
from other_chips import OTHER_CHIPS
from real_boards import large_boards, real_boards, side_of_large_model
from register_harness import AIRCR, Access, Chip, Harness, HarnessLink, Stuck, first_write, words_before
from selections import quick
from stm32_chips import CHIPS, MHZ, Stm32H7, bits, chip_of
from support import integer_graph, model_of, random_inputs

from mcuq.boards.facts import Board
from mcuq.boards.find import load_board
from mcuq.boards.toml_table import pin_numbers
from mcuq.build.firmware import Firmware, build_firmware
from mcuq.compile import Aim, CompiledModel, assemble_for, compile_model
from mcuq.device.flash.sectors import parse_sectors
from mcuq.device.session import Session
from mcuq.errors import BoardError
from mcuq.graph.simulate import simulate
from mcuq.lower import Placement
from mcuq.lower.placement import parse_fast
from mcuq.ops.add import Add
from mcuq.resources import resource_dir

BOARDS = real_boards(CHIPS)
MOST_BAUD_ERROR = 0.02
SAMPLES = 3

every_board = pytest.mark.parametrize("name", BOARDS)


def test_no_board_with_firmware_is_tested_by_nothing() -> None:
    """A board of a new family fails here until its chip has a model; the other boards run in QEMU."""
    assert set(real_boards()) == set(real_boards(CHIPS)) | set(real_boards(OTHER_CHIPS))
    assert not set(CHIPS) & set(OTHER_CHIPS)


@functools.cache
def digits(name: str) -> CompiledModel:
    folder = resource_dir("examples") / "digits"
    return compile_model(
        str(folder / "digits.onnx"), load_board(name), str(folder / "digits_calibration.npz"), name="digits"
    )


@functools.cache
def firmware_of(name: str) -> Firmware:
    return build_firmware(digits(name))


def started(board: Board) -> Harness:
    """A chip on which board_start() has run."""
    harness = Harness(firmware_of(board.name), chip_of(board))
    harness.call("board_start")
    return harness


def check_start_of_image(firmware: Firmware) -> None:
    """The vectors as the core reads them at reset, at the start of flash (Armv7-M manual, B1.5.3)."""
    board = firmware.board
    assert board.memory is not None and board.uart is not None and board.uart.interrupt is not None
    harness = Harness(firmware, Chip())
    words = np.frombuffer(firmware.image[: 4 * (17 + board.uart.interrupt)], "<u4")
    assert firmware.address == board.memory.flash_address
    assert words[0] == harness.address_of("mcuq_stack_top")
    assert words[1] == firmware.entry == harness.address_of("mcuq_reset") | 1
    assert words[16 + board.uart.interrupt] == harness.address_of("mcuq_uart") | 1
    assert len(firmware.image) <= board.memory.flash_bytes
    assert firmware.ram_bytes <= board.memory.ram_bytes


@pytest.mark.parametrize("name", quick(BOARDS))
def test_the_firmware_fits_and_begins_with_its_vectors(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUQ_CC", "zig")
    check_start_of_image(build_firmware(digits(name)))


@pytest.mark.toolchain
@every_board
def test_the_firmware_fits_and_begins_with_its_vectors_with_gcc_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUQ_CC", "gcc")
    check_start_of_image(build_firmware(digits(name)))


@pytest.mark.slow
@pytest.mark.parametrize("name", large_boards(CHIPS))
def test_a_large_model_uses_all_of_the_ram_that_lies_together(name: str) -> None:
    side = side_of_large_model(name)
    graph = integer_graph(Add(), [(side, side, 4), (side, side, 4)])
    firmware = build_firmware(model_of(graph, name, "wide"))
    assert firmware.board.memory is not None
    assert 0.9 * firmware.board.memory.ram_bytes < firmware.ram_bytes <= firmware.board.memory.ram_bytes
    with pytest.raises(BoardError, match="nucleo-f446re has 131,072"):
        build_firmware(model_of(graph, "nucleo-f446re", "wide"))


@every_board
def test_the_clocks_are_those_of_the_board_file_and_within_the_manuals_limits(name: str) -> None:
    board = load_board(name)
    assert board.uart is not None
    chip = chip_of(board)
    Harness(firmware_of(name), chip).call("board_start")
    assert chip.core_hz(chip.words) == board.clock_hz
    assert chip.uart_hz(chip.words) == board.uart.clock_hz
    assert abs(chip.baud(chip.words) / board.uart.baud - 1) < MOST_BAUD_ERROR
    assert chip.too_fast == []
    chip.check_limits(chip.words)


@every_board
def test_a_start_by_the_roms_loader_gives_the_same_clocks(name: str) -> None:
    """After GO the PLL runs, which locks its settings, and the UART has even parity (AN3155, on the GO command)."""
    board = load_board(name)
    assert board.uart is not None
    chip = chip_of(board).started_by_rom()
    assert chip.core_hz(chip.words) != board.clock_hz
    harness = Harness(firmware_of(name), chip)
    harness.call("board_start")
    assert chip.core_hz(chip.words) == board.clock_hz
    assert chip.uart_hz(chip.words) == board.uart.clock_hz
    assert abs(chip.baud(chip.words) / board.uart.baud - 1) < MOST_BAUD_ERROR
    assert chip.too_fast == []
    chip.check_limits(chip.words)
    after_reset = chip_of(board)
    Harness(firmware_of(name), after_reset).call("board_start")
    uart = range(board.uart.address, board.uart.address + 0x10, 4)
    assert [chip.words.get(address, 0) for address in uart] == [after_reset.words.get(address, 0) for address in uart]


@every_board
def test_wait_states_are_not_more_than_the_clock_needs(name: str) -> None:
    board = load_board(name)
    assert board.flashing is not None and board.flashing.wait_states is not None and board.clock_hz is not None
    chip = chip_of(board)
    Harness(firmware_of(name), chip).call("board_start")
    flash_acr = next(address for address in (0x52002000, 0x40023C00, 0x40022000) if address in chip.words)
    fewer = {**chip.words, flash_acr: chip.words[flash_acr] - 1}
    assert chip.most_hz(chip.words) >= board.clock_hz > chip.most_hz(fewer)


@every_board
def test_the_uart_has_its_own_interrupt(name: str) -> None:
    board = load_board(name)
    assert board.uart is not None
    assert board.uart.interrupt == chip_of(board).interrupts_of_uarts[board.uart.address]


@every_board
def test_the_pins_lead_to_the_uart(name: str) -> None:
    board = load_board(name)
    assert board.uart is not None and board.uart.tx is not None and board.uart.rx is not None
    chip = chip_of(board)
    Harness(firmware_of(name), chip).call("board_start")
    alternate = dict(board.uart.settings).get("alternate")
    wanted = (alternate, alternate) if alternate is not None else (0xB, 0x8)  # STM32F1: push-pull, pulled input
    found = tuple(chip.pin_function(chip.words, *pin_numbers(pin)) for pin in (board.uart.tx, board.uart.rx))
    assert found == wanted


@every_board
@pytest.mark.parametrize("chip", quick([Chip(), Stuck(0), Stuck(0xFFFF_FFFF)]), ids=["silent", "zeros", "ones"])
def test_the_start_ends_on_a_chip_that_answers_nothing(name: str, chip: Chip) -> None:
    Harness(firmware_of(name), chip).call("board_start")


@pytest.mark.slow
@every_board
def test_a_chip_whose_oscillators_never_start_still_talks_at_the_right_rate(name: str) -> None:
    board = load_board(name)
    assert board.uart is not None and board.driver is not None
    chip = type(chip_of(board))(board, wakes=False)
    harness = Harness(firmware_of(name), chip)
    harness.call("board_start")
    assert chip.core_hz(chip.words) < (board.clock_hz or 0)
    assert chip.too_fast == []
    assert abs(chip.baud(chip.words) / board.uart.baud - 1) < MOST_BAUD_ERROR
    harness.call("board_send", 0x5A)
    assert bytes(chip.from_device) == b"\x5a"


@every_board
def test_bytes_come_and_go_and_those_with_errors_are_dropped(name: str) -> None:
    board = load_board(name)
    chip = chip_of(board)
    harness = Harness(firmware_of(name), chip)
    harness.call("board_start")
    assert harness.call("board_receive") == 0xFFFF_FFFF
    framing, noise, overrun = 2, 4, 8
    chip.to_device.extend([(0x00, 0), (0xFF, 0), (0x41, framing), (0x42, overrun), (0x43, framing | noise), (0x44, 0)])
    assert [harness.call("board_receive") for _ in range(5)] == [0x00, 0xFF, 0x42, 0x44, 0xFFFF_FFFF]
    assert not chip.interrupts(), "no error asks for the interrupt for ever"
    for byte in range(256):
        harness.call("board_send", byte)
    assert bytes(chip.from_device) == bytes(range(256))


@every_board
def test_a_reset_is_asked_for_with_its_key(name: str) -> None:
    harness = started(load_board(name))
    harness.accesses.clear()
    harness.start("board_reset")
    harness.run(lambda: bool(harness.writes), most_instructions=10_000)
    assert harness.writes == [(AIRCR, 0x05FA0004)]


@every_board
def test_the_cycle_counter_moves(name: str) -> None:
    harness = started(load_board(name))
    first, second = harness.call("board_cycles"), harness.call("board_cycles")
    assert 0 < second - first < 1000


@every_board
def test_the_whole_firmware_answers_over_the_uart_with_the_simulators_bytes(name: str) -> None:
    board, model = load_board(name), digits(name)
    chip = chip_of(board)
    link = HarnessLink(Harness(firmware_of(name), chip), chip)
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


@every_board
def test_sectors_cover_the_flash(name: str) -> None:
    board = load_board(name)
    assert board.flashing is not None and board.memory is not None
    sectors = dict(board.flashing.options)["sectors"]
    assert isinstance(sectors, str)
    assert sum(parse_sectors(sectors)) == board.memory.flash_bytes


@every_board
def test_the_board_says_that_nobody_has_tried_it(name: str) -> None:
    assert load_board(name).verified == "untried"


# What one family alone has


def test_f411_raises_its_voltage_before_the_pll_runs_and_waits_for_it() -> None:
    board = load_board("nucleo-f411re")
    harness = started(board)
    order = [
        first_write(harness.writes, 0x40007000, 3 << 14, 3 << 14),  # PWR_CR.VOS: scale 1
        first_write(harness.writes, 0x40023800, 1 << 24, 1 << 24),  # PLLON
        first_write(harness.writes, 0x40023C00, 0xF, 3),  # FLASH_ACR: wait states
        first_write(harness.writes, 0x40023808, 3, 2),  # RCC_CFGR: the PLL
    ]
    assert order == sorted(order)
    chip = chip_of(board)
    words = {**harness.chip.words, chip.pwr_cr: 0x8000}
    assert chip.most_hz(words) == 84 * MHZ < chip.core_hz(words), "as reset leaves it, it is too slow"


def test_f446_turns_over_drive_on_between_pll_and_switch() -> None:
    harness = started(load_board("nucleo-f446re"))
    writes = harness.writes
    order = [
        first_write(writes, 0x40023804, 0x0F437FFF, 7 << 24 | 1 << 22 | 180 << 6 | 4),  # RCC_PLLCFGR: HSE / 4 x 180
        first_write(writes, 0x40023800, 1 << 24, 1 << 24),  # PLLON
        first_write(writes, 0x40007000, 1 << 16, 1 << 16),  # PWR_CR.ODEN
        first_write(writes, 0x40007000, 3 << 16, 3 << 16),  # and ODSWEN
        first_write(writes, 0x40023C00, 0xF, 5),  # FLASH_ACR: wait states
        first_write(writes, 0x40023808, 3, 2),  # RCC_CFGR: the PLL
    ]
    assert order == sorted(order)
    assert bits(words_before(writes, order[1], {}), 0x40023800, 18, 18) == 1, "HSEBYP, the ST-LINK's clock"


def test_l4r5_steps_up_through_half_the_clock_with_boost_and_supplies_port_g() -> None:
    board = load_board("nucleo-l4r5zi")
    harness = started(board)
    writes = harness.writes
    switch = first_write(writes, 0x40021008, 3, 3)
    before = words_before(writes, switch, {})
    assert before[0x40007080] >> 8 & 1 == 0, "R1MODE is cleared: boost"
    assert bits(before, 0x40022000, 3, 0) == 5
    assert writes[switch][1] >> 4 & 0xF == 8, "AHB at half the clock"
    assert bits(before, 0x40021008, 7, 4) == 8, "and before the switch already"
    after = [word for address, word in writes[switch + 1 :] if address == 0x40021008]
    assert [word >> 4 & 0xF for word in after] == [0]
    assert first_write(writes, 0x40007004, 1 << 9, 1 << 9) < first_write(writes, 0x48001800, 3 << 14, 2 << 14)


def test_h743_raises_the_voltage_before_the_clock_and_divides_the_buses() -> None:
    harness = started(load_board("nucleo-h743zi"))
    writes = harness.writes
    order = [
        first_write(writes, 0x5802480C, 7, 2),  # PWR_CR3: LDO
        first_write(writes, 0x58024818, 3 << 14, 3 << 14),  # PWR_D3CR: voltage scale 1
        first_write(writes, 0x58024400, 1 << 24, 1 << 24),  # PLL1ON
        first_write(writes, 0x52002000, 0x3F, 0x22),  # FLASH_ACR
        first_write(writes, 0x58024418, 0xF, 8),  # D1CFGR: AXI at half
        first_write(writes, 0x58024410, 7, 3),  # RCC_CFGR: PLL1
        first_write(writes, 0xE000ED14, 1 << 16, 1 << 16),  # CCR: the data cache
    ]
    assert order == sorted(order)


def test_h743_invalidates_every_line_of_the_data_cache_before_it_is_used() -> None:
    """16 KB: 128 sets of 4 ways of 32 bytes, which CCSIDR of the model says."""
    chip = Stm32H7(load_board("nucleo-h743zi"))
    harness = Harness(firmware_of("nucleo-h743zi"), chip)
    harness.call("board_start")
    used = first_write(harness.writes, chip.ccr, 1 << 16, 1 << 16)
    lines = [word for address, word in harness.writes[:used] if address == chip.dcisw]
    assert sorted(lines) == sorted(way << 30 | line << 5 for way in range(4) for line in range(128))


@pytest.mark.parametrize(("revision", "is_mended"), [(0x1001, True), (0x1003, True), (0x2001, False), (0x2003, False)])
def test_h743_of_the_first_revisions_reads_axi_sram_one_at_a_time(revision: int, is_mended: bool) -> None:
    chip = Stm32H7(load_board("nucleo-h743zi"), revision=revision)
    harness = Harness(firmware_of("nucleo-h743zi"), chip)
    harness.call("board_start")
    assert ((chip.axi_targ7_fn_mod, 1) in harness.writes) == is_mended
    assert Access(False, chip.idc, revision << 16 | 0x450) == harness.accesses[0]


def test_a_chip_model_that_runs_too_fast_is_noticed() -> None:
    """The models themselves: 64 MHz with the wait states of reset would be wrong."""
    chip = chip_of(load_board("nucleo-g071rb"))
    chip.write(0x4002100C, 2 | 8 << 8 | 1 << 28 | 1 << 29)
    chip.write(chip.rcc_cr, 1 << 24)
    chip.write(chip.rcc_cfgr, 2)
    assert chip.too_fast == [(64 * MHZ, 24 * MHZ)]


def test_h743_copies_constants_into_sram_that_has_its_clock() -> None:
    """SRAM1 to 3 have none after a reset (RM0433, RCC_AHB2ENR: bits 29 to 31); their first word is written by start-up,
    before board_start()."""
    board = load_board("nucleo-h743zi")
    aim = Aim(weights=Placement(fast=parse_fast("sram123")))
    firmware = build_firmware(assemble_for(digits("nucleo-h743zi").graph, board, "digits", aim))
    chip = chip_of(board)
    harness = Harness(firmware, chip)
    clocks: list[int] = []

    def note(engine: object, access: int, address: int, size: int, value: int, data: object) -> None:
        clocks.append(chip.words.get(0x580244DC, 0) >> 29)

    harness.engine.hook_add(unicorn.UC_HOOK_MEM_WRITE, note, begin=0x3000_0000, end=0x3004_7FFF)
    harness.start()
    harness.run(lambda: (0x58024418, 0x48) in harness.writes, 3_000_000)
    assert len(clocks) > 100
    assert set(clocks) == {7}
