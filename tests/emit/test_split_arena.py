"""An arena in several memories of a board: the same bytes, each part where it is to be, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from float_cases import wild_inputs
from golden.graphs import digits, tiny
from row_networks import SCHEMES, row_network
from selections import quick
from support import model_of, random_inputs

from mcuq.artifact import load, save
from mcuq.boards.facts import Board, Ram
from mcuq.boards.find import load_board
from mcuq.build.arena_sections import arena_sections
from mcuq.build.footprint import measure_footprint
from mcuq.build.target import build_target
from mcuq.cli import main
from mcuq.compile import Aim, CompiledModel, assemble_for, on_board, share_arena, with_goal
from mcuq.errors import BoardError, ModelError
from mcuq.graph.ir import Graph
from mcuq.lower import Stepped
from mcuq.lower.memories import RamUse, parse_memories
from mcuq.plan import fit
from mcuq.plan.fit import DoesNotFit
from mcuq.report.profile import profile_model
from mcuq.resources import resource_dir
from mcuq.validate import check_bits

# Where emulators have memory beside that of the board's file: QEMU's machine of the M55 has SRAM there.
MORE = {"cortex-m55": Ram("tcm", 0x2100_0000, 2_097_152, is_fast=True)}
TCM = Ram("tcm", 0x1000_0000, 65_536, is_fast=True)


def with_memories(name: str, ram_bytes: int | None = None) -> Board:
    """The board with a fast memory beside its own RAM, which has `ram_bytes`."""
    board = load_board(name)
    assert board.memory is not None
    memory = replace(board.memory, more=(MORE.get(name, TCM),), ram_bytes=ram_bytes or board.memory.ram_bytes)
    return replace(board, memory=memory)


def split_model(graph: Graph, board: Board, push: bool = False, step: Stepped | None = None) -> CompiledModel:
    """The model with an arena of which neither memory holds all."""
    whole = assemble_for(graph, board, "net", Aim(push=push, step=step)).arena_bytes
    for most in (whole * tenths // 10 for tenths in (4, 5, 6, 7, 8)):
        uses = RamUse("tcm", most), RamUse("ram", most)
        try:
            model = assemble_for(graph, board, "net", Aim(push=push, memories=uses, step=step))
        except DoesNotFit:
            continue
        if len(model.arenas) < 2:  # another plan, which takes less
            continue
        assert [part.memory for part in model.arenas] == ["tcm", ""]
        assert all(0 < part.size_bytes <= most for part in model.arenas)
        assert sum(part.size_bytes for part in model.arenas) == model.arena_bytes
        return model
    raise AssertionError("no bound divides it")


@cache
def digits_in(board: str = "mps2-an386") -> CompiledModel:
    """Digits with a third of its arena in PSRAM."""
    aim = Aim(memories=parse_memories("ram:2000,psram:2000"))
    return assemble_for(digits(), load_board(board), "digits", aim)


def check(model: CompiledModel, on: str, samples: int = 7) -> None:
    inputs = random_inputs if all(model.graph.tensors[name].quant for name in model.graph.inputs) else wild_inputs
    report = check_bits(model, iter([inputs(model.graph, samples)]), on)
    assert report.first_mismatch is None, report.first_mismatch
    assert report.samples == samples


@pytest.mark.parametrize("scheme", quick([*SCHEMES], 2))
@pytest.mark.parametrize("seed", quick([1, 2, 3, 5], 2))
def test_parts_give_the_same_bytes_on_the_host(seed: int, scheme: str) -> None:
    """Each part is allocated on its own there, exactly as large as the header says."""
    check(split_model(SCHEMES[scheme](row_network(seed), seed), with_memories("cortex-m4")), "host")


@pytest.mark.toolchain
@pytest.mark.parametrize("cpu", ["cortex-m0", "cortex-m4", "cortex-m55", "rv32imc"])
@pytest.mark.parametrize("scheme", quick([name for name in SCHEMES if name != "dynamic"], 1))
@pytest.mark.parametrize("push", [False, True])
def test_parts_give_the_same_bytes_on_every_cpu(push: bool, scheme: str, cpu: str) -> None:
    model = split_model(SCHEMES[scheme](row_network(1), 1), with_memories(cpu), push)
    assert model.is_pushed == push
    check(model, "emulator", 4 if push else 2)


@pytest.mark.parametrize("seed", quick([0, 3], 1))
def test_rows_are_pushed_into_parts(seed: int) -> None:
    check(split_model(SCHEMES["s8"](row_network(seed), seed), with_memories("cortex-m4"), push=True), "host")


@pytest.mark.parametrize("on", [pytest.param("emulator", marks=pytest.mark.toolchain), "host"])
@pytest.mark.parametrize("seed", quick([3, 0], 1))
def test_steps_go_on_in_parts(seed: int, on: str) -> None:
    model = split_model(SCHEMES["s8"](row_network(seed), seed), with_memories("cortex-m4"), step=Stepped(2_000))
    assert model.is_stepped
    check(model, on, 8)


@pytest.mark.toolchain
def test_each_part_lies_in_its_memory() -> None:
    model = digits_in()
    memory = model.board.memory
    assert memory is not None
    keep, arenas = [*model.listing.accessors.values()], arena_sections(model, model.board)
    built = build_target(model.files, "digits_run", keep, model.board, stack_bytes=4096, arenas=arenas)
    assert built.symbols["digits_arena_psram"] == 0x2100_0000
    assert memory.ram_address + 4096 <= built.symbols["digits_arena"] < memory.main.end
    assert built.ram_bytes < model.arena_bytes  # of the main memory alone
    alone = model_of(digits(), "mps2-an386", "digits")
    assert measure_footprint(model).constant_bytes == measure_footprint(alone).constant_bytes


@pytest.mark.toolchain
def test_layers_of_a_model_in_parts_are_profiled() -> None:
    model, alone = digits_in(), model_of(digits(), "mps2-an386", "digits")
    found, expected = profile_model(model), profile_model(alone)
    assert [layer.name for layer in found.layers] == [layer.name for layer in expected.layers]
    assert found.arena_bytes == model.arena_bytes


def test_the_header_tells_the_bytes_and_the_section_of_each_part() -> None:
    model = digits_in()
    header, source = model.files["digits.h"], model.files["digits.c"]
    (main, psram) = model.arenas
    assert (main.memory, psram.memory) == ("", "psram")
    for line in (
        f"#define DIGITS_ARENA_BYTES {main.size_bytes} /* digits_arena[], with all other data */",
        f"#define DIGITS_ARENA_PSRAM_BYTES {psram.size_bytes} /* digits_arena_psram[], in psram */",
        "void digits_run_in(void *arena, void *arena_psram, const int8_t *input, int8_t *output);",
        " * DIGITS_ARENA_PSRAM_SECTION   the section of digits_arena_psram, working memory that is to lie in psram",
    ):
        assert line in header.split("\n")
    assert f"static int32_t digits_arena_psram[{psram.size_bytes} / 4];" in source
    assert f"static int32_t digits_arena[{main.size_bytes} / 4] MCUQ_ARENA;" in source


def test_what_is_read_most_lies_in_the_fast_memory() -> None:
    board = with_memories("cortex-m4")
    model = assemble_for(digits(), board, "net", Aim(memories=parse_memories("tcm:1500,ram")))
    assert [part.memory for part in model.arenas] == ["tcm", ""]
    fast = model.arenas[0]
    inside = [box for box in model.arena_map.boxes if box.offset < fast.size_bytes]
    scratch = [box for box in model.arena_map.boxes if box.kind == "scratch"]
    assert scratch and all(box in inside for box in scratch)


def test_one_memory_that_is_named_is_the_c_as_ever() -> None:
    alone = model_of(digits(), "nucleo-h743zi", "net")
    assert alone.listing.arenas == ()
    named = assemble_for(digits(), load_board("nucleo-h743zi"), "net", Aim(memories=parse_memories("axi")))
    assert named.files == alone.files


def test_all_of_an_arena_may_lie_in_another_memory() -> None:
    model = assemble_for(digits(), with_memories("cortex-m4"), "net", Aim(memories=parse_memories("tcm")))
    assert [(part.memory, part.size_bytes) for part in model.arenas] == [("tcm", model.arena_bytes)]
    assert "NET_ARENA_BYTES" not in model.files["net.h"]
    check(model, "host", 3)


def test_an_arena_is_split_where_ram_is_too_small_for_it() -> None:
    whole = model_of(digits(), with_memories("cortex-m4"), "net")
    assert whole.listing.arenas == ()
    ram_bytes = 4096 + whole.arena_bytes
    assert model_of(digits(), with_memories("cortex-m4", ram_bytes), "net").files == whole.files
    # Less than whole layers take is enough by rows, which are not worth their flash where there is more.
    by_rows = model_of(digits(), with_memories("cortex-m4", ram_bytes - 4), "net")
    assert by_rows.listing.arenas == ()
    assert by_rows.arena_bytes < whole.arena_bytes
    model = model_of(digits(), with_memories("cortex-m4", 4096 + by_rows.arena_bytes - 4), "net")
    assert [part.memory for part in model.arenas] == ["tcm"]  # the fast one holds all
    tight = replace(TCM, size_bytes=1500)
    board = with_memories("cortex-m4", 4096 + 2000)
    assert board.memory is not None
    board = replace(board, memory=replace(board.memory, more=(tight,)))
    model = model_of(digits(), board, "net")
    assert [part.memory for part in model.arenas] == ["tcm", ""]
    assert model.arenas[0].size_bytes <= 1500
    assert model.arenas[1].size_bytes <= 2000
    check(model, "host", 3)


def test_parts_are_kept_from_files_to_other_goals(tmp_path: Path) -> None:
    model = digits_in()
    save(model, tmp_path)
    loaded = load(tmp_path)
    assert loaded.listing == model.listing
    assert (loaded.arenas, loaded.memories) == (model.arenas, model.memories)
    again = with_goal(loaded, "size")
    assert [part.memory for part in again.arenas] == ["", "psram"]
    assert all(part.size_bytes <= 2000 for part in again.arenas)
    assert with_goal(again, "balanced").files["digits.h"] == model.files["digits.h"]


def test_max_ram_bounds_all_parts_together() -> None:
    uses = parse_memories("ram:2000,psram:2000")
    board = load_board("mps2-an386")
    bound = digits_in().arena_bytes
    assert assemble_for(digits(), board, "net", Aim(memories=uses, max_ram_bytes=bound)).arena_bytes <= bound


def test_what_fits_into_no_parts_is_refused_with_the_largest_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "board_names", lambda: ())
    tensors = sorted((t for t in digits().tensors.values() if not t.is_constant), key=lambda t: (-t.size_bytes, t.name))
    shown = ", ".join(f"'{t.name}' {'x'.join(map(str, t.shape))} {t.size_bytes:,}" for t in tensors[:3])
    board = load_board("mps2-an386")
    whole = assemble_for(digits(), board, "net", Aim()).arena_bytes
    by_rows = assemble_for(digits(), board, "net", Aim(max_ram_bytes=whole - 1)).arena_bytes
    for bound, arena_bytes, text in ((None, by_rows, ""), (4000, whole, " and --max-ram 4,000")):
        aim = Aim(memories=parse_memories("ram:600,psram:500"), max_ram_bytes=bound)
        with pytest.raises(DoesNotFit) as caught:
            assemble_for(digits(), board, "net", aim)
        assert str(caught.value) == (
            f"model 'net' has an arena of {arena_bytes:,} bytes, and no parts of it were found that fit into ram 600, "
            f"psram 500 without 4,096 for the stack{text}; largest tensors: {shown}; use a smaller model"
        )
    with pytest.raises(DoesNotFit) as caught:
        assemble_for(digits(), board, "net", Aim(memories=parse_memories("psram:500")))
    assert str(caught.value) == (
        f"model 'net' has an arena of {whole:,} bytes, and no parts of it were found that fit into psram 500; "
        f"largest tensors: {shown}; use a smaller model"
    )


def test_models_in_parts_share_no_arena() -> None:
    with pytest.raises(ModelError) as caught:
        share_arena([model_of(tiny(), "mps2-an386", "small"), digits_in()])
    assert str(caught.value) == (
        "arena 'shared_arena': the arena of model 'digits' lies in ram and psram; one that is shared lies in one "
        "memory: compile it for less RAM, or without --memory"
    )


def test_a_board_without_the_memory_of_a_part_is_refused() -> None:
    model = digits_in()
    psram = model.arenas[1].size_bytes
    with pytest.raises(BoardError) as caught:
        on_board(model, "netduinoplus2")
    assert str(caught.value) == (
        f"model 'digits' is compiled for mps2-an386 and has {psram:,} bytes of its arena in psram, of which "
        "netduinoplus2 has 0; compile it again with --board netduinoplus2"
    )
    assert on_board(model, "mps2-an500").arenas == model.arenas


def test_names_of_tensors_do_not_clash_with_those_of_parts() -> None:
    graph = digits()
    assert np.all([name not in ("arena_psram", "memory_psram") for name in graph.tensors])
    (tensor,) = graph.outputs
    nodes = tuple(replace(n, output="arena_psram") if n.output == tensor else n for n in graph.nodes)
    tensors = {("arena_psram" if k == tensor else k): v for k, v in graph.tensors.items()}
    tensors["arena_psram"] = replace(graph.tensors[tensor], name="arena_psram")
    renamed = replace(graph, nodes=nodes, tensors=tensors, outputs=("arena_psram",))
    model = assemble_for(renamed, load_board("mps2-an386"), "net", Aim(memories=parse_memories("ram:2000,psram:2000")))
    check(model, "host", 2)


def test_the_command_tells_the_bytes_in_each_memory(tmp_path: Path) -> None:
    given = [str(resource_dir("examples") / "digits" / name) for name in ("digits.onnx", "digits_calibration.npz")]
    arguments = ["compile", given[0], "--calibration", given[1], "--board", "mps2-an386", "--no-judge"]
    arguments += ["--memory", "ram:2000,psram:2000", "-o", str(tmp_path)]
    result = CliRunner().invoke(main, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    model, found = load(tmp_path), json.loads(result.stdout)
    assert found["arenas"] == [
        {"memory": "ram", "bytes": model.arenas[0].size_bytes, "array": "digits_arena"},
        {"memory": "psram", "bytes": model.arenas[1].size_bytes, "array": "digits_arena_psram"},
    ]
    assert found["arena_bytes"] == sum(part["bytes"] for part in found["arenas"])
    assert "memory ram:2000,psram:2000" in model.files["digits.c"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    for part in found["arenas"]:
        assert f"          {part['bytes']:>9,} of them in {part['memory']}: {part['array']}" in result.stdout.split(
            "\n"
        )
    refused = CliRunner().invoke(main, [*arguments, given[0], "--name", "a,b"])
    assert refused.exit_code == 2
    assert "--memory: is for one model; compile it by itself" in refused.output
