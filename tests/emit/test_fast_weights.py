"""Constants that start-up code copies into faster memory: which they are, where they lie, and the same bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from emit.test_split_arena import with_memories
from golden.graphs import digits
from row_networks import SCHEMES, row_network
from selections import quick
from support import integer_graph, model_of, random_inputs

from mcuq.artifact import load, save
from mcuq.boards.facts import Board
from mcuq.boards.find import load_board
from mcuq.build.arena_sections import arena_sections
from mcuq.build.firmware import build_firmware
from mcuq.build.target import build_target
from mcuq.cli import main
from mcuq.compile import Aim, CompiledModel, assemble_for, on_board, with_goal
from mcuq.errors import BoardError, ModelError
from mcuq.graph.ir import Graph
from mcuq.lower import lower, parse_placement
from mcuq.lower.fast import choose_fast, fast_bytes, least_bytes
from mcuq.lower.memories import RamUse, parse_memories
from mcuq.lower.placement import parse_fast
from mcuq.ops.add import Add
from mcuq.resources import resource_dir
from mcuq.validate import check_bits


def fast_model(
    graph: Graph, board: Board | str, fast: str, weights: str = "inline", memory: str = "", push: bool = False
) -> CompiledModel:
    board = load_board(board) if isinstance(board, str) else board
    placement = replace(parse_placement(weights), fast=parse_fast(fast))
    memories = parse_memories(memory) if memory else ()
    return assemble_for(graph, board, "net", Aim(weights=placement, memories=memories, push=push))


@cache
def digits_in(fast: str, memory: str = "") -> CompiledModel:
    return fast_model(digits(), "mps2-an386", fast, memory=memory)


def check(model: CompiledModel, on: str, samples: int = 3) -> None:
    report = check_bits(model, iter([random_inputs(model.graph, samples)]), on)
    assert report.first_mismatch is None, report.first_mismatch


@pytest.mark.toolchain
@pytest.mark.parametrize("cpu", ["cortex-m0", "cortex-m4", "cortex-m55", "rv32imc"])
@pytest.mark.parametrize("scheme", quick(["s8", "s16", "packed"], 1))
@pytest.mark.parametrize("memory", ["tcm", "ram"])
def test_copied_constants_give_the_same_bytes_on_every_cpu(memory: str, scheme: str, cpu: str) -> None:
    check(fast_model(SCHEMES[scheme](row_network(0), 0), with_memories(cpu), f"{memory}:2k"), "emulator")


@pytest.mark.toolchain
@pytest.mark.parametrize(("fast", "memory"), [("psram", "ram:2000,psram:2000"), ("ram:2k", "")])
def test_another_linker_puts_them_there_too(monkeypatch: pytest.MonkeyPatch, fast: str, memory: str) -> None:
    monkeypatch.setenv("MCUQ_CC", "zig")
    model = digits_in(fast, memory)
    check(model, "emulator")
    firmware = build_firmware(model)
    assert firmware.build.startswith("zig cc ")
    listed = model.listing.fast
    assert listed is not None
    assert len(firmware.image) > listed.size_bytes


@pytest.mark.toolchain
@pytest.mark.parametrize("compiler", ["", "zig"])
def test_other_constants_may_lie_in_a_section(monkeypatch: pytest.MonkeyPatch, compiler: str) -> None:
    """Linkers put a section that no script names in front of the copied bytes, or where these are."""
    if compiler:
        monkeypatch.setenv("MCUQ_CC", compiler)
    model = fast_model(digits(), "mps2-an386", "psram:2k", "section:.flash-2$x")
    assert '#define NET_WEIGHTS_SECTION ".flash-2$x"' in model.files["net.c"]
    check(model, "emulator")
    assert len(build_firmware(model).image) > model.constant_bytes


def test_they_give_the_same_bytes_on_the_host() -> None:
    check(digits_in("psram:2k"), "host")


@pytest.mark.toolchain
@pytest.mark.parametrize(("fast", "memory"), [("psram:2k", ""), ("psram", "ram:2000,psram:2000"), ("ram:2k", "")])
def test_they_lie_in_their_memory_behind_the_arena_and_in_flash(fast: str, memory: str) -> None:
    model = digits_in(fast, memory)
    listed, ram = model.listing.fast, model.board.memory
    assert listed is not None and ram is not None
    arenas = arena_sections(model, model.board)
    keep = [*model.listing.accessors.values()]
    built = build_target(model.files, "net_run", keep, model.board, stack_bytes=4096, arenas=arenas)
    start, end = built.symbols["mcuq_fast_start"], built.symbols["mcuq_fast_end"]
    where = next(r for r in ram.rams if r.name == listed.memory)
    assert where.address <= start < end <= where.end
    assert 0 < end - start <= listed.size_bytes + 8
    inside = [name for name in model.listing.arrays if start <= built.symbols[name] < end]
    assert sum(model.listing.arrays[name] for name in inside) <= end - start
    others = [name for name in model.listing.arrays if name not in inside]
    assert all(built.symbols[name] < ram.flash_address + built.flash_bytes for name in others)
    assert (others == []) == (fast == "psram")
    if memory:
        assert start >= 0x2100_0000 + model.arenas[1].size_bytes
    plain = model_of(digits(), "mps2-an386", "net")
    assert built.flash_bytes >= model.constant_bytes >= plain.constant_bytes


def test_layers_that_use_each_byte_most_come_first() -> None:
    program = lower(digits(), load_board("cortex-m4").cpu.features)
    everything = choose_fast(program, 2**30)
    assert fast_bytes(program, everything) >= program.constant_bytes
    chosen_before: frozenset[tuple[str, bytes]] = frozenset()
    steps = [step for step in program.steps if step.calls]

    def uses(i: int) -> float:
        n_bytes = sum(a.nbytes for call in steps[i].calls for a in call.arrays.values())
        return max(steps[i].layer.op.macs(steps[i].layer), steps[i].layer.output.elements) / max(1, n_bytes)

    order = sorted(range(len(steps)), key=uses, reverse=True)
    sizes = [fast_bytes(program, choose_fast(replace(program, steps=(steps[i],)), 2**30)) for i in order]
    total = 0
    for size in sizes:
        total += size
        chosen = choose_fast(program, total)
        assert chosen >= chosen_before
        assert fast_bytes(program, chosen) <= total
        chosen_before = chosen
    assert chosen_before == everything
    assert not choose_fast(program, min(size for size in sizes if size) - 1)


def test_the_header_tells_bytes_memory_and_section() -> None:
    model = digits_in("psram:2k")
    fast = model.listing.fast
    assert fast is not None and fast.memory == "psram" and 0 < fast.size_bytes <= 2048
    header, source = model.files["net.h"], model.files["net.c"]
    assert f"#define NET_FAST_WEIGHTS_BYTES {fast.size_bytes}" in header.split("\n")
    assert "NET_FAST_WEIGHTS_SECTION" in header
    assert "] MCUQ_FAST_WEIGHTS = {" in source and "] MCUQ_WEIGHTS = {" in source
    assert "#undef MCUQ_FAST_WEIGHTS" in source
    assert "FAST" not in "".join(model_of(digits(), "mps2-an386", "net").files.values())


def test_they_are_kept_from_files_to_other_goals(tmp_path: Path) -> None:
    model = digits_in("psram:2k")
    save(model, tmp_path)
    loaded = load(tmp_path)
    assert (loaded.listing, loaded.placement) == (model.listing, model.placement)
    assert loaded.placement.fast == RamUse("psram", 2048)
    assert with_goal(with_goal(loaded, "ram"), "balanced").files == model.files


def refusal(**given: str) -> str:
    with pytest.raises(ModelError) as caught:
        fast_model(digits(), "mps2-an386", **given)
    return str(caught.value)


def with_ram(board: str, name: str, size_bytes: int) -> Board:
    """The board with another size of one of its memories."""
    found = load_board(board)
    assert found.memory is not None
    more = tuple(replace(ram, size_bytes=size_bytes) if ram.name == name else ram for ram in found.memory.more)
    return replace(found, memory=replace(found.memory, more=more))


def test_a_model_without_constants_has_none_to_copy() -> None:
    for use in ("psram", "psram:8", "ram:64k"):
        with pytest.raises(ModelError) as caught:
            fast_model(integer_graph(Add(), [(4, 4, 4), (4, 4, 4)]), "mps2-an386", use)
        text = parse_fast(use).text
        assert str(caught.value) == (
            f"fast weights '{text}': no layer of the model has constants; leave out --fast-weights"
        )


@pytest.mark.parametrize("memory", ["", "psram:3000"])
def test_another_board_needs_as_much_of_the_memory(memory: str) -> None:
    """For the copied constants and the part of the arena before them."""
    model = digits_in("psram:2k", memory)
    listed = model.listing.fast
    assert listed is not None
    beside = sum(part.size_bytes for part in model.arenas if part.memory == "psram")
    assert (beside > 0) == bool(memory)
    needed = -(-beside // 8) * 8 + listed.size_bytes
    assert on_board(model, with_ram("mps2-an386", "psram", needed)).listing == model.listing
    with pytest.raises(BoardError) as caught:
        on_board(model, with_ram("mps2-an386", "psram", needed - 8))
    assert str(caught.value) == (
        f"model 'net' is compiled for mps2-an386 and has {listed.size_bytes:,} bytes of constants beside {beside:,} of "
        f"its arena in psram, of which mps2-an386 has {needed - 8:,}; compile it again with --board mps2-an386"
    )


def test_what_cannot_be_copied_is_refused() -> None:
    least = least_bytes(lower(digits(), load_board("mps2-an386").cpu.features))
    assert refusal(fast="psram,ram") == ("fast weights 'psram,ram': are copied into one memory; name one, as in psram")
    assert refusal(fast="psram:2k", weights="external") == (
        "fast weights 'psram:2048': are copied from the program, and with --weights external constants are in a file; "
        "load that into psram as it is, or leave out --weights external"
    )
    assert refusal(fast="psram:8") == (
        "fast weights 'psram:8': 8 bytes hold the constants of no layer; the arena leaves 14,680,064 of psram: allow "
        f"more of them, {least:,} at least, or leave out --fast-weights"
    )
    fast_model(digits(), "mps2-an386", f"psram:{least}")
    small = with_ram("mps2-an386", "psram", least - 8)
    with pytest.raises(ModelError) as caught_full:
        fast_model(digits(), small, "psram")
    assert str(caught_full.value) == (
        f"fast weights 'psram': {least - 8:,} bytes hold the constants of no layer; the arena leaves {least - 8:,} of "
        f"psram, and the smallest layer's are {least:,}: name another memory for the one or the other (--memory), or "
        "leave out --fast-weights"
    )
    with pytest.raises(BoardError) as caught:
        fast_model(digits(), "mps2-an386", "dtcm")
    assert str(caught.value) == (
        "memory 'dtcm': board 'mps2-an386' has ram, psram; another is named in a board file of your own, below "
        "[memory.more]"
    )
    with pytest.raises(BoardError) as caught:
        on_board(digits_in("psram:2k"), "netduinoplus2")
    assert str(caught.value) == (
        "model 'net' is compiled for mps2-an386 and has constants in psram, which netduinoplus2 does not have; compile "
        "it again with --board netduinoplus2"
    )


def test_the_command_tells_how_many_bytes(tmp_path: Path) -> None:
    given = [str(resource_dir("examples") / "digits" / name) for name in ("digits.onnx", "digits_calibration.npz")]
    arguments = ["compile", given[0], "--calibration", given[1], "--board", "mps2-an386", "--no-judge"]
    arguments += ["--fast-weights", "psram:2k", "-o", str(tmp_path)]
    result = CliRunner().invoke(main, [*arguments, "--json"], catch_exceptions=False)
    fast = json.loads(result.stdout)["fast_weights"]
    assert fast["memory"] == "psram" and 0 < fast["bytes"] <= 2048
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    line = f"          {fast['bytes']:>9,} bytes of the constants are copied into psram by start-up code"
    assert line in result.stdout.split("\n")
    assert "fast weights psram:2048" in load(tmp_path).files["digits.c"]
