"""Several models in one firmware, in the arena that they share: built, told apart, and compared with the simulator."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from device_model import DeviceModel, on_pty, toy, wide
from golden.graphs import digits, tiny
from host_model import build_host_firmware, running
from model_network import network_of
from support import model_of, random_inputs

from mcuq.artifact import load, load_all, save, save_all
from mcuq.boards.find import load_board
from mcuq.build.firmware import build_firmware, build_loader
from mcuq.build.several import MOST_MODELS, as_several
from mcuq.cli import main
from mcuq.compile import Aim, CompiledModel, assemble_for, share_arena, with_placement
from mcuq.device.link import open_link
from mcuq.device.session import Session
from mcuq.emulate.machine import Machine
from mcuq.errors import BoardError, ModelError
from mcuq.lower import Placement
from mcuq.lower.placement import parse_fast
from mcuq.validate.device import validate_device
from mcuq.validate.expected import Expected

BOARDS = ("microbit-v1", "mps2-an386", "mps3-an547", "riscv32-virt")


@cache
def pair(board: str = "host") -> tuple[CompiledModel, ...]:
    """Models of other sizes, the second with its constants in a file."""
    second = with_placement(model_of(tiny(), board, "small"), Placement("external"))
    return share_arena([model_of(digits(), board, "large"), second])


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


@contextmanager
def emulated(board: str) -> Iterator[Machine]:
    firmware, target = build_firmware(pair(board)), load_board(board)
    with Machine(target, *((build_loader(target), firmware) if target.loader else (firmware,))) as machine:
        yield machine


def both_equal(folder: Path, port: str, *options: str) -> None:
    """`validate` of the folder, and of each by its path in the other order."""
    result = call("validate", str(folder), "--port", port, "--samples", "5", "--json", *options)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["samples"], found["mismatches"]) == (10, 0)
    assert [(each["name"], each["samples"], each["bit_exact"]) for each in found["models"]] == [
        ("large", 5, True),
        ("small", 5, True),
    ]
    for name in ("small", "large"):
        result = call("validate", str(folder / f"{name}.mcuq"), "--port", port, "--samples", "2", "--json", *options)
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["bit_exact"]


@pytest.mark.parametrize("keeps_input", [False, True])
def test_each_model_of_a_firmware_validates(keeps_input: bool, tmp_path: Path) -> None:
    models = pair()
    save_all(models, tmp_path / "both")
    with running(build_host_firmware(models, tmp_path / "built", keeps_input=keeps_input)) as (port, _):
        both_equal(tmp_path / "both", port)
        with open_link(port) as link:
            session = Session(link)
            assert [session.choose(model.listing.digest).model for model in models] == ["large", "small"]
            assert session.hello().models == 2


def test_an_input_that_is_longer_than_a_frame_goes_to_the_second_model_in_parts(tmp_path: Path) -> None:
    small, large = pair()[::-1]
    with (
        running(build_host_firmware((small, large), tmp_path, payload_bytes=64)) as (port, _),
        open_link(port) as link,
    ):
        session = Session(link)
        for model in (large, small, large):
            with Expected(model.graph, iter([random_inputs(model.graph, 3)]), model.as_given) as samples:
                report = validate_device(model, session, samples, "mcuq flash")
            assert report.bit_exact
            assert report.samples == 3
            assert report.arena_bytes <= model.arena_bytes


@pytest.mark.toolchain
@pytest.mark.parametrize("board", BOARDS)
def test_each_model_of_a_firmware_validates_on_emulated_boards(board: str, tmp_path: Path) -> None:
    save_all(pair(board), tmp_path)
    with emulated(board) as machine:
        both_equal(tmp_path, machine.port)


@pytest.mark.toolchain
def test_the_folder_is_built_into_one_firmware(tmp_path: Path) -> None:
    """Of which the arena is there once; a single model's is as it was."""
    models = pair("mps2-an386")
    save_all(models, tmp_path / "both")
    result = call("flash", str(tmp_path / "both"), "-o", str(tmp_path / "both.bin"))
    assert result.exit_code == 0, result.output
    image = (tmp_path / "both.bin").read_bytes()
    assert image == build_firmware(models).image
    alone = [build_firmware(model) for model in models]
    assert len(image) < sum(len(firmware.image) for firmware in alone) - 4000
    assert build_firmware(models).ram_bytes < max(firmware.ram_bytes for firmware in alone) + 200
    result = call("flash", str(tmp_path / "both" / "large.mcuq"), "-o", str(tmp_path / "large.bin"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "large.bin").read_bytes() == alone[0].image


def test_run_compares_each_model_of_a_folder(tmp_path: Path) -> None:
    save_all(pair(), tmp_path)
    said = call("run", str(tmp_path), "--on", "host", "--samples", "2")
    assert said.exit_code == 0
    assert re.findall(r"^(\w+) on", said.stdout, re.MULTILINE) == ["large", "small"]
    found = json.loads(call("run", str(tmp_path), "--on", "host", "--samples", "2", "--json").stdout)
    assert (found["samples"], found["mismatches"], found["bit_exact"]) == (4, 0, True)
    assert [model["name"] for model in found["models"]] == ["large", "small"]


def test_a_difference_in_the_second_model_is_found_there(tmp_path: Path) -> None:
    model = model_of(tiny(), "host", "small")
    save(model, tmp_path)
    last = model.coded_layers[-1][0].name
    device = DeviceModel(toy(), 1024, board="host", others=(network_of(model, {last: (0, 1)}),))
    with on_pty(device) as port:
        result = call("validate", str(tmp_path), "--port", port, "--samples", "3", "--json")
    assert result.exit_code == 3
    found = json.loads(result.stdout)
    assert (found["samples"], found["mismatches"]) == (3, 3)
    assert found["first_layer"]["layer"] == last


def test_data_is_given_for_each_or_for_none(tmp_path: Path) -> None:
    save_all(pair(), tmp_path)
    for verb in (("run",), ("validate", "--port", "nowhere")):
        result = call(*verb, str(tmp_path), "--data", "one.npz")
        assert result.exit_code == 1
        assert result.stderr.strip() == (
            "error: --data: is given 1 times for large, small; give one for each, in this order, or the path of one of "
            "them: DIR/ID.mcuq"
        )


def test_a_record_is_of_one_model(tmp_path: Path) -> None:
    save_all(pair(), tmp_path)
    result = call("validate", str(tmp_path), "--port", "nowhere", "--record", str(tmp_path / "line"))
    assert result.exit_code == 2
    assert "--record is for one model; give the path of one: DIR/ID.mcuq" in result.stderr


def test_a_device_without_the_model_is_told_with_its_first(tmp_path: Path) -> None:
    model = model_of(tiny(), "host", "small")
    save(model, tmp_path)
    with on_pty(DeviceModel(toy(), board="host", others=(wide(),))) as port:
        result = call("validate", str(tmp_path), "--port", port)
    assert result.exit_code == 1
    assert result.stderr.strip() == (
        f"error: {port}: device runs model 'toy' 0badcafe and 1 other, this build is 'small' "
        f"{model.listing.digest:08x}; flash it: mcuq flash {tmp_path} --port {port} --board host"
    )


def test_a_folder_of_several_is_read_by_names(tmp_path: Path) -> None:
    models = pair()
    save_all(models[::-1], tmp_path)
    assert [model.name for model in load_all(tmp_path)] == ["large", "small"]
    assert [model.name for model in load_all(tmp_path / "small.mcuq")] == ["small"]
    save(load(tmp_path / "small.mcuq"), tmp_path / "one")
    assert [model.name for model in load_all(tmp_path / "one")] == ["small"]


# What cannot be in one firmware


def refused(*models: CompiledModel) -> str:
    with pytest.raises(ModelError) as caught:
        as_several(models)
    return str(caught.value)


def test_models_that_share_no_arena_are_refused() -> None:
    large, small = pair()
    alone = model_of(tiny(), "host", "alone")
    text = (
        "do not share an arena, and one firmware has one; compile them together (mcuq compile A.onnx B.onnx), or give "
        "the path of one of them"
    )
    assert refused(large, alone) == f"models 'large' and 'alone': {text}"
    assert refused(alone, large, small) == f"models 'alone', 'large' and 'small': {text}"
    assert refused(alone, model_of(tiny(), "host", "other")) == f"models 'alone' and 'other': {text}"
    other = share_arena([alone, model_of(tiny(), "host", "third")], "mine")[0]
    assert refused(large, other) == f"models 'large' and 'alone': {text}"


def test_models_of_one_name_are_refused() -> None:
    large, _ = pair()
    again = share_arena([model_of(tiny(), "host", "large"), model_of(tiny(), "host", "third")])[0]
    assert refused(large, again) == "model 'large' and model 'large': both have 'large' in C; give another name: --name"


def test_copied_constants_of_several_are_refused() -> None:
    aim = Aim(weights=Placement(fast=parse_fast("psram:2k")))
    fast = assemble_for(digits(), load_board("mps2-an386"), "quick", aim)
    models = share_arena([fast, model_of(tiny(), "mps2-an386", "small")])
    assert refused(*models) == (
        "model 'quick': has constants that are copied into psram, which firmware of several models does not do; "
        "compile them without --fast-weights, or give the path of this one"
    )


def test_no_models_and_too_many_are_refused() -> None:
    assert refused() == "firmware: 0 models are given; one to 255 go into it"
    assert refused(*pair()[:1] * (MOST_MODELS + 1)) == "firmware: 256 models are given; one to 255 go into it"


@pytest.mark.toolchain
def test_too_little_memory_for_all_is_told_of_all() -> None:
    board = replace(load_board("mps2-an386"), loader=None)
    assert board.memory is not None
    with pytest.raises(BoardError) as caught:
        build_firmware(pair("mps2-an386"), replace(board, memory=replace(board.memory, ram_bytes=4096)))
    arena_bytes = max(model.arena_bytes for model in pair("mps2-an386"))
    assert re.fullmatch(
        rf"the firmware of models 'large' and 'small' needs [\d,]+ bytes of RAM on the device \(arena {arena_bytes:,}, "
        r"stack 2,048, protocol and the rest [\d,]+\), mps2-an386 has 4,096 for it; use a smaller model or a board "
        "with more RAM",
        str(caught.value),
    )
