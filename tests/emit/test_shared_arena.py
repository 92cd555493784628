"""Several models that compute in one array, in turn."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from emit.test_c_interface import cc, graph_of
from golden.graphs import digits, tiny
from row_networks import row_network
from support import model_of, random_inputs, with_ranges

from mcuq.artifact import load, save_all
from mcuq.boards.find import load_board
from mcuq.build.target import build_target
from mcuq.compile import CompiledModel, share_arena, with_goal, with_placement
from mcuq.emulate.unicorn_cpu import UnicornCpu
from mcuq.errors import ArtifactError, BoardError, McuqError, ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array
from mcuq.graph.tensor_bytes import join_tensors
from mcuq.lower import Placement
from mcuq.ops.add import Add
from mcuq.plan.fit import STACK_BYTES
from mcuq.quantize import quantize_graph
from mcuq.validate.bits import check_bits

TURNS = (0, 1, 0, 0, 1, 1, 0, 1)


@cache
def pair(board: str = "host") -> tuple[CompiledModel, ...]:
    """Models of other sizes and types, the second with its constants in a file."""
    second = with_placement(model_of(graph_of("int16"), board, "second"), Placement("external"))
    return share_arena([model_of(tiny(), board, "first"), second])


def sources(models: Sequence[CompiledModel]) -> dict[str, str]:
    return {name: text for model in models for name, text in model.sources.items()}


def samples(model: CompiledModel) -> tuple[list[bytes], list[bytes]]:
    """Inputs, and the outputs that they give."""
    inputs = random_inputs(model.graph, len(TURNS))
    wanted = simulate(model.graph, inputs)
    return joined(inputs, model.graph.inputs), joined(wanted, model.graph.outputs)


def joined(values: Mapping[str, Array], names: Sequence[str]) -> list[bytes]:
    return [join_tensors({name: values[name][i] for name in names}, names) for i in range(len(TURNS))]


MAIN = """\
#include "first.h"
#include "second.h"
#include "shared_arena.h"
#include <stdio.h>
#include <string.h>

int32_t second_weights_start(void);

/* From stdin: 0 or 1, and an input. Whose turn it is writes it to its own place; every other time it lies elsewhere. */
int main(void)
{
    static int8_t x[FIRST_INPUT_ELEMENTS], y[FIRST_OUTPUT_ELEMENTS];
    static int16_t x2[SECOND_INPUT_ELEMENTS], y2[SECOND_OUTPUT_ELEMENTS];
    int which;

    if (second_weights_start() != SECOND_WEIGHTS_OK)
        return 1;
    for (int i = 0; (which = getchar()) != EOF; i++) {
        const int is_inside = i % 2;
        if (fread(which ? (void *)x2 : (void *)x, which ? sizeof x2 : sizeof x, 1, stdin) != 1)
            return 2;
        memset(shared_arena, i % 3 ? 0xa5 : 0x5a, sizeof shared_arena);
        if (which) {
            if (is_inside)
                memcpy(second_input(), x2, sizeof x2);
            second_run(is_inside ? second_input() : x2, is_inside ? second_output() : y2);
            fwrite(is_inside ? second_output() : y2, sizeof y2, 1, stdout);
        } else {
            if (is_inside)
                memcpy(first_input(), x, sizeof x);
            first_run(is_inside ? first_input() : x, is_inside ? first_output() : y);
            fwrite(is_inside ? first_output() : y, sizeof y, 1, stdout);
        }
    }
    return 0;
}
"""


def test_models_compute_the_simulators_bytes_in_turn_on_the_host(tmp_path: Path) -> None:
    models = pair()
    sanitizers = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    warnings = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror")
    cc(tmp_path, {**sources(models), "main.c": MAIN}, "-O1", *warnings, *sanitizers, "-I.", "-o", "program")
    each = [samples(model) for model in models]
    sent = b"".join(bytes([which]) + each[which][0][i] for i, which in enumerate(TURNS))
    ended = subprocess.run(
        [str(tmp_path / "program")], input=sent, capture_output=True, check=True,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
    )  # fmt: skip
    assert ended.stdout == b"".join(each[which][1][i] for i, which in enumerate(TURNS))


@pytest.mark.toolchain
@pytest.mark.parametrize("board", ["cortex-m4", pytest.param("rv32imc", marks=pytest.mark.slow)])
def test_models_compute_the_simulators_bytes_in_turn_on_emulated_cpus(board: str) -> None:
    models = pair(board)
    accessors = [name for model in models for name in model.listing.accessors.values()]
    keep = (*accessors, models[1].start, "second_run", "shared_arena")
    built = build_target(sources(models), "first_run", keep, load_board(board), stack_bytes=STACK_BYTES)
    cpu = UnicornCpu(built.elf, load_board(board))
    assert cpu.call(models[1].start).value == 0
    arena = cpu.address_of("shared_arena")
    places = {name: cpu.call(name).value for name in accessors}
    n_bytes = max(model.arena_bytes for model in models)
    assert all(arena <= place < arena + n_bytes for place in places.values())
    assert n_bytes <= built.bss_bytes < n_bytes + 32
    each = [samples(model) for model in models]
    for i, which in enumerate(TURNS):
        name = models[which].name
        cpu.write(arena, bytes([i * 31]) * n_bytes)
        cpu.write(places[f"{name}_input"], each[which][0][i])
        cpu.call(f"{name}_run", places[f"{name}_input"], places[f"{name}_output"])
        assert cpu.read(places[f"{name}_output"], len(each[which][1][i])) == each[which][1][i], i


def test_the_array_is_as_large_as_the_largest_model_and_the_only_one(tmp_path: Path) -> None:
    models = pair()
    n_bytes = max(model.arena_bytes for model in models)
    assert n_bytes > min(model.arena_bytes for model in models)
    header = models[0].files["shared_arena.h"]
    assert header == models[1].files["shared_arena.h"]
    assert f"#define SHARED_ARENA_BYTES {n_bytes}\n" in header
    assert f"#define SHARED_ARENA_STACK_BYTES {max(model.stack_bytes for model in models)}\n" in header
    for model in models:
        assert f" * {model.name}: {model.arena_bytes} bytes\n" in header
    cc(tmp_path, sources(models), "-c", "-std=c99", "-O1", "-I.")
    sizes = {name: int(n, 16) for name, n in symbols(tmp_path, "first.o", "second.o", "shared_arena.o")}
    assert {name for name in sizes if name.endswith("arena")} == {"shared_arena"}
    assert sizes["shared_arena"] == n_bytes


def symbols(folder: Path, *objects: str) -> list[tuple[str, str]]:
    """(name, bytes in hexadecimal digits) of what is defined."""
    said = subprocess.run(["nm", "-S", *objects], cwd=folder, capture_output=True, text=True, check=True)
    return [(line.split()[3], line.split()[1]) for line in said.stdout.splitlines() if len(line.split()) == 4]


def test_headers_say_whose_the_memory_is() -> None:
    first, _ = pair()
    header, own = first.files["first.h"], model_of(tiny(), "host", "first").files["first.h"]
    assert (
        "/* The same in shared_arena (shared_arena.h), where other models compute too: what lies in it is gone when"
        in header
    )
    assert "once at a time, or a run of another model in shared_arena. An interrupt" in header
    assert "FIRST_ARENA_SECTION" not in header
    assert "shared" not in own
    assert first.files["shared_arena.c"].count("SHARED_ARENA_SECTION") == 2


@pytest.mark.slow
def test_all_of_it_may_stand_in_one_translation_unit_and_is_cpp(tmp_path: Path) -> None:
    models = pair()
    found = sources(models)
    for name, text in found.items():
        if name.endswith(".h"):
            (tmp_path / name).write_text(text)
    unit = "".join(text for name, text in found.items() if name.endswith(".c"))
    (tmp_path / "unit.cpp").write_text(unit)
    (tmp_path / "unit.c").write_text(unit)
    for command in (["c++", "-std=c++11", "unit.cpp"], ["cc", "-std=c99", "-Wconversion", "unit.c"]):
        subprocess.run([*command, "-Wall", "-Wextra", "-Werror", "-c"], cwd=tmp_path, check=True)


def test_without_run_there_is_no_array(tmp_path: Path) -> None:
    first, _ = pair()
    files = {"first.h": first.files["first.h"], "shared_arena.h": first.files["shared_arena.h"]}
    cc(tmp_path, {**files, "first.c": first.files["first.c"]}, "-c", "-std=c99", "-DFIRST_NO_ARENA", "-I.")
    said = subprocess.run(["nm", "-u", "first.o"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "shared_arena" not in said


@pytest.mark.slow
def test_an_array_for_smaller_models_is_refused_by_compilers(tmp_path: Path) -> None:
    models = pair()
    large = max(models, key=lambda model: model.arena_bytes)
    small = share_arena([model_of(tiny(), "host", "a"), model_of(tiny(), "host", "b")])[0]
    files = {**large.files, "shared_arena.h": small.files["shared_arena.h"]}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    ended = subprocess.run(
        ["cc", "-std=c11", "-c", f"{large.name}.c"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0
    assert "shared_arena.h is of smaller models" in ended.stderr


# --- names ---------------------------------------------------------------------------------------------------------


def adding(name: str) -> Graph:
    """A graph with an input of that name."""
    builder = GraphBuilder("net")
    inputs = [builder.input(name, (1, 4)), builder.input("other", (1, 4))]
    builder.outputs.append(builder.add(Add(), inputs, "sum"))
    graph = builder.graph()
    return quantize_graph(graph, dict.fromkeys(graph.tensors, (-1.0, 1.0)))


def refusal(models: Sequence[CompiledModel], arena: str = "shared_arena") -> McuqError:
    with pytest.raises(McuqError) as caught:
        share_arena(models, arena)
    return caught.value


def test_names_that_clash_are_refused() -> None:
    def named(name: str, port: str = "x", board: str = "host") -> CompiledModel:
        return model_of(adding(port), board, name)

    cases = [
        ((named("net"), named("Net")), "model 'Net' and model 'net': both have 'net'"),
        ((named("a", "b_run"), named("a_b")), "model 'a_b' and model 'a': both have 'a_b_run'"),
        ((named("a"), named("the_arena")), "model 'the_arena' and arena 'the_arena': both have 'the_arena'"),
        ((named("a"), named("the")), "model 'the' and arena 'the_arena': both have 'the_arena'"),
    ]  # fmt: skip
    for models, said in cases:
        error = refusal(models, "the_arena")
        assert isinstance(error, ModelError)
        assert str(error) == f"{said} in C; give another name: --name"
    a, b = named("a"), named("a_b", "c")  # one begins as the other does
    assert len(share_arena([a, b])) == 2


def test_what_cannot_be_shared_is_refused() -> None:
    one, other = model_of(tiny(), "host", "one"), model_of(tiny(), "cortex-m4", "other")
    error = refusal([one])
    assert isinstance(error, ModelError)
    assert str(error) == "arena 'shared_arena': is to be shared by several models, 1 given"
    error = refusal([one, other])
    assert isinstance(error, BoardError)
    assert str(error) == (
        "arena 'shared_arena': is shared by 'one' for host and 'other' for cortex-m4; compile all for one board"
    )
    error = refusal([one, replace(one, name="two")], "my arena")
    assert isinstance(error, ModelError)
    assert str(error) == (
        "arena 'my arena': is no C identifier of 40 characters at most; use letters, digits and single underscores, as "
        "in 'my_arena'"
    )
    for name in ("stdint", "stddef", "String", "main", "memcpy"):
        error = refusal([one, replace(one, name="two")], name)
        assert isinstance(error, ModelError)
        assert str(error) == (
            f"arena '{name}': is the name of a header or function of the C library; use another, as in "
            f"'{name.lower()}_'"
        )


def test_the_name_that_is_proposed_instead_is_one(tmp_path: Path) -> None:
    """Also when it is read back."""
    models = share_arena([model_of(tiny(), "host", "stdint_"), model_of(tiny(), "host", "two")], "string_")
    save_all(models, tmp_path)
    assert load(tmp_path / "stdint_.mcuq").files == models[0].files


def test_models_of_one_name_are_not_saved_over_each_other(tmp_path: Path) -> None:
    one = model_of(tiny(), "host", "one")
    for other in ("one", "One"):
        with pytest.raises(ArtifactError) as caught:
            save_all([one, model_of(digits(), "host", other)], tmp_path / "both")
        assert str(caught.value) == (
            f"{tmp_path / 'both'}: models 'one' and '{other}' would have the same files; give each a name of "
            "its own: --name"
        )
    with pytest.raises(ArtifactError) as caught:
        save_all([], tmp_path / "both")
    assert str(caught.value) == f"{tmp_path / 'both'}: no models are given to be saved; give one or more"
    assert not (tmp_path / "both").exists()


def test_the_documented_program_of_two_models_runs(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "weights.md").read_text().partition("## Several models, one arena")[2]
    program = text.partition("```c\n")[2].partition("```")[0]
    (command,) = [line.strip() for line in text.splitlines() if line.startswith("    cc ")]
    models = share_arena([model_of(digits(), "cortex-m4", "kws"), model_of(tiny(), "cortex-m4", "vww")])
    save_all(models, tmp_path / "build" / "both")
    (tmp_path / "main.c").write_text(program)
    subprocess.run([*command.split(), "-Wall", "-Wextra", "-Wconversion", "-Werror"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"], check=False).returncode == 0


def test_models_whose_input_is_pushed_share_nothing() -> None:
    """Rows of theirs are in the arena between pushes, where another model would write over them."""
    pushed = model_of(with_ranges(row_network(0)), "host", "pushed", push=True)
    error = refusal([model_of(tiny(), "host", "other"), pushed])
    assert isinstance(error, ModelError)
    assert str(error) == (
        "arena 'shared_arena': model 'pushed' takes its input row by row and keeps rows in the arena between pushes; "
        "compile it without --push to share"
    )


@pytest.mark.slow
def test_a_tensor_may_be_called_as_the_array_is() -> None:
    ports = {"a": "shared_arena", "b": "shared_arena_bytes"}
    for model in share_arena([model_of(adding(port), "host", name) for name, port in ports.items()]):
        assert check_bits(model, iter([random_inputs(model.graph, 3)]), "host").bit_exact


# --- folders and goals ---------------------------------------------------------------------------------------------


def test_models_of_one_folder_are_read_by_their_names(tmp_path: Path) -> None:
    models = pair("cortex-m4")
    written = save_all(models, tmp_path)
    assert {path.name for path in written} == {
        "first.c", "first.h", "first.mcuq", "second.c", "second.h", "second.mcuq", "second.weights.bin",
        "shared_arena.c", "shared_arena.h",
    }  # fmt: skip
    for model in models:
        again = load(tmp_path / f"{model.name}.mcuq")
        assert again.files == model.files
        assert again.placement == model.placement
    assert check_bits(again, iter([random_inputs(again.graph, 2)]), "host").bit_exact
    with pytest.raises(ArtifactError) as caught:
        load(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: holds several compiled models (first.mcuq, second.mcuq); give the path of one of them"
    )
    (tmp_path / "shared_arena.c").unlink()
    with pytest.raises(ArtifactError) as caught:
        load(tmp_path / "first.mcuq")
    assert str(caught.value) == f"{tmp_path}: 'shared_arena.c' is missing beside first.mcuq; compile the model again"


@pytest.mark.slow
@pytest.mark.toolchain
def test_another_goal_still_shares() -> None:
    first, _ = share_arena([model_of(digits(), "cortex-m4", "first"), model_of(tiny(), "cortex-m4", "second")])
    size = with_goal(first, "size")
    assert size.placement.arena == "shared_arena"
    assert check_bits(size, iter([random_inputs(size.graph, 2)]), "emulator").bit_exact


def test_an_arena_of_its_own_is_as_it_was() -> None:
    first, _ = pair()
    again = with_placement(first, Placement())
    assert again.files == model_of(tiny(), "host", "first").files
