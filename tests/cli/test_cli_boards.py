"""mcuq boards: how far each was proved, and all that is known of one."""

from __future__ import annotations

import json

from click.testing import CliRunner

from mcuq.boards.find import board_names, load_board
from mcuq.cli.boards import boards


def call(*arguments: str) -> str:
    result = CliRunner().invoke(boards, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_list_says_of_each_board_how_far_it_was_proved_and_how_it_is_flashed() -> None:
    rows = {line.split()[0]: line for line in call().splitlines()[1:]}
    assert set(rows) == set(board_names())
    for name, row in rows.items():
        board = load_board(name)
        assert board.verified in row.split()
        assert board.flashing is None or board.flashing.method in row.split()


def test_a_board_with_firmware_shows_every_fact_of_its_file() -> None:
    lines = dict(line.split(maxsplit=1) for line in call("netduinoplus2").splitlines())
    assert lines["verified"] == "emulator (proved on an emulator, not on hardware)"
    assert lines["family"] == "stm32f4"
    assert lines["uart_address"] == "0x40011400"
    assert (lines["uart_tx"], lines["uart_rx"], lines["uart_alternate"]) == ("PC6", "PC7", "8")
    assert lines["clock_pll_n"] == "336"
    assert lines["flash_method"] == "mcuq-loader"
    assert lines["flash_port"] == "a serial port, or a URL such as socket://host:port"
    assert lines["flash_wait_states"] == "5"
    assert lines["loader_slot_bytes"] == "64 KiB"


def test_facts_that_a_board_does_not_have_are_left_out_and_null_in_json() -> None:
    assert "uart" not in call("cortex-m4")
    facts = json.loads(call("cortex-m4", "--json"))
    assert facts["uart_address"] is None
    assert facts["flash_method"] is None
    listed = json.loads(call("--json"))["boards"]
    assert next(board for board in listed if board["name"] == "cortex-m4") == facts


def test_a_board_that_was_not_run_on_hardware_says_so() -> None:
    untried = [name for name in board_names() if load_board(name).verified == "untried"]
    for name in untried:
        assert "untried (written from its manuals, not run on hardware)" in call(name)


def test_boards_are_found_by_chip_vendor_and_cpu() -> None:
    def found(text: str) -> set[str]:
        return {board["name"] for board in json.loads(call(text, "--json"))["boards"]}

    assert found("nordic") == {"arduino-nano-33-ble", "nrf52840-dk", "microbit-v1"}
    assert found("RP2350") >= {"raspberry-pi-pico-2"}
    assert found("stm32F446") == {"nucleo-f446re"}
    assert found("Cortex-M33") >= {"cortex-m33", "mps2-an505", "raspberry-pi-pico-2"}
    assert {line.split()[0] for line in call("nordic").splitlines()[1:]} == found("nordic")
    # A board's own name is that board alone, though others have it in theirs.
    assert json.loads(call("raspberry-pi-pico", "--json"))["name"] == "raspberry-pi-pico"


def test_the_list_fits_80_columns_and_cuts_nothing() -> None:
    result = CliRunner().invoke(boards, [], env={"COLUMNS": "80", "FORCE_COLOR": "1"})
    lines = result.output.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[1:-1]] == list(board_names())
    rows = {line.split()[0]: line for line in lines[1:-1]}
    assert "1,024 KiB" in rows["cortex-m4"]
    assert lines[-1] == "  not shown: family, flashed by, what (in a wider terminal, or with --json)"
