import re
from pathlib import Path

import pytest

from mcuq.boards.facts import (
    FEATURES,
    FLASH_METHODS,
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
from mcuq.boards.family import family_keys, family_names
from mcuq.boards.find import board_names, load_board
from mcuq.boards.toml_table import pin_numbers
from mcuq.errors import BoardError

TEXT = """
name = "mine"
description = "My board"
verified = "untried"
clock_hz = 64_000_000

[cpu]
core = "cortex-m4"
features = ["dsp"]
target = "thumb-freestanding-eabi"
zig_cpu = "cortex_m4"
gcc = "arm-none-eabi-gcc"
gcc_flags = ["-mcpu=cortex-m4", "-mthumb"]

[memory]
flash_address = 0
flash_bytes = 524_288
ram_address = 0x2000_0000
ram_bytes = 65_536
"""


def write(folder: Path, text: str, stem: str = "mine") -> str:
    path = folder / f"{stem}.toml"
    path.write_text(text)
    return str(path)


def error_of(folder: Path, text: str) -> str:
    with pytest.raises(BoardError) as caught:
        load_board(write(folder, text))
    return str(caught.value)


def test_every_board_that_comes_with_mcuq_loads_under_its_own_name() -> None:
    assert board_names() == tuple(sorted(board_names()))
    assert {"cortex-m4", "host"} <= set(board_names())
    for name in board_names():
        assert load_board(name).name == name


def test_the_generic_cortex_m4_can_be_compiled_and_emulated() -> None:
    board = load_board("cortex-m4")
    assert board.verified == "emulator"
    assert board.clock_hz == 100_000_000
    assert board.cpu.features == {"dsp", "fpu"}
    assert board.cpu.unicorn_model == "cortex-m4"
    assert board.memory == Memory(0x0800_0000, 1_048_576, 0x2000_0000, 262_144)


def test_the_host_has_no_memory_limits_and_no_clock() -> None:
    board = load_board("host")
    assert board.memory is None
    assert board.clock_hz is None
    assert board.cpu.features == frozenset()


def test_a_path_names_a_board_file_of_the_users_own(tmp_path: Path) -> None:
    assert load_board(write(tmp_path, TEXT)) == Board(
        name="mine",
        description="My board",
        verified="untried",
        cpu=Cpu(
            core="cortex-m4",
            features=frozenset({"dsp"}),
            target="thumb-freestanding-eabi",
            zig_cpu="cortex_m4",
            gcc="arm-none-eabi-gcc",
            gcc_flags=("-mcpu=cortex-m4", "-mthumb"),
            unicorn_model=None,
        ),
        memory=Memory(0, 524_288, 0x2000_0000, 65_536),
        clock_hz=64_000_000,
    )


def test_a_board_is_a_value_that_can_be_a_dictionary_key() -> None:
    assert len({load_board("cortex-m4"), load_board("cortex-m4"), load_board("host")}) == 2


def test_an_unknown_board_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(BoardError) as caught:
        load_board("cortex-m44")
    text = "board 'cortex-m44' is not known; did you mean 'cortex-m4'? (mcuq boards lists them)"
    assert str(caught.value) == text


def test_an_unknown_board_unlike_any_other_is_answered_with_where_to_look() -> None:
    with pytest.raises(BoardError) as caught:
        load_board("zzz")
    assert str(caught.value) == "board 'zzz' is not known (mcuq boards lists them)"


def test_a_missing_file_is_named_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    with pytest.raises(BoardError) as caught:
        load_board(str(path))
    assert str(caught.value) == f"{path}: cannot be read: No such file or directory; give the path of a board file"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "ram_bytes = 65_536",
            "ram_byte = 65_536",
            "mine.toml [memory]: unknown key 'ram_byte'; did you mean 'ram_bytes'?",
        ),
        ("clock_hz", "clok_hz", "mine.toml: unknown key 'clok_hz'; did you mean 'clock_hz'?"),
        (
            "[memory]",
            "[memory]\nzzz = 1",
            "mine.toml [memory]: unknown key 'zzz'; known keys: flash_address, flash_bytes, ram_address, ram_bytes, "
            "ram_name, more",
        ),
        ("ram_bytes = 65_536", "", "mine.toml [memory]: key 'ram_bytes' is missing"),
        ('core = "cortex-m4"', "", "mine.toml [cpu]: key 'core' is missing"),
        ('core = "cortex-m4"', "core = 4", "mine.toml [cpu]: core = 4 must be a text"),
        ('core = "cortex-m4"', 'core = ""', "mine.toml [cpu]: core = '' must be a text"),
        ("64_000_000", "64e6", "mine.toml: clock_hz = 64000000.0 must be a whole number above 0"),
        ("64_000_000", "true", "mine.toml: clock_hz = True must be a whole number above 0"),
        ("65_536", "0", "mine.toml [memory]: ram_bytes = 0 must be a whole number above 0"),
        ("524_288", "-1", "mine.toml [memory]: flash_bytes = -1 must be a whole number above 0"),
        ("0x2000_0000", "-4", "mine.toml [memory]: ram_address = -4 must be a whole number from 0"),
        ("0x2000_0000", "0x7_ffff", "mine.toml [memory]: flash and RAM overlap; check addresses and sizes"),
        (
            "0x2000_0000",
            "0xffff_fff0",
            "mine.toml [memory]: memory ends beyond 32-bit addresses; check addresses and sizes",
        ),
        ('["dsp"]', '["dps"]', "mine.toml [cpu]: features has 'dps', must be from: " + ", ".join(FEATURES)),
        ('["dsp"]', '"dsp"', "mine.toml [cpu]: features = 'dsp' must be a list of texts"),
        ('"untried"', '"yes"', "mine.toml: verified has 'yes', must be from: hardware, emulator, untried"),
        ('"mine"', '"yours"', "mine.toml: name = 'yours' is not the file's name; write 'mine'"),
        (
            "clock_hz = 64_000_000",
            "clock_hz = ",
            "mine.toml: is not valid TOML: Invalid value (at line 5, column 12)",
        ),
        (
            "clock_hz = 64_000_000",
            f"clock_hz = {'9' * 5000}",
            "mine.toml: is not valid TOML: Exceeds the limit (4300 digits) for integer string conversion: value has "
            "5000 digits; use sys.set_int_max_str_digits() to increase the limit",
        ),
    ],
)
def test_a_wrong_board_file_is_refused_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert TEXT.count(old) >= 1
    assert error_of(tmp_path, TEXT.replace(old, new, 1)) == message


MORE = """
[memory.more.dtcm]
address = 0x1000_0000
bytes = 16_384
fast = true

[memory.more.slow]
address = 0x6000_0000
bytes = 1_048_576
"""


def test_memories_are_read_in_the_order_of_their_speed(tmp_path: Path) -> None:
    memory = load_board(write(tmp_path, TEXT + 'ram_name = "axi"\n' + MORE)).memory
    assert memory is not None
    dtcm, slow = Ram("dtcm", 0x1000_0000, 16_384, is_fast=True), Ram("slow", 0x6000_0000, 1_048_576)
    assert memory.rams == (dtcm, Ram("axi", 0x2000_0000, 65_536), slow)
    assert memory.all_ram_bytes == 16_384 + 65_536 + 1_048_576
    board = load_board(write(tmp_path, TEXT + MORE + FULL))
    assert board.program_memory is not None
    assert board.program_memory.more == (dtcm, slow)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fast", "fats", "[more] [dtcm]: unknown key 'fats'; did you mean 'fast'?"),
        ("fast = true", "fast = 1", "[more] [dtcm]: fast = 1 must be true or false"),
        ("bytes = 16_384", "", "[more] [dtcm]: key 'bytes' is missing"),
        ("[memory.more.slow]", "[memory.more.ram]", ": two memories are called 'ram'; give each a name of its own"),
        ("[memory.more.slow]", "[memory.more.flash]", ": two memories are called 'flash'; give each a name of its own"),
        ("0x6000_0000", "0x1000_3fff", ": 'slow' and 'dtcm' overlap; check addresses and sizes"),
        ("0x1000_0000", "0x2000_ffff", ": 'dtcm' and 'ram' overlap; check addresses and sizes"),
        ("0x1000_0000", "0", ": 'dtcm' and 'flash' overlap; check addresses and sizes"),
        ("0x6000_0000", "0xffff_0000", ": memory ends beyond 32-bit addresses; check addresses and sizes"),
        *(
            (
                "more.slow",
                f"more.{name}",
                f": a memory cannot be called '{name}'; use 1 to 16 small letters and digits, a letter first, as in "
                "dtcm, but none of alignment, bytes, flash, section",
            )
            for name in ("bytes", "section", "alignment", "d2_ram", "2ram", "Slow", "a2345678901234567")
        ),
    ],
)
def test_wrong_memories_are_refused_with_their_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert MORE.count(old) == 1
    dot = "" if message.startswith(":") else " "
    assert error_of(tmp_path, TEXT + MORE.replace(old, new)) == f"mine.toml [memory]{dot}{message}"


def test_a_board_file_needs_a_cpu(tmp_path: Path) -> None:
    assert error_of(tmp_path, TEXT.split("[cpu]")[0]) == "mine.toml [cpu]: the table is missing"


def test_the_cpu_must_be_a_table(tmp_path: Path) -> None:
    text = 'cpu = "cortex-m4"\n' + TEXT.split("[cpu]")[0]
    assert error_of(tmp_path, text) == "mine.toml [cpu]: must be a table, is 'cortex-m4'"


# Boards with firmware

FULL = """
[firmware]
family = "stm32f4"
counter = "dwt"

[uart]
address = 0x4000_4400
interrupt = 38
clock_hz = 16_000_000
tx = "PA2"
rx = "PA3"
alternate = 7

[clock]
hse_hz = 8_000_000
hse_bypass = true
pll_m = 8
pll_n = 256
pll_p = 4
apb1_divider = 4
apb2_divider = 2

[flash]
method = "mcuq-loader"
wait_states = 2

[loader]
slot_address = 0x2000_8000
slot_bytes = 32_768
page_bytes = 1_024
kind = "ram"

[usb]
vendor_id = 0x0483
product_id = 0x374b

[qemu]
machine = "netduinoplus2"
serial = 1
"""


def test_a_board_with_firmware_is_read_table_by_table(tmp_path: Path) -> None:
    board = load_board(write(tmp_path, TEXT + FULL))
    assert board.driver == Driver("stm32f4", "dwt")
    assert board.uart == Uart(0x4000_4400, 16_000_000, 115_200, 38, "PA2", "PA3", (("alternate", 7),))
    clock = {"hse_hz": 8_000_000, "hse_bypass": 1, "pll_m": 8, "pll_n": 256, "pll_p": 4}
    assert dict(board.clock) == {**clock, "apb1_divider": 4, "apb2_divider": 2}
    assert board.flashing == Flashing("mcuq-loader", 2, ())
    assert board.loader == Loader(0x2000_8000, 32_768, 1024, "ram", None)
    assert board.usb == Usb(0x0483, 0x374B)
    assert board.qemu == Qemu("netduinoplus2", "arm", 1)
    assert len({board, board}) == 1


def test_a_program_lies_in_the_slot_and_a_slot_in_ram_takes_from_it(tmp_path: Path) -> None:
    board = load_board(write(tmp_path, TEXT + FULL))
    assert board.program_memory == Memory(0x2000_8400, 31_744, 0x2000_0000, 32_768)
    assert load_board(write(tmp_path, TEXT)).program_memory == Memory(0, 524_288, 0x2000_0000, 65_536)
    in_flash = FULL.replace("0x2000_8000", "0x0000_4000")
    board = load_board(write(tmp_path, TEXT + in_flash))
    assert board.program_memory == Memory(0x4400, 31_744, 0x2000_0000, 65_536)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'family = "stm32f4"',
            'family = "stm32f9"',
            f"mine.toml [firmware]: family has 'stm32f9', must be from: {', '.join(family_names())}",
        ),
        (
            'counter = "dwt"',
            'counter = "clock"',
            "mine.toml [firmware]: counter has 'clock', must be from: dwt, systick, mcycle, timer",
        ),
        ('family = "stm32f4"', "", "mine.toml [firmware]: key 'family' is missing"),
        ("address = 0x4000_4400", "", "mine.toml [uart]: key 'address' is missing"),
        ("clock_hz = 16_000_000", "", "mine.toml [uart]: key 'clock_hz' is missing"),
        ('tx = "PA2"', "", "mine.toml [uart]: key 'tx' is missing (family 'stm32f4' needs it)"),
        ('tx = "PA2"', 'tx = "A2"', "mine.toml [uart]: tx = 'A2' must be a pin such as 'PA2', 'P0.24' or 'GPIO1'"),
        ("alternate = 7", "", "mine.toml [uart]: key 'alternate' is missing (family 'stm32f4' needs it)"),
        ("alternate = 7", "alternat = 7", "mine.toml [uart]: unknown key 'alternat'; did you mean 'alternate'?"),
        ("alternate = 7", 'alternate = "7"', "mine.toml [uart]: alternate = '7' must be a whole number from 0"),
        ("interrupt = 38", "interrupt = -1", "mine.toml [uart]: interrupt = -1 must be a whole number from 0"),
        ("pll_n = 256", "", "mine.toml [clock]: key 'pll_n' is missing (family 'stm32f4' needs it)"),
        ("pll_n = 256", "pll_nn = 256", "mine.toml [clock]: unknown key 'pll_nn'; did you mean 'pll_n'?"),
        ("wait_states = 2", "", "mine.toml [flash]: key 'wait_states' is missing (family 'stm32f4' needs it)"),
        (
            '"mcuq-loader"',
            '"jtag"',
            "mine.toml [flash]: method has 'jtag', must be from: " + ", ".join(FLASH_METHODS),
        ),
        (
            "wait_states = 2",
            "wait_states = 2\ntargets = 'stm32'",
            "mine.toml [flash]: unknown key 'targets'; did you mean 'target'?",
        ),
        ('kind = "ram"', 'kind = "rom"', "mine.toml [loader]: kind has 'rom', must be from: ram, nrf51"),
        (
            "slot_bytes = 32_768",
            "slot_bytes = 32_000",
            "mine.toml [loader]: slot_bytes = 32,000 must be 2 or more pages of 1,024 bytes",
        ),
        (
            "slot_address = 0x2000_8000",
            "slot_address = 0x2000_8200",
            "mine.toml [loader]: slot_address = 0x20008200 must be a multiple of page_bytes = 1,024: a page is erased "
            "as a whole",
        ),
        (
            "slot_address = 0x2000_8000",
            "slot_address = 0x2000_4000",
            "mine.toml [loader]: a slot in RAM must be at its end, and leave some",
        ),
        (
            "slot_address = 0x2000_8000",
            "slot_address = 0",
            "mine.toml [loader]: the slot covers the loader at 0x00000000",
        ),
        ("vendor_id = 0x0483", "", "mine.toml [usb]: key 'vendor_id' is missing"),
        ('machine = "netduinoplus2"', "", "mine.toml [qemu]: key 'machine' is missing"),
        ("serial = 1", "serial = 1.5", "mine.toml [qemu]: serial = 1.5 must be a whole number from 0"),
    ],
)
def test_a_wrong_table_of_the_firmware_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert FULL.count(old) == 1
    assert error_of(tmp_path, TEXT + FULL.replace(old, new)) == message


def without(table: str) -> str:
    return re.sub(rf"\[{table}\].*?\n\n", "", FULL + "\n", flags=re.DOTALL)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT + without("uart"), "mine.toml [uart]: the table is missing"),
        (TEXT + without("clock"), "mine.toml [clock]: the table is missing"),
        (
            TEXT + without("firmware"),
            "mine.toml [uart]: unknown key 'alternate'; known keys: address, clock_hz, baud, interrupt, tx, rx",
        ),
        (TEXT + without("loader"), "mine.toml [flash]: method 'mcuq-loader' needs a [loader] table"),
        (TEXT.split("[memory]")[0] + FULL, "mine.toml: [firmware] needs [memory] and clock_hz too"),
        (TEXT.replace("clock_hz = 64_000_000", "") + FULL, "mine.toml: [firmware] needs [memory] and clock_hz too"),
        (TEXT + "[clock]\npll_m = 8\n", "mine.toml [clock]: needs a [firmware] table too"),
        (TEXT + FULL[FULL.index("[loader]") :], "mine.toml [loader]: needs a [firmware] table too"),
        ("uart = 3\n" + TEXT, "mine.toml [uart]: must be a table, is 3"),
    ],
)
def test_tables_that_need_each_other_say_so(tmp_path: Path, text: str, message: str) -> None:
    assert error_of(tmp_path, text) == message


def test_a_familys_driver_says_what_it_wants_to_know() -> None:
    assert family_keys("cmsdk", "uart") == {"address": True, "clock_hz": True, "baud": True}
    assert family_keys("cmsdk", "clock") == {}
    assert family_keys("stm32f4", "clock")["hse_bypass"] is False
    assert family_keys("stm32f4", "clock")["pll_m"] is True
    assert family_keys("stm32f4", "flash") == {"wait_states": True}
    assert "host" not in family_names()


@pytest.mark.parametrize(
    ("pin", "numbers"), [("PA0", (0, 0)), ("PC13", (2, 13)), ("P0.24", (0, 24)), ("P1.2", (1, 2)), ("GPIO21", (0, 21))]
)
def test_pins_are_a_port_and_a_number(pin: str, numbers: tuple[int, int]) -> None:
    assert pin_numbers(pin) == numbers


def test_a_text_that_is_no_pin_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="'X1' is no pin"):
        pin_numbers("X1")


@pytest.mark.parametrize("name", [n for n in board_names() if load_board(n).driver is not None])
def test_every_board_with_firmware_can_reach_its_baud_rate(name: str) -> None:
    """Within 2 %, which leaves the other side as much: ten bits may slip by half of one, 5 %, in all."""
    uart = load_board(name).uart
    assert uart is not None
    divider = round(uart.clock_hz / uart.baud)
    assert abs(uart.clock_hz / divider / uart.baud - 1) < 0.02


@pytest.mark.parametrize("name", [n for n in board_names() if (d := load_board(n).driver) and d.family == "stm32f4"])
def test_stm32f4_clocks_come_out_of_their_pll_as_the_board_says(name: str) -> None:
    """RM0090, 7.2.3 and 7.3.2: input / m is 1 to 2 MHz, that x n at most 432 MHz, then / p."""
    board = load_board(name)
    clock = dict(board.clock)
    source_hz = clock["hse_hz"] or 16_000_000
    assert 1_000_000 <= source_hz / clock["pll_m"] <= 2_000_000
    vco_hz = source_hz / clock["pll_m"] * clock["pll_n"]
    assert 100_000_000 <= vco_hz <= 432_000_000
    assert clock["pll_p"] in (2, 4, 6, 8)
    assert vco_hz / clock["pll_p"] == board.clock_hz
    assert board.uart is not None
    bus = clock["apb2_divider"] if board.uart.address >= 0x4001_0000 else clock["apb1_divider"]
    assert board.clock_hz is not None
    assert board.clock_hz / bus == board.uart.clock_hz


WEIGHTS = """
[weights]
address = 0x3000_0000
slot_bytes = 65_536
page_bytes = 1_024
kind = "ram"
"""


def test_slots_for_weights_are_read(tmp_path: Path) -> None:
    board = load_board(write(tmp_path, TEXT + FULL + WEIGHTS))
    assert board.weights == WeightSlots(0x3000_0000, 65_536, 1024, "ram")
    assert board.weights.most_bytes == 64_512
    assert load_board(write(tmp_path, TEXT + FULL)).weights is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("slot_bytes = 65_536", "", "mine.toml [weights]: key 'slot_bytes' is missing"),
        ('kind = "ram"', 'kind = "rom"', "mine.toml [weights]: kind has 'rom', must be from: ram, nrf51"),
        (
            "slot_bytes = 65_536",
            "slot_bytes = 1_024",
            "mine.toml [weights]: slot_bytes = 1,024 must be 2 or more pages of 1,024 bytes",
        ),
        (
            "0x3000_0000",
            "0x3000_0200",
            "mine.toml [weights]: address = 0x30000200 must be a multiple of page_bytes = 1,024, and that of 8: a page "
            "is erased as a whole, and weights are aligned",
        ),
        (
            "0x3000_0000",
            "0xffff_0000",
            "mine.toml [weights]: slots end beyond 32-bit addresses; check address and slot_bytes",
        ),
        (
            "0x3000_0000",
            "0x1fff_0000",
            "mine.toml [weights]: slots from 0x1fff0000 to 0x20010000 overlap 'ram'; leave them out of its bytes",
        ),
    ],
)
def test_wrong_slots_for_weights_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert WEIGHTS.count(old) == 1
    assert error_of(tmp_path, TEXT + FULL + WEIGHTS.replace(old, new)) == message


def test_slots_for_weights_need_firmware(tmp_path: Path) -> None:
    assert error_of(tmp_path, TEXT + WEIGHTS) == "mine.toml [weights]: needs a [firmware] table too"
