"""Constants in a file of their own: the same bytes out on every CPU, and no weights taken but the model's own."""

from __future__ import annotations

import os
import struct
import subprocess
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from emit.test_c_interface import cc, graph_of
from emit.test_c_interface import symbols as global_symbols
from golden.graphs import digits, tiny
from row_networks import row_network
from selections import quick
from support import model_of, with_ranges

from mcuq.artifact import load, save
from mcuq.boards.find import load_board
from mcuq.build.firmware_source import model_sources
from mcuq.build.footprint import measure_footprint
from mcuq.compile import CompiledModel, compile_model, with_goal, with_placement
from mcuq.emit import model as emit_model
from mcuq.emit.weights import (
    ALIGNMENT,
    CUT,
    DAMAGED,
    HEAD_BYTES,
    MISSING,
    NOT_A_BLOB,
    OK,
    OTHER_MODEL,
    OTHER_VERSION,
    STATUSES,
    UNALIGNED,
    status_of,
)
from mcuq.errors import ArtifactError, BoardError, ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array
from mcuq.graph.tensor_bytes import join_samples, join_tensors
from mcuq.kernels.c_types import C_TYPES
from mcuq.lower import GOALS, Goal, Placement, parse_placement
from mcuq.ops.add import Add
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.window import Window
from mcuq.quantize import parse_scheme, quantize_graph
from mcuq.resources import resource_dir
from mcuq.validate.bits import check_bits, probe_inputs

HERE = Path(__file__).parent
EXTERNAL = Placement("external")
SCHEMES = ("int8", "float32", "int16", "int4", "dynamic")
BOARDS = ("cortex-m4", "cortex-m55", "cortex-m0", "rv32imc")
toolchain = pytest.mark.toolchain


def model(
    graph: Graph, board: str = "host", name: str = "net", goal: Goal = "balanced", weights: Placement = EXTERNAL
) -> CompiledModel:
    return with_placement(model_of(graph, board, name, goal), weights)


def inputs_of(graph: Graph, samples: int) -> dict[str, Array]:
    """Both extremes, and random ones."""
    return {name: x[:samples] for name, x in probe_inputs(graph).items()}


def blob_of(one: CompiledModel) -> bytes:
    assert one.blob is not None
    return one.blob


def head_of(one: CompiledModel) -> bytes:
    return bytes.fromhex(one.listing.weights_head)


# --- the same bytes out --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", quick(SCHEMES, 2))
def test_the_host_computes_the_simulators_bytes(scheme: str) -> None:
    one = model(graph_of(scheme))
    assert check_bits(one, iter([inputs_of(one.graph, 4)]), "host").bit_exact


@toolchain
@pytest.mark.parametrize(
    ("board", "scheme"), quick([(board, scheme) for scheme in SCHEMES for board in BOARDS], 2), ids=str
)
def test_emulated_cpus_compute_the_simulators_bytes(board: str, scheme: str) -> None:
    one = model(graph_of(scheme), board)
    report = check_bits(one, iter([inputs_of(one.graph, 4)]), "emulator")
    assert report.bit_exact
    assert report.stack_bytes is not None
    assert report.stack_bytes <= one.stack_bytes


@toolchain
@pytest.mark.slow
@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("board", ["cortex-m4", "rv32imc"])
def test_every_goal_computes_the_simulators_bytes(board: str, goal: Goal) -> None:
    one = model(graph_of("int8"), board, goal=goal)
    assert check_bits(one, iter([inputs_of(one.graph, 4)]), "emulator").bit_exact


@pytest.mark.parametrize("seed", quick(range(6)))
def test_rows_compute_the_simulators_bytes(seed: int) -> None:
    one = model(with_ranges(row_network(seed)), "cortex-m4", goal="ram")
    assert check_bits(one, iter([inputs_of(one.graph, 3)]), "host").bit_exact


@toolchain
@pytest.mark.parametrize("on", quick(["host", "emulator"]))
def test_rows_that_are_pushed_compute_the_simulators_bytes(on: str) -> None:
    one = with_placement(model_of(with_ranges(row_network(0)), "cortex-m4", "net", push=True), EXTERNAL)
    assert one.is_pushed
    assert check_bits(one, iter([inputs_of(one.graph, 3)]), on).bit_exact


@toolchain
@pytest.mark.slow
@pytest.mark.parametrize(("board", "percent"), [("cortex-m4", 1), ("cortex-m55", 3), ("cortex-m0", 3), ("rv32imc", 5)])
def test_an_inference_takes_hardly_more_instructions(board: str, percent: float) -> None:
    inputs = inputs_of(graph_of("int8"), 1)
    inline, external = (
        check_bits(model(graph_of("int8"), board, weights=weights), iter([inputs]), "emulator").instructions
        for weights in (Placement(), EXTERNAL)
    )
    assert inline is not None
    assert external is not None
    assert external <= inline * (1 + percent / 100)


# --- what is in the file -------------------------------------------------------------------------------------------


def test_the_file_is_as_documented() -> None:
    one = model(graph_of("int8"))
    blob = blob_of(one)
    magic, version, digest, length, alignment, zeros, crc = struct.unpack("<8sI16sII24sI", blob[:64])
    assert (magic, version, length, alignment, zeros) == (b"MCUQWGTS", 1, len(blob), 8, bytes(24))
    assert digest != bytes(16)
    assert crc == zlib.crc32(blob[:60] + blob[64:])
    assert one.listing.offsets.keys() == one.listing.arrays.keys()
    end = HEAD_BYTES
    for name, offset in one.listing.offsets.items():
        assert offset == -(-end // ALIGNMENT) * ALIGNMENT
        assert not any(blob[end:offset])
        end = offset + one.listing.arrays[name]
    assert len(blob) == -(-end // ALIGNMENT) * ALIGNMENT


def test_the_file_has_the_bytes_that_are_inline_else() -> None:
    one, inline = model(graph_of("int8")), model(graph_of("int8"), weights=Placement())
    parts = [blob_of(one)[at : at + one.listing.arrays[name]] for name, at in one.listing.offsets.items()]
    assert zlib.crc32(b"".join(parts)) == one.listing.constants_crc == inline.listing.constants_crc
    assert one.constant_bytes == inline.constant_bytes == sum(map(len, parts))
    assert "MCUQ_WEIGHTS = {" not in one.files["net.c"]
    assert inline.blob is None
    assert "weights" not in inline.files["net.h"].lower().replace("net_weights_section", "")


def test_sizes_that_functions_share_stay_in_the_c() -> None:
    """They are of the program: a blob cannot say how far a loop goes."""
    one = model(digits(), "cortex-m4", goal="size")
    in_c = one.listing.arrays.keys() - one.listing.offsets.keys()
    assert in_c
    assert all(name.endswith("_parameters") for name in in_c)
    assert one.files["net.c"].count("MCUQ_WEIGHTS = {") == len(in_c)
    assert check_bits(one, iter([inputs_of(one.graph, 3)]), "host").bit_exact


@pytest.mark.slow
def test_a_model_without_constants_has_a_head() -> None:
    one = model(without_constants())
    assert len(blob_of(one)) == HEAD_BYTES
    assert check_bits(one, iter([inputs_of(one.graph, 3)]), "host").bit_exact


def without_constants() -> Graph:
    builder = GraphBuilder("pool")
    x = builder.input("x", (1, 4, 4, 2))
    builder.outputs.append(builder.add(MaxPool(Window((2, 2), (2, 2))), [x], "y"))
    graph = builder.graph()
    return quantize_graph(graph, {"x": (-1.0, 1.0)})


# --- what is refused -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """What the C returned and the output's bytes."""

    set: int
    run: int
    output: bytes


def defines(one: CompiledModel) -> list[str]:
    """What the C of this folder is told of a model of one input and output."""
    (x,), (y,) = one.graph.inputs, one.graph.outputs
    told = {
        "MODEL_HEADER": f'"{one.name}.h"',
        "INPUT_TYPE": C_TYPES[one.graph.tensors[x].dtype],
        "OUTPUT_TYPE": C_TYPES[one.graph.tensors[y].dtype],
        "INPUT_ELEMENTS": f"{one.name.upper()}_INPUT_ELEMENTS",
        "OUTPUT_ELEMENTS": f"{one.name.upper()}_OUTPUT_ELEMENTS",
        "SET_WEIGHTS": f"{one.name}_set_weights",
        "RUN": f"{one.name}_run",
    }
    return [f"-D{name}={value}" for name, value in told.items()]


WARNINGS = ("-std=c11", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-Wconversion", "-Werror")
SANITIZERS = ("-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def built(folder: Path, one: CompiledModel, source: str, level: str = "-O1") -> Path:
    files = {**one.files, source: (HERE / source).read_text(encoding="utf-8")}
    cc(folder, files, level, *WARNINGS, *SANITIZERS, *defines(one), "-I.", "-o", "program")
    return folder / "program"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("reader"), model(graph_of("int8")), "read_weights.c")


def read_by(
    program: Path, one: CompiledModel, blobs: Sequence[tuple[bytes | None, int]], mapped: Path | None = None
) -> list[Said]:
    """What the C says of blobs, each so many bytes off its alignment, one after the other."""
    sent = [join_samples(inputs_of(one.graph, 3), one.graph)[2]]
    for blob, shift in blobs:
        sent.append(struct.pack("<II", 2**32 - 1 if blob is None else len(blob), shift) + (blob or b""))
    ended = subprocess.run(
        [str(program), *([str(mapped)] if mapped else [])],
        input=b"".join(sent), capture_output=True, check=False, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr.decode()
    size = 8 + one.graph.tensors[one.graph.outputs[0]].size_bytes
    parts = [ended.stdout[i : i + size] for i in range(0, len(ended.stdout), size)]
    assert len(parts) == len(blobs) + (mapped is not None)
    return [Said(*struct.unpack("<ii", part[:8]), part[8:]) for part in parts]


def expected(one: CompiledModel) -> bytes:
    inputs = inputs_of(one.graph, 3)
    wanted = simulate(one.graph, {name: x[2:] for name, x in inputs.items()})
    return join_tensors({name: y[0] for name, y in wanted.items()}, one.graph.outputs)


def untouched(one: CompiledModel) -> bytes:
    return b"\x55" * len(expected(one))


def with_crc(blob: bytes) -> bytes:
    """The blob with a checksum that is right."""
    return blob[:60] + struct.pack("<I", zlib.crc32(blob[:60] + blob[64:])) + blob[64:]


def changed(blob: bytes, at: int) -> bytes:
    return blob[:at] + bytes([blob[at] ^ 0x10]) + blob[at + 1 :]


def test_without_weights_nothing_is_computed(reader: Path) -> None:
    one = model(graph_of("int8"))
    blob = blob_of(one)
    none = Said(MISSING, MISSING, untouched(one))
    assert read_by(reader, one, [(None, 0), (blob, 0), (None, 0), (blob, 0)]) == [
        none, Said(OK, OK, expected(one)), none, Said(OK, OK, expected(one))
    ]  # fmt: skip


def test_weights_are_loaded_or_mapped_and_may_have_more_behind_them(reader: Path, tmp_path: Path) -> None:
    one = model(graph_of("int8"))
    (tmp_path / "net.weights.bin").write_bytes(blob_of(one))
    blobs = [(blob_of(one) + b"more", 0), (blob_of(one), ALIGNMENT)]
    assert read_by(reader, one, blobs, tmp_path / "net.weights.bin") == [Said(OK, OK, expected(one))] * 3


def test_what_is_cut_is_refused_and_what_was_there_stays(reader: Path) -> None:
    one = model(graph_of("int8"))
    blob = blob_of(one)
    lengths = [*range(70), *range(70, len(blob), 37), len(blob) - 1]
    refused = [(blob[:n], 0) for n in lengths]
    assert read_by(reader, one, refused) == [Said(CUT, MISSING, untouched(one))] * len(lengths)
    assert read_by(reader, one, [(blob, 0), *refused])[1:] == [Said(CUT, OK, expected(one))] * len(lengths)


def test_what_is_not_aligned_is_refused(reader: Path) -> None:
    one = model(graph_of("int8"))
    shifted = [(blob_of(one), n) for n in range(1, ALIGNMENT)]
    assert read_by(reader, one, shifted) == [Said(UNALIGNED, MISSING, untouched(one))] * (ALIGNMENT - 1)


def test_a_changed_byte_is_refused_by_the_c_as_by_its_twin(reader: Path) -> None:
    one = model(graph_of("int8"))
    blob = blob_of(one)
    blobs = [changed(blob, at) for at in (*range(80), *range(80, len(blob), 29), len(blob) - 1)]
    said = read_by(reader, one, [(blob, 0) for blob in blobs])
    assert [s.set for s in said] == [status_of(blob, head_of(one)) for blob in blobs]
    assert {s.run for s in said} == {MISSING}
    assert [s.set for s in said[:64]] == (
        [NOT_A_BLOB] * 8 + [OTHER_VERSION] * 4 + [OTHER_MODEL] * 16 + [DAMAGED] * 36
    )  # fmt: skip
    assert {s.set for s in said[64:]} == {DAMAGED}


def test_a_head_that_is_not_its_own_is_refused_whatever_the_checksum_is(reader: Path) -> None:
    one = model(graph_of("int8"))
    blobs = [with_crc(changed(blob_of(one), at)) for at in range(60)]
    said = read_by(reader, one, [(blob, 0) for blob in blobs])
    assert [s.set for s in said] == [NOT_A_BLOB] * 8 + [OTHER_VERSION] * 4 + [OTHER_MODEL] * 16 + [DAMAGED] * 32


@cache
def others() -> dict[str, CompiledModel]:
    boards = ("cortex-m4", "cortex-m55", "host")
    found = {f"{scheme} on {board}": model(graph_of(scheme), board) for scheme in SCHEMES[:4] for board in boards}
    found |= {f"int8 for {goal}": model(graph_of("int8"), "cortex-m4", goal=goal) for goal in GOALS}
    return found | {"another graph": model(tiny()), "another name": model(graph_of("int8"), name="other")}


def test_what_another_program_reads_is_refused(reader: Path) -> None:
    one = model(graph_of("int8"))
    found = others()
    said = read_by(reader, one, [(blob_of(other), 0) for other in found.values()])
    for (name, other), answer in zip(found.items(), said, strict=True):
        assert answer.set == (OK if head_of(other) == head_of(one) else OTHER_MODEL), name
    assert [s.set for s in said].count(OK) < 3


def test_the_digest_tells_all_programs_apart() -> None:
    """All C that reads a blob is in it: the same digest, the same text but for what compilers are told."""
    texts: dict[bytes, set[str]] = {}
    for one in others().values():
        _, begin, body = one.files[f"{one.name}.c"].partition("MCUQ_STATIC_ASSERT(((int32_t)-3")
        lines = [line for line in body.splitlines() if line and not line.startswith("#")]
        assert begin
        texts.setdefault(head_of(one), set()).add("\n".join(lines))
    assert all(len(bodies) == 1 for bodies in texts.values())
    assert len(texts) >= 12


def test_the_digest_names_the_runtime_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another mcuq may pack weights otherwise, and unpack them in a function that kernels call."""
    before = model(graph_of("int4"))
    needed = emit_model.needed_items

    def otherwise(names: Sequence[str]) -> object:
        items = needed(names)
        return [replace(item, text=item.text.replace("int32_t", "int32_t ", 1)) for item in items]

    monkeypatch.setattr(emit_model, "needed_items", otherwise)
    assert head_of(model(graph_of("int4"))) != head_of(before)


def test_other_weights_of_the_same_program_are_taken_and_used(tmp_path: Path) -> None:
    """Weights can be replaced without the C, as long as that is the same."""
    one = model(graph_of("float32"))
    tensors = {
        name: replace(t, data=t.values * np.float32(0.75)) if t.is_constant and t.dtype == "float32" else t
        for name, t in graph_of("float32").tensors.items()
    }
    other = model(replace(graph_of("float32"), tensors=tensors))
    assert other.files == one.files
    assert blob_of(other) != blob_of(one)
    program = built(tmp_path, one, "read_weights.c")
    said = read_by(program, one, [(blob_of(one), 0), (blob_of(other), 0)])
    assert said == [Said(OK, OK, expected(one)), Said(OK, OK, expected(other))]
    assert expected(one) != expected(other)


def calibrated(input_end: float, output_end: float, scheme: str) -> CompiledModel:
    """A layer whose zero points are the same, whatever the ranges are."""
    builder = GraphBuilder("net")
    weights = np.linspace(-1, 1, 32, dtype=np.float32).reshape(4, 8)
    x = builder.input("x", (1, 8))
    own = [builder.constant(weights, "w"), builder.constant(np.zeros(4, np.float32), "b")]
    builder.outputs.append(builder.add(FullyConnected(), [x, *own], "y", "dense"))
    ranges = {"x": (-input_end, input_end), "y": (-output_end, output_end)}
    return model(quantize_graph(builder.graph(), ranges, parse_scheme(scheme)))


def test_weights_for_other_scales_of_inputs_and_outputs_are_refused(tmp_path: Path) -> None:
    """Nothing but arrays and the header tells such programs apart: callers would read outputs in the wrong scale."""
    for scheme in ("int16", "int8"):
        one, *rescaled = (calibrated(*ends, scheme) for ends in ((1, 4), (2, 8), (2, 4), (1, 8)))
        blobs = [blob_of(other) for other in rescaled]
        assert [status_of(blob, head_of(one)) for blob in blobs] == [OTHER_MODEL] * 3
    said = read_by(built(tmp_path, one, "read_weights.c"), one, [(blob, 0) for blob in (blob_of(one), *blobs)])
    assert [s.set for s in said] == [OK, OTHER_MODEL, OTHER_MODEL, OTHER_MODEL]
    with pytest.raises(ArtifactError) as caught:
        save(replace(one, blob=blobs[0]), tmp_path / "swapped")
        check_bits(load(tmp_path / "swapped"), iter([inputs_of(one.graph, 3)]), "host")
    assert str(caught.value) == (
        "net.weights.bin: net.c refuses it, NET_WEIGHTS_OTHER_MODEL: what another model reads; compile the model again"
    )


@pytest.mark.parametrize("count", quick([10_000, 1_000_000]))
def test_mutated_weights_are_refused_or_equal(count: int, tmp_path: Path) -> None:
    one = model(tiny(), name="tiny")
    program = built(tmp_path, one, "mutate_weights.c", "-O2")
    (tmp_path / "tiny.weights.bin").write_bytes(blob_of(one))
    ended = subprocess.run(
        [str(program), str(count), "2463534242", "tiny.weights.bin"], cwd=tmp_path, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()
    seen = [int(line) for line in ended.stdout.split()]
    assert sum(seen) == count
    assert seen[MISSING] == 0
    assert all(seen[status] > count / 1000 for status in (OK, UNALIGNED, CUT, NOT_A_BLOB, OTHER_MODEL, DAMAGED))
    assert seen[OK] < count / 5


# --- names, compilers, sections ------------------------------------------------------------------------------------


def test_names_of_the_interface_are_no_tensors_or_layers(tmp_path: Path) -> None:
    builder = GraphBuilder("net")
    names = ["weights", "set_weights", "weights_blob", "weights_start", "no_weights", "weights_crc", "weights_ok"]
    x = builder.input("weights", (1, 4))
    for name in names[1:]:
        other = builder.input(name, (1, 4))
        x = builder.add(Add(), [x, other], f"{name}_sum", name)
        builder.outputs.append(x)
    graph = builder.graph()
    graph = quantize_graph(graph, dict.fromkeys(graph.tensors, (-1.0, 1.0)))
    one = model(graph)
    assert check_bits(one, iter([inputs_of(one.graph, 3)]), "host").bit_exact
    assert model_sources(one, True).keys() == {"net.c", "net.h", "net_weights_blob.c", "mcuq_joined.c"}


def test_symbols_are_those_that_the_header_declares(tmp_path: Path) -> None:
    one = model(graph_of("int8"))
    assert {name for kind, name in global_symbols(tmp_path, one.files) if kind == "T"} == {
        "net_run", "net_run_in", "net_set_weights", *one.listing.accessors.values()
    }  # fmt: skip
    for number, (name, text) in enumerate(STATUSES):
        assert f"#define NET_{name} {number} /* {text} */\n" in one.files["net.h"]


@pytest.mark.slow
def test_it_is_cpp_too(tmp_path: Path) -> None:
    one = model(graph_of("int8"))
    (tmp_path / "net.h").write_text(one.files["net.h"])
    (tmp_path / "net.cpp").write_text(one.files["net.c"])
    subprocess.run(["c++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-c", "net.cpp"], cwd=tmp_path, check=True)


def test_a_section_is_the_default_of_its_macro(tmp_path: Path) -> None:
    one = model(graph_of("int8"), weights=parse_placement("section:.qspi"))
    macro = replace(one, files={**one.files, "net.c": '#define NET_WEIGHTS_SECTION ".mine"\n' + one.files["net.c"]})
    for compiled, section, not_this in ((one, ".qspi", ".mine"), (macro, ".mine", ".qspi")):
        cc(tmp_path, compiled.files, "-c", "-std=c99", "-o", "model.o")
        said = subprocess.run(["objdump", "-h", "model.o"], cwd=tmp_path, capture_output=True, text=True, check=True)
        sizes = {x.split()[1]: int(x.split()[2], 16) for x in said.stdout.splitlines() if x.strip()[:1].isdigit()}
        assert one.constant_bytes <= sizes[section] < one.constant_bytes + 300
        assert not_this not in sizes
    assert one.blob is None
    inline = model(graph_of("int8"), weights=Placement())
    assert one.files["net.h"] == inline.files["net.h"]
    asked = '#if !defined(NET_WEIGHTS_SECTION)\n#define NET_WEIGHTS_SECTION ".qspi"\n#endif\n'
    assert one.files["net.c"].replace(asked, "") == inline.files["net.c"]


@toolchain
@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS)
def test_constants_in_a_section_compute_the_simulators_bytes(board: str) -> None:
    one = model(graph_of("int8"), board, weights=parse_placement("section:.qspi"))
    assert check_bits(one, iter([inputs_of(one.graph, 3)]), "emulator").bit_exact


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("extern", "weights 'extern': is not known; use inline, external, section:NAME; did you mean 'external'?"),
        ("section", "weights 'section': is not known; use inline, external, section:NAME"),
        (
            "section:",
            "weights 'section:': '' is no name of a section; use 1 to 80 letters, digits and . _ $ , -, as in "
            "section:.qspi",
        ),
        (
            'section:a"b',
            "weights 'section:a\"b': 'a\"b' is no name of a section; use 1 to 80 letters, digits and . _ $ , -, as in "
            "section:.qspi",
        ),
        *(
            (
                f"section:{name}",
                f"weights 'section:{name}': '{name}' holds no constants, only what is zero or unset at the start; use "
                "another, as in section:.qspi",
            )
            for name in (".bss", ".bss.q", ".sbss", ".tbss.q", ".noinit", ".noinit.q", ".gnu.linkonce.b.q")
        ),
    ],
)
def test_other_places_are_refused(text: str, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_placement(text)
    assert str(caught.value).startswith(said)


def test_a_segment_and_a_section_are_refused_where_there_are_none() -> None:
    place = parse_placement("section:__DATA,q")
    assert model(tiny(), "host", weights=place).placement == place
    with pytest.raises(ModelError) as caught:
        model(tiny(), "cortex-m4", weights=place)
    assert str(caught.value) == (
        "weights 'section:__DATA,q': '__DATA,q' names a segment and a section, which programs for cortex-m4 do not "
        "have; use a name without a comma, as in section:.qspi"
    )


@pytest.mark.parametrize("text", ["inline", "external", "section:.qspi", "section:.bssq", "section:__DATA,weights"])
def test_a_place_is_what_its_text_says(text: str) -> None:
    assert parse_placement(text).text == text


# --- folders and goals ---------------------------------------------------------------------------------------------


def test_a_folder_keeps_weights_and_what_is_wrong_with_them_is_told(tmp_path: Path) -> None:
    one = model(tiny(), name="tiny")
    written = save(one, tmp_path)
    assert {path.name for path in written} == {"tiny.c", "tiny.h", "tiny.weights.bin", "tiny.mcuq"}
    assert (tmp_path / "tiny.weights.bin").read_bytes() == one.blob
    again = load(tmp_path)
    assert (again.blob, again.placement, again.listing) == (one.blob, one.placement, one.listing)
    assert check_bits(again, iter([inputs_of(again.graph, 2)]), "host").bit_exact

    (tmp_path / "tiny.weights.bin").write_bytes(changed(blob_of(one), 100))
    refused = (
        "tiny.weights.bin: tiny.c refuses it, TINY_WEIGHTS_DAMAGED: a byte is not as it was written; compile the model "
        "again"
    )
    damaged = load(tmp_path)
    for use in (lambda: damaged.sources, lambda: damaged.checked_listing(), lambda: model_sources(damaged, True)):
        with pytest.raises(ArtifactError) as caught:
            use()
        assert str(caught.value) == refused
    (tmp_path / "tiny.weights.bin").unlink()
    with pytest.raises(ArtifactError) as caught:
        load(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: 'tiny.weights.bin' is missing beside tiny.mcuq; compile the model again"
    )  # fmt: skip


@pytest.mark.parametrize("head", ["", "00", "zz" * 60, None])
def test_a_folder_that_does_not_say_what_weights_begin_with_is_damaged(head: str | None, tmp_path: Path) -> None:
    one = model(tiny(), name="tiny")
    save(replace(one, listing=replace(one.listing, weights_head=head)), tmp_path)  # type: ignore[arg-type]
    with pytest.raises(ArtifactError) as caught:
        load(tmp_path)
    kind = "TypeError" if head is None else "ValueError"
    assert str(caught.value) == f"{tmp_path / 'tiny.mcuq'}: is damaged ({kind}); compile the model again"


@pytest.mark.slow
def test_another_goal_keeps_the_place(tmp_path: Path) -> None:
    source = resource_dir("examples") / "digits" / "digits.onnx"
    made = compile_model(source, "cortex-m4", weights="external")
    assert made.placement == EXTERNAL
    other = with_goal(made, "size")
    assert other.placement == EXTERNAL
    assert other.blob is not None
    assert other.pruned == made.pruned


@toolchain
def test_constants_elsewhere_take_none_of_the_boards_flash() -> None:
    board = load_board("cortex-m4")
    assert board.memory is not None
    inline = model_of(digits(), board, "digits")
    code_bytes = measure_footprint(inline).code_bytes
    assert code_bytes is not None

    def with_flash(flash_bytes: int) -> CompiledModel:
        assert board.memory is not None
        small = replace(board, memory=replace(board.memory, flash_bytes=flash_bytes))
        return with_placement(replace(inline, board=small), EXTERNAL)

    footprint = measure_footprint(with_flash(code_bytes + 800))
    assert footprint.constant_bytes == inline.constant_bytes > 800
    assert footprint.code_bytes is not None
    assert code_bytes < footprint.code_bytes <= code_bytes + 800
    with pytest.raises(BoardError) as caught:
        measure_footprint(with_flash(1000))
    needed = f"{footprint.code_bytes:,}"
    assert str(caught.value).startswith(
        f"model 'digits' needs {needed} bytes of flash (constants 0 + code {needed}), cortex-m4 has 1,000; largest "
    )
