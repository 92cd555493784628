from pathlib import Path

import pytest

from mcuq.boards import FEATURES, Board, Cpu, Memory, board_names, load_board
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
            "mine.toml [memory]: unknown key 'zzz'; known keys: flash_address, flash_bytes, ram_address, ram_bytes",
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
    ],
)
def test_a_wrong_board_file_is_refused_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert TEXT.count(old) >= 1
    assert error_of(tmp_path, TEXT.replace(old, new, 1)) == message


def test_a_board_file_needs_a_cpu(tmp_path: Path) -> None:
    assert error_of(tmp_path, TEXT.split("[cpu]")[0]) == "mine.toml [cpu]: the table is missing"


def test_the_cpu_must_be_a_table(tmp_path: Path) -> None:
    text = 'cpu = "cortex-m4"\n' + TEXT.split("[cpu]")[0]
    assert error_of(tmp_path, text) == "mine.toml [cpu]: must be a table, is 'cortex-m4'"
