"""What is emitted: C that compilers take without a word, that states its interface, and that touches nothing else."""

import getpass
import io
import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from golden.graphs import pattern, tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_kernels import any_items
from support import model_of, random_inputs

from mcuq.boards.find import load_board
from mcuq.compile import CompiledModel, compile_model, with_goal
from mcuq.emit.stack import FRAMES_BYTES
from mcuq.emit.text import wrap
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.kernels import KERNELS
from mcuq.kernels.c_types import c_float
from mcuq.kernels.kernel import Call, Constants, Kernel
from mcuq.kernels.runtime import needed_items, runtime
from mcuq.kernels.source import declaration_of
from mcuq.onnx_io.writer import OnnxWriter
from mcuq.ops.add import Add
from mcuq.ops.concat import Concat
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.identity import Identity
from mcuq.ops.pad import Pad
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.tanh import Tanh
from mcuq.ops.transpose import Transpose
from mcuq.passes import optimize
from mcuq.quantize import quantize_graph
from mcuq.quantize.calibrate import scaled_tensors
from mcuq.resources import resource_dir
from mcuq.validate import check_bits

WARNINGS = ("-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wundef", "-Wmissing-prototypes", "-Werror")
DIGITS = resource_dir("examples") / "digits"

# Names that exporters and users give, or that could mean something else in C.
ODD_NAMES = [
    *(
        "int",
        "class",
        "Class",
        "9lives",
        "a/b:0",
        "a/b:1",
        "Ünïcode",
        "日本",
        "",
        " ",
        "x",
        "X",
        "x_scale",
        "X_ELEMENTS",
    ),
    *("NULL", "int8_t", "INT32_MAX", "size_t", "typeof", "linux", "run", "run_in", "input", "output", "arena", "main"),
    *("memory", "digest", "ARENA_BYTES", "odd_run", "odd_run_in", "odd_arena", "odd_x", "mcuq_clamp", "y" * 90, '"'),
    *("*/", "/*", "a*/b/*c", "a*\\\n/ #error leaked", "line\n#error leaked", "\\", "??/", "\u202eright", "\0"),
]


# --- models ----------------------------------------------------------------------------------------------------


def portable(graph: Graph, name: str) -> CompiledModel:
    """For a board with portable kernels alone."""
    return model_of(graph, "host", name)


def quantized(builder: GraphBuilder) -> Graph:
    graph = optimize(builder.graph())
    return quantize_graph(graph, {name: (-1.0 - i / 8, 1.5) for i, name in enumerate(scaled_tensors(graph))})


def many_ports() -> Graph:
    """Three inputs, one of which nobody reads, and three outputs, one of which others read."""
    builder = GraphBuilder("net")
    a, b = builder.input("left/image", (2, 3)), builder.input("right/image", (2, 3))
    builder.input("unread", (5,))
    total = builder.add(Add(), [a, b], "total")
    builder.outputs += [
        builder.add(Concat(1), [total, b], "joined", "dense"),
        total,
        builder.add(Transpose((1, 0)), [builder.add(Tanh(), [total], "t")], "turned"),
    ]
    return quantized(builder)


def shared_layers() -> Graph:
    """The same kernel constants at several layers, once with arrays of their own."""
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 8))
    for i in range(3):
        s = builder.add(Sigmoid(), [x], f"s{i}")
        x = builder.add(Add(), [s, x], f"sum{i}")
    builder.outputs.append(x)
    graph = builder.graph()
    return quantize_graph(graph, dict.fromkeys(scaled_tensors(graph), (-1.0, 1.0)))


def triplets() -> Graph:
    """Three layers whose constants are equal, and whose weights are not."""
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 8))
    weight = np.copysign(np.float32(0.5), pattern(8, 8))
    without_diagonal = 1 - np.eye(8, dtype=np.float32)
    for name, factor in (("small", without_diagonal), ("large", np.ones(8, np.float32)), ("last", without_diagonal)):
        parameters = [builder.constant(weight * factor, "w"), builder.constant(np.zeros(8, np.float32), "b")]
        x = builder.add(FullyConnected(), [x, *parameters], name)
    builder.outputs.append(x)
    return quantize_graph(builder.graph(), dict.fromkeys(("x", "small", "large", "last"), (-1.0, 1.0)))


def view_of_an_input() -> Graph:
    builder = GraphBuilder("net")
    builder.outputs.append(builder.add(Reshape((6,)), [builder.input("x", (2, 3))], "y"))
    return quantized(builder)


def odd_names() -> Graph:
    """Every odd name as an input, a layer, and half of them as outputs."""
    builder = GraphBuilder("net")
    read = {name: builder.input(name, (1, 2)) for name in ODD_NAMES}
    for i, name in enumerate(ODD_NAMES):
        y = builder.add(Transpose((1, 0)), [builder.add(Tanh(), [read[name]], f"t{i}", name)], f"u{i}", name)
        if i % 2:
            builder.outputs.append(y)
    return quantized(builder)


def digits(board: str = "host") -> CompiledModel:
    return compile_model(DIGITS / "digits.onnx", board, str(DIGITS / "digits_calibration.npz"))


MODELS: dict[str, Callable[[], CompiledModel]] = {
    "digits": digits,
    "digits for a Cortex-M4": lambda: digits("cortex-m4"),
    "tiny": lambda: portable(tiny(), name="tiny"),
    "many_ports": lambda: portable(many_ports(), name="many_ports"),
    "shared_layers": lambda: portable(shared_layers(), name="shared_layers"),
    "view": lambda: portable(view_of_an_input(), name="view"),
    "odd": lambda: portable(odd_names(), name="odd"),
}


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> CompiledModel:
    return MODELS[request.param]()


# --- compilers -------------------------------------------------------------------------------------------------


def compiler(gnu: str, zig: str) -> list[str]:
    path = shutil.which(gnu)
    return [path] if path else [sys.executable, "-m", "ziglang", zig]


CC, CXX = compiler("gcc", "cc"), compiler("g++", "c++")


def cc(folder: Path, files: Mapping[str, str], *arguments: str, command: Sequence[str] = CC) -> tuple[int, str]:
    """Exit code and messages of the compiler on the files that are no headers."""
    for name, text in files.items():
        (folder / name).write_bytes(text.encode())
    sources = [name for name in files if not name.endswith(".h")]
    ended = subprocess.run([*command, *arguments, *sources], cwd=folder, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stderr


def run_c(folder: Path, files: Mapping[str, str], *arguments: str) -> Array:
    """Numbers that a program prints."""
    assert cc(folder, files, "-std=c99", *WARNINGS[:4], "-Werror", "-o", "program", *arguments) == (0, "")
    ended = subprocess.run([folder / "program"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    return np.array(ended.stdout.split(), np.int64)


def plain(text: str) -> str:
    """C without comments and texts."""
    return re.sub(r'"[^"\n]*"', '""', re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL))


def c_and_h(model: CompiledModel) -> tuple[str, str]:
    return model.files[f"{model.name}.c"], model.files[f"{model.name}.h"]


# --- the text --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("standard", ["c99", "c11", "c17", "gnu17"])
def test_compilers_take_the_c_without_a_warning(model: CompiledModel, standard: str, tmp_path: Path) -> None:
    assert cc(tmp_path, model.files, "-c", "-O2", f"-std={standard}", *WARNINGS) == (0, "")


@pytest.mark.parametrize("standard", ["c++11", "c++17"])
def test_cpp_programs_include_the_header(model: CompiledModel, standard: str, tmp_path: Path) -> None:
    _, header = c_and_h(model)
    calls = "".join(f"    {name}();\n" for name in model.listing.accessors.values())
    main = f'#include "{model.name}.h"\nint main()\n{{\n{calls}    return {model.name.upper()}_ARENA_BYTES < 0;\n}}\n'
    files = {f"{model.name}.h": header, "main.cpp": main}
    warnings = [w for w in WARNINGS if w != "-Wmissing-prototypes"]
    assert cc(tmp_path, files, "-c", f"-std={standard}", *warnings, command=CXX) == (0, "")


def test_a_cpp_program_links_with_the_c(tmp_path: Path) -> None:
    model = portable(tiny(), name="tiny")
    assert cc(tmp_path, model.files, "-c", "-std=c99") == (0, "")
    main = '#include "tiny.h"\nint main() { tiny_run(tiny_input(), tiny_output()); return 0; }\n'
    assert cc(tmp_path, {"main.cpp": main}, "tiny.o", "-o", "program", command=CXX) == (0, "")
    assert subprocess.run([tmp_path / "program"], check=False).returncode == 0


def test_cpp_compilers_take_the_c_too(tmp_path: Path) -> None:
    model = portable(tiny(), name="tiny")
    arguments = ("-x", "c++", "-std=c++17", "-c", "-Wall", "-Wconversion", "-Werror")
    assert cc(tmp_path, model.files, *arguments, command=CXX) == (0, "")


def test_only_the_freestanding_headers_are_included(model: CompiledModel) -> None:
    source, header = c_and_h(model)
    assert re.findall(r"#include (.*)", plain(header)) == ["<stddef.h>", "<stdint.h>"]
    # For compilers without __builtin_memcpy there is one more.
    assert re.findall(r"#include (.*)", source.replace(runtime()["MCUQ_GNU"].text, "")) == [f'"{model.name}.h"']


def test_the_c_has_no_heap_and_no_floating_point(model: CompiledModel) -> None:
    text = plain(c_and_h(model)[0])
    assert re.findall(r"\b(malloc|calloc|realloc|free|alloca|float|double|printf)\b", text) == []
    assert re.findall(r"\d\.\d|\d[eE][-+]?\d+\b(?!\w)", re.sub(r"0x[0-9a-f]+u", "", text)) == []


def test_the_files_name_no_path_date_or_user(model: CompiledModel) -> None:
    for text in model.files.values():
        for private in {str(Path.cwd()), str(Path.home()), str(resource_dir("templates").parent), "__FILE__"}:
            assert private not in text
        assert not re.search(r"\b(19|20)\d\d-\d\d|__DATE__|__TIME__|/tmp/|/home/|[A-Z]:\\", text)
        assert not re.search(rf"\b{re.escape(getpass.getuser())}\b", text)


def test_lines_are_clean(model: CompiledModel) -> None:
    for text in model.files.values():
        assert text.endswith("\n")
        assert re.findall(r"[ \t]+$|\t|\r", text, re.MULTILINE) == []


def test_lines_of_functions_and_data_fit_on_a_screen() -> None:
    for line in c_and_h(digits())[0].splitlines():
        assert len(line) <= 120 or line.startswith(("/*", " *")), line


def test_the_same_program_gives_the_same_bytes() -> None:
    for make in MODELS.values():
        assert make().files == make().files


def all_files() -> bytes:
    """Of all models, and of one whose kernels are shared for size."""
    models = [make() for make in MODELS.values()]
    models.append(with_goal(replace(models[0], board=load_board("cortex-m0")), "size"))
    return "".join(f"{name}\n{text}" for model in models for name, text in sorted(model.files.items())).encode()


def test_another_process_elsewhere_with_another_hash_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from test_emit import all_files\n"
        "sys.stdout.buffer.write(all_files())\n"
    )
    want = all_files()
    for seed in ("1", "77"):
        variables = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": "C", "TZ": "Asia/Tokyo", "USER": "somebody"}
        ended = subprocess.run(
            [sys.executable, "-c", script, *(str(folder) for folder in Path(__file__).parents[:2])],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            check=True,
        )
        assert ended.stdout == want


def test_a_layer_is_described_above_its_function() -> None:
    source, _ = c_and_h(portable(tiny(), name="tiny"))
    assert "/* conv: Conv2d 1x6x6x2 -> 1x6x6x4, |accumulator| <= 173693 */\nstatic void tiny_conv(" in source
    assert "/* lookup: Chain 1x3x3x4 -> 1x3x3x4 */\nstatic void tiny_lookup(" in source


def test_layers_with_the_same_constants_share_a_function() -> None:
    source, _ = c_and_h(portable(shared_layers(), name="net"))
    assert re.findall(r"^static void (\w+)", source, re.MULTILINE) == ["net_lookup_shared", "net_add_shared"]
    comment = "/*\n * s0: Sigmoid 1x8 -> 1x8\n * s1: Sigmoid 1x8 -> 1x8\n * s2: Sigmoid 1x8 -> 1x8\n */\n"
    assert f"{comment}static void net_lookup_shared(" in source
    assert source.count("    net_lookup_shared(") == 3


def test_only_the_runtime_functions_in_use_are_copied() -> None:
    names = [item.name for item in needed_items(["mcuq_requantize"])]
    assert names == ["mcuq_multiply_high", "mcuq_clamp", "mcuq_requantize_shift", "mcuq_requantize"]
    assert needed_items([]) == []
    source, _ = c_and_h(portable(view_of_an_input(), name="net"))
    assert "mcuq_clamp" not in source


# --- names -----------------------------------------------------------------------------------------------------


def graph_of(layers: Callable[[GraphBuilder], None]) -> Graph:
    builder = GraphBuilder("net")
    layers(builder)
    return quantized(builder)


def layer_called_like_an_accessor(b: GraphBuilder) -> None:
    x = b.add(Sigmoid(), [b.input("input", (1, 4))], "s", "input")
    b.outputs.append(b.add(Transpose((1, 0)), [x], "output", "output"))


def layers_called_like_outputs(b: GraphBuilder) -> None:
    x = b.input("x", (1, 4))
    b.outputs += [b.add(Sigmoid(), [x], "first"), b.add(Transpose((1, 0)), [b.add(Tanh(), [x], "t")], "second")]


def numbered_call_and_layer(b: GraphBuilder) -> None:
    padded = b.add(Pad((0, 1), (1, 0)), [b.input("x", (2, 4))], "p", "pad")
    b.outputs.append(b.add(Sigmoid(), [padded], "y", "pad_2"))


def array_and_layer(b: GraphBuilder) -> None:
    s = b.add(Sigmoid(), [b.input("x", (1, 4))], "s", "fc_bias")
    weight, bias = b.constant(pattern(4, 4), "w"), b.constant(pattern(4), "b")
    b.outputs.append(b.add(FullyConnected(), [s, weight, bias], "y", "fc"))


def input_called_output(b: GraphBuilder) -> None:
    b.outputs.append(b.add(Add(), [b.input("output", (1, 4)), b.input("b", (1, 4))], "y"))


def input_and_output_swapped(b: GraphBuilder) -> None:
    b.outputs.append(b.add(Sigmoid(), [b.input("output", (1, 4))], "input"))


def parameter_like_a_function(b: GraphBuilder) -> None:
    b.outputs.append(b.add(Add(), [b.input("m_sum", (1, 4)), b.input("m_run_in", (1, 4))], "y", "sum"))


def layer_called_t(b: GraphBuilder) -> None:
    b.outputs.append(b.add(Sigmoid(), [b.input("x", (1, 4))], "y", "t"))


def layer_called_clamp(b: GraphBuilder) -> None:
    b.outputs.append(b.add(Sigmoid(), [b.input("x", (1, 4))], "y", "clamp"))


def layers_called_like_macros(b: GraphBuilder) -> None:
    s = b.add(Sigmoid(), [b.input("x", (1, 4))], "s", "DIGEST")
    b.outputs.append(b.add(Transpose((1, 0)), [s], "y", "X_SCALE"))


@pytest.mark.parametrize(
    ("layers", "name"),
    [
        (layer_called_like_an_accessor, "m"),
        (layers_called_like_outputs, "m"),
        (numbered_call_and_layer, "m"),
        (array_and_layer, "m"),
        (input_called_output, "m"),
        (input_and_output_swapped, "m"),
        (parameter_like_a_function, "m"),
        (layer_called_t, "int8"),
        (layer_called_t, "size"),
        (layer_called_clamp, "mcuq"),
        (layers_called_like_macros, "NET"),
    ],
)
def test_names_of_layers_tensors_and_model_never_collide(
    layers: Callable[[GraphBuilder], None], name: str, tmp_path: Path
) -> None:
    model = portable(graph_of(layers), name=name)
    assert cc(tmp_path, model.files, "-c", "-std=c99", *WARNINGS) == (0, "")
    warnings = [w for w in WARNINGS if w != "-Wmissing-prototypes"]
    arguments = ("-x", "c++", "-std=c++17", "-c", *warnings)
    assert cc(tmp_path, {f"{name}.h": model.files[f"{name}.h"], "a.cpp": f'#include "{name}.h"\n'}, *arguments) == (
        0,
        "",
    )


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.sampled_from([*ODD_NAMES, "a", "a_2", "A", "m_a", "a_b", "a_1", "pad", "pad_1"]), max_size=7, unique=True
    )
)
def test_every_name_in_the_c_is_defined_once(names: list[str]) -> None:
    builder = GraphBuilder("net")
    for i, name in enumerate(names or ["x"]):
        builder.input(name, (2, 2))
        padded = builder.add(Pad((0, 1), (1, 0)), [name], f"p{i}", names[-1 - i] if names else "pad")
        builder.outputs.append(builder.add(Sigmoid(), [padded], f"{name}_out", name))
    model = portable(quantized(builder), name="m")
    source, header = (plain(text) for text in c_and_h(model))
    functions = re.findall(r"^(?:static void|void|int8_t) \*?(\w+)\(", source, re.MULTILINE)
    arrays = re.findall(r"^static (?:const )?\w+ (\w+)\[", source, re.MULTILINE)
    macros = re.findall(r"#define (\w+) ", header)
    defined = [*functions, *arrays, *macros]
    assert len({name.lower() for name in defined}) == len(defined)
    parameters = re.findall(r"\*(\w+)[,)]", header.split("m_run(")[1].split(";")[0] + ";")
    assert len(parameters) == len({p.lower() for p in parameters}) == len(model.graph.inputs) + len(model.graph.outputs)
    assert not {p.lower() for p in parameters} & {name.lower() for name in functions + arrays}


def test_a_layer_keeps_its_name_where_its_output_is_the_only_one() -> None:
    source, header = c_and_h(portable(shared_layers(), name="net"))
    assert "/* sum2 */" in source
    assert "NET_SUM2_SCALE" in header


def test_a_name_cannot_leave_its_comment() -> None:
    _, header = c_and_h(portable(odd_names(), name="odd"))
    assert header.count("#error leaked") == 2
    assert "#error" not in plain(header)
    assert header.count("/*") == header.count("*/")
    assert "/* input 'a*\\\\n/ #error leaked', shape 1 x 2, last dimension fastest */" in header
    assert "/* input 'a* /b/ *c', shape 1 x 2, last dimension fastest */\n#define ODD_A_B_C_ELEMENTS 2\n" in header
    assert "/* input 'line\\n#error leaked', shape 1 x 2, last dimension fastest */" in header


def test_odd_names_compute_what_the_simulator_does() -> None:
    report = check_bits(MODELS["odd"](), iter([random_inputs(odd_names(), 3)]), "host")
    assert (report.first_mismatch, report.samples) == (None, 3)


# --- the header ------------------------------------------------------------------------------------------------


def macros(header: str) -> dict[str, str]:
    """Every macro with the text that it comes to."""
    found = dict(re.findall(r"^#define (\w+) (.*)$", header, re.MULTILINE))
    return {name: found.get(text, text) for name, text in found.items()}


def test_the_header_states_every_input_and_output(model: CompiledModel) -> None:
    graph, ID = model.graph, model.name.upper()
    values = macros(c_and_h(model)[1])
    assert int(values[f"{ID}_ARENA_BYTES"]) == model.arena_bytes
    stems = {
        tensor: function.removeprefix(f"{model.name}_").upper() for tensor, function in model.listing.accessors.items()
    }
    for name, stem in stems.items():
        tensor = graph.tensors[name]
        assert int(values[f"{ID}_{stem}_ELEMENTS"]) == tensor.elements
        assert int(values[f"{ID}_{stem}_ZERO_POINT"].strip("()")) == tensor.zero_point
        scale = values[f"{ID}_{stem}_SCALE"]
        assert scale.endswith("f")
        assert np.float32(scale.rstrip("f")) == np.float32(tensor.scale)
        assert 0 <= int(values[f"{ID}_{stem}_OFFSET"]) <= model.arena_bytes - tensor.size_bytes


def test_a_single_input_and_output_have_macros_of_both_names() -> None:
    header = c_and_h(digits())[1]
    found = dict(re.findall(r"^#define (\w+) (.*)$", header, re.MULTILINE))
    for part in ("ELEMENTS", "SCALE", "ZERO_POINT", "OFFSET"):
        assert found[f"DIGITS_INPUT_{part}"] == f"DIGITS_IMAGE_{part}"
        assert found[f"DIGITS_OUTPUT_{part}"] == f"DIGITS_LOGITS_{part}"
    assert "/* input 'image', shape 1 x 1 x 8 x 8, last dimension fastest */" in header
    assert "void digits_run(const int8_t *input, int8_t *output);" in header
    assert "void digits_run_in(void *arena, const int8_t *input, int8_t *output);" in header


def test_several_inputs_and_outputs_are_parameters_in_graph_order() -> None:
    model = portable(many_ports(), name="net")
    parameters = (
        "const int8_t *left_image, const int8_t *right_image, const int8_t *unread, "
        "int8_t *joined, int8_t *total, int8_t *turned"
    )
    header = c_and_h(model)[1]
    assert f"void net_run({parameters});" in header
    assert f"void net_run_in(void *arena, {parameters});" in header
    assert "NET_INPUT_" not in header and "NET_OUTPUT_" not in header
    assert model.listing.accessors == {
        "left/image": "net_left_image",
        "right/image": "net_right_image",
        "unread": "net_unread",
        "joined": "net_joined",
        "total": "net_total",
        "turned": "net_turned",
    }


def test_a_scalar_is_called_one() -> None:
    builder = GraphBuilder("net")
    builder.outputs.append(builder.add(Sigmoid(), [builder.input("x", ())], "y"))
    header = c_and_h(portable(quantized(builder), name="net"))[1]
    assert "/* input 'x', shape scalar, last dimension fastest */\n#define NET_X_ELEMENTS 1\n" in header


HARD_SCALES = [1.0, 1 + 2.0**-24, 1 + 3 * 2.0**-24, 1 / 255, 0.1, 100.0, 123456789.0, 1e-30, 3e36, 2 / 255, 16777217.0]


@given(st.one_of(st.sampled_from(HARD_SCALES), st.floats(1e-30, 1e36)))
def test_a_c_float_is_the_float32_of_its_value(value: float) -> None:
    text = c_float(value)
    assert re.fullmatch(r"\d+(\.\d+)?(e[-+]\d+)?f", text) and ("." in text or "e" in text)
    assert np.float32(text[:-1]) == np.float32(value)


def test_the_c_compiler_reads_a_c_float_as_the_same_float32(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = [*HARD_SCALES, *np.exp(rng.uniform(-60, 60, 200)), *(1 + rng.integers(0, 2**24, 50) * 2.0**-24)]
    main = (
        "#include <stdint.h>\n#include <stdio.h>\n#include <string.h>\n"
        f"static const float values[] = {{{', '.join(map(c_float, values))}}};\n"
        "int main(void)\n{\n    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {\n"
        "        uint32_t bits;\n        memcpy(&bits, &values[i], 4);\n"
        '        printf("%lu\\n", (unsigned long)bits);\n'
        "    }\n    return 0;\n}\n"
    )
    assert run_c(tmp_path, {"main.c": main}).tolist() == np.array(values, np.float32).view(np.uint32).tolist()


# --- checks at compile time ------------------------------------------------------------------------------------


def test_a_header_of_another_model_is_refused(tmp_path: Path) -> None:
    first, second = portable(tiny(), name="net"), portable(shared_layers(), name="net")
    code, text = cc(tmp_path, {"net.h": first.files["net.h"], "net.c": second.files["net.c"]}, "-c", "-std=c99")
    assert code != 0
    assert '#error "net.h and net.c were generated from different models: copy both"' in text


def test_a_header_that_differs_in_a_scale_alone_is_refused(tmp_path: Path) -> None:
    builder = GraphBuilder("net")
    builder.outputs.append(builder.add(Identity(), [builder.input("x", (4,))], "y"))
    first, second = (portable(quantize_graph(builder.graph(), {"x": (-1, high)}), name="net") for high in (1, 2))
    code, text = cc(tmp_path, {"net.h": first.files["net.h"], "net.c": second.files["net.c"]}, "-c", "-std=c99")
    assert code != 0
    assert "were generated from different models" in text


@pytest.mark.parametrize("standard", ["c99", "c11", "c++11"])
def test_an_accumulator_beyond_int32_does_not_compile(standard: str, tmp_path: Path) -> None:
    files = dict(portable(tiny(), name="tiny").files)
    assert "MCUQ_STATIC_ASSERT(173693 <= INT32_MAX" in files["tiny.c"]
    files["tiny.c"] = files["tiny.c"].replace("ASSERT(173693 <=", "ASSERT(2147483648 <=")
    is_cpp = standard.startswith("c++")
    language = ("-x", "c++") if is_cpp else ()
    code, text = cc(tmp_path, files, *language, "-c", f"-std={standard}", command=CXX if is_cpp else CC)
    assert code != 0
    assert ("negative" if standard == "c99" else "accumulator of tiny_conv") in text


def test_the_largest_accumulator_of_the_layers_that_share_a_function_is_asserted() -> None:
    source, _ = c_and_h(portable(triplets(), name="net"))
    small, large = (int(bound) for bound in re.findall(r"^ \* (?:small|large): .* <= (\d+)$", source, re.MULTILINE))
    assert 7 * 127 * 127 < small < large < 8 * 127 * 128
    assert f'MCUQ_STATIC_ASSERT({large} <= INT32_MAX, "accumulator of net_fully_connected_shared");' in source


# --- linking and running ---------------------------------------------------------------------------------------


def symbols(folder: Path, model: CompiledModel) -> tuple[set[str], set[str]]:
    """(defined, undefined) global symbols of the compiled C."""
    assert cc(folder, model.files, "-c", "-O2", "-std=c99", "-ffreestanding", "-o", "model.o") == (0, "")
    table = ELFFile(io.BytesIO((folder / "model.o").read_bytes())).get_section_by_name(".symtab")
    found = [s for s in table.iter_symbols() if s["st_info"]["bind"] != "STB_LOCAL"]
    undefined = {s.name for s in found if s["st_shndx"] == "SHN_UNDEF"}
    return {s.name for s in found} - undefined, undefined


def test_every_global_symbol_begins_with_the_models_name(model: CompiledModel, tmp_path: Path) -> None:
    defined, undefined = symbols(tmp_path, model)
    functions = {
        "run",
        "run_in",
        *(f.removeprefix(f"{model.name}_") for f in model.listing.accessors.values()),
    }
    assert defined == {f"{model.name}_{function}" for function in functions}
    # A compiler may make a loop a call of these, even of a freestanding program.
    assert undefined <= {"memcpy", "memset", "memmove", "_GLOBAL_OFFSET_TABLE_"}


@dataclass(frozen=True)
class Harness:
    """A C program around models: each input and output in a buffer of its own with canaries around."""

    models: Sequence[CompiledModel]
    inputs: Sequence[Mapping[str, Array]]  # for each model, one sample

    def source(self, arena: str, body: str) -> str:
        """`arena` declares `static union ... arena`; `body` may call RUN_i and CHECK."""
        lines = ["#include <stdint.h>", "#include <stdio.h>", "#include <string.h>"]
        lines += [f'#include "{model.name}.h"' for model in self.models]
        checks, prints, starts, runs = [], [], [], []
        for k, (model, sample) in enumerate(zip(self.models, self.inputs, strict=True)):
            graph, pointers = model.graph, []
            for kind, names in (("in", graph.inputs), ("out", graph.outputs)):
                for i, name in enumerate(names):
                    n, buffer = graph.tensors[name].elements, f"{kind}_{k}_{i}"
                    lines.append(f"static int8_t {buffer}[{n} + 32];")
                    starts.append(f"memset({buffer}, 0x5a, sizeof {buffer});")
                    pointers.append(f"{buffer} + 16")
                    guard = f"{buffer}[i] == 0x5a && {buffer}[{n} + 16 + i] == 0x5a"
                    checks.append(f'for (int i = 0; i < 16; i++) if (!({guard})) return fail("around {buffer}");')
                    if kind == "in":
                        values = ", ".join(map(str, sample[name].reshape(-1).tolist()))
                        lines.append(f"static const int8_t given_{buffer}[{n}] = {{{values}}};")
                        starts.append(f"memcpy({buffer} + 16, given_{buffer}, {n});")
                        checks.append(f'if (memcmp({buffer} + 16, given_{buffer}, {n}) != 0) return fail("{buffer}");')
                    else:
                        prints.append(f'for (int i = 0; i < {n}; i++) printf("%d\\n", {buffer}[16 + i]);')
            runs.append(f"#define ARGUMENTS_{k} {', '.join(pointers)}")
        lines += runs
        lines.append(arena)
        lines.append('static int fail(const char *what) { printf("changed: %s\\n", what); return 1; }')
        steps = "\n    ".join([*starts, body, *checks, *prints])
        return "\n".join([*lines, f"int main(void)\n{{\n    {steps}\n    return 0;\n}}\n"])

    def run(self, folder: Path, arena: str, body: str) -> None:
        """Assert that every output is the simulator's and nothing else changed."""
        files = {name: text for model in self.models for name, text in model.files.items()}
        got = run_c(folder, {**files, "main.c": self.source(arena, body)}, "-O1")
        want = []
        for model, sample in zip(self.models, self.inputs, strict=True):
            outputs = simulate(model.graph, {name: value[None] for name, value in sample.items()})
            want += [outputs[name].reshape(-1) for name in model.graph.outputs]
        assert got.tolist() == np.concatenate(want).tolist()


def one_sample(model: CompiledModel, seed: int = 3) -> dict[str, Array]:
    return {name: x[2] for name, x in random_inputs(model.graph, 3, seed).items()}


def arena_of(size_bytes: int) -> str:
    return f"static union {{ int32_t aligned[{size_bytes // 4 + 8}]; int8_t bytes[{size_bytes} + 32]; }} arena;"


def guarded(size_bytes: int) -> str:
    guard = f"arena.bytes[i] != 0x33 || arena.bytes[{size_bytes} + 16 + i] != 0x33"
    return f'for (int i = 0; i < 16; i++) if ({guard}) return fail("around the arena");'


def test_run_changes_nothing_but_its_outputs(model: CompiledModel, tmp_path: Path) -> None:
    harness = Harness([model], [one_sample(model)])
    harness.run(tmp_path, "", f"{model.name}_run(ARGUMENTS_0);")


def test_run_in_changes_nothing_but_its_outputs_and_its_arena(model: CompiledModel, tmp_path: Path) -> None:
    size_bytes = model.arena_bytes
    body = (
        f"memset(&arena, 0x33, sizeof arena); {model.name}_run_in(arena.bytes + 16, ARGUMENTS_0);\n"
        f"    {guarded(size_bytes)}"
    )
    Harness([model], [one_sample(model)]).run(tmp_path, arena_of(size_bytes), body)


def test_inputs_and_outputs_may_lie_at_their_places_in_the_own_arena(model: CompiledModel, tmp_path: Path) -> None:
    graph, sample = model.graph, one_sample(model)
    places = model.listing.accessors
    lines = ["#include <stdio.h>", "#include <string.h>", f'#include "{model.name}.h"', "int main(void)", "{"]
    for i, name in enumerate(graph.inputs):
        values = ", ".join(map(str, sample[name].reshape(-1).tolist()))
        lines.append(f"    static const int8_t given_{i}[] = {{{values}}};")
        lines.append(f"    memcpy({places[name]}(), given_{i}, sizeof given_{i});")
    arguments = ", ".join(f"{places[name]}()" for name in (*graph.inputs, *graph.outputs))
    lines.append(f"    {model.name}_run({arguments});")
    for name in graph.outputs:
        n = graph.tensors[name].elements
        lines.append(f'    for (int i = 0; i < {n}; i++) printf("%d\\n", {places[name]}()[i]);')
    got = run_c(tmp_path, {**model.files, "main.c": "\n".join([*lines, "    return 0;", "}", ""])})
    want = simulate(graph, {name: value[None] for name, value in sample.items()})
    assert got.tolist() == np.concatenate([want[name].reshape(-1) for name in graph.outputs]).tolist()


def test_two_models_link_into_one_program(tmp_path: Path) -> None:
    models = [portable(tiny(), name="a"), portable(tiny(), name="b"), portable(many_ports(), name="a_b")]
    body = "b_run(ARGUMENTS_1); a_b_run(ARGUMENTS_2); a_run(ARGUMENTS_0);"
    Harness(models, [one_sample(m, i) for i, m in enumerate(models)]).run(tmp_path, "", body)


def test_several_models_share_one_arena(tmp_path: Path) -> None:
    models = [portable(tiny(), name="a"), portable(many_ports(), name="b"), portable(shared_layers(), name="c")]
    size_bytes = max(model.arena_bytes for model in models)
    calls = "\n    ".join(f"{m.name}_run_in(arena.bytes + 16, ARGUMENTS_{k});" for k, m in enumerate(models))
    body = f"memset(&arena, 0x33, sizeof arena);\n    {calls}\n    {guarded(size_bytes)}"
    Harness(models, [one_sample(m, i) for i, m in enumerate(models)]).run(tmp_path, arena_of(size_bytes), body)


def test_a_second_run_gives_the_same(tmp_path: Path) -> None:
    model = portable(tiny(), name="tiny")
    Harness([model], [one_sample(model)]).run(tmp_path, "", "tiny_run(ARGUMENTS_0); tiny_run(ARGUMENTS_0);")


# --- scratch, which no operator of today needs -----------------------------------------------------------------


@dataclass(frozen=True)
class ReverseConstants(Constants):
    template = "portable/reverse"

    elements: int


@dataclass(frozen=True)
class Reverse(Operator):
    """The elements in reverse order, by way of a copy."""

    shares_scale = True

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return inputs[0].shape

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        raise NotImplementedError

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        return inputs[0][:, ::-1]


def lower_reverse(op: Reverse, layer: Layer) -> tuple[Call, ...]:
    return (Call(ReverseConstants(layer.output.elements), scratch_bytes=layer.output.elements),)


REVERSE = """{# code 40 #}
static void {{ function }}(const int8_t *x, {{ parameters }}int8_t *scratch, int8_t *y)
{
    {% filter constants %}elements = {{ elements }}{% endfilter %}
    /* plain C from here on */
    for (int32_t i = 0; i < elements; i++)
        scratch[i] = x[i];
    for (int32_t i = 0; i < elements; i++)
        y[i] = scratch[elements - 1 - i];
}
"""
# The same by way of a pointer, a structure, a table and a macro of the runtime: 1 + 2 * (i + 1) - 2 * i = 3.
REVERSE_BY_ITEMS = REVERSE.replace(
    "{# code 40", "{# needs MCUQ_TWICE, mcuq_second, mcuq_swapped; stack 0; code 50"
).replace("[elements - 1 - i]", "[elements + 2 - i - (*mcuq_second(0) + mcuq_swapped(i + 1).low - MCUQ_TWICE(i))]")


def reversing_model(monkeypatch: pytest.MonkeyPatch, folder: Path, template: str) -> CompiledModel:
    """A model of two layers that the template computes."""
    templates = folder / "templates"
    shutil.copytree(resource_dir("templates"), templates)
    (templates / "kernels" / "portable" / "reverse.c.j2").write_text(template)
    for module in ("mcuq.emit.render", "mcuq.kernels.source"):
        monkeypatch.setattr(
            f"{module}.resource_dir", lambda name: templates if name == "templates" else resource_dir(name)
        )
    monkeypatch.setattr("mcuq.kernels.source.declaration_of", declaration_of.__wrapped__)
    monkeypatch.setattr("mcuq.emit.stack.declaration_of", declaration_of.__wrapped__)
    monkeypatch.setitem(KERNELS, Reverse, (Kernel(lower_reverse),))
    builder = GraphBuilder("net")
    x = builder.add(Sigmoid(), [builder.input("x", (9,))], "s")
    builder.outputs.append(builder.add(Reverse(), [builder.add(Reverse(), [x], "r")], "y"))
    return portable(quantized(builder), name="net")


def test_a_kernels_scratch_is_passed_before_its_output(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = reversing_model(monkeypatch, tmp_path, REVERSE)
    calls = re.findall(r"net_reverse_shared\((.*)\);", model.files["net.c"].split("net_run_in")[1])
    assert [call.count(",") for call in calls] == [2, 2]
    report = check_bits(model, iter([random_inputs(model.graph, 4)]), "host")
    assert report.first_mismatch is None


def test_a_kernel_may_need_items_of_any_kind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    items = {**runtime(), **any_items()}
    for module in ("mcuq.kernels.runtime", "mcuq.emit.names"):
        monkeypatch.setattr(f"{module}.runtime", lambda: items)
    model = reversing_model(monkeypatch, tmp_path, REVERSE_BY_ITEMS)
    source = model.files["net.c"]
    for name in ("mcuq_pair", "mcuq_table", "mcuq_second", "mcuq_pair_of", "mcuq_swap", "mcuq_swapped"):
        assert f"#define {name} net_{name}\n" in source
    assert source.count("#define MCUQ_TWICE(x)") == 1
    assert set(re.findall(r"^#define (\w+)", source, re.MULTILINE)) == set(
        re.findall(r"^#undef (\w+)", source, re.MULTILINE)
    )
    report = check_bits(model, iter([random_inputs(model.graph, 4)]), "host")
    assert report.first_mismatch is None
    assert model.stack_bytes == FRAMES_BYTES + 24, "12 bytes that mcuq_pair_of declares below 8 of mcuq_swapped"


# --- layout of numbers -----------------------------------------------------------------------------------------


def test_numbers_are_wrapped_at_the_column() -> None:
    assert wrap(["10", "20", "30", "40"], ", ", 8, "  ") == "  10, 20,\n  30, 40"
    assert wrap(["1"], ", ", 8, "") == "1"
    assert wrap(["123456789", "1"], ", ", 4, "") == "123456789,\n1"


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=60))
def test_wrapped_numbers_are_all_there(values: list[int]) -> None:
    text = wrap([str(v) for v in values], ", ", 30, "    ")
    assert [int(v) for v in text.replace("\n", " ").split(",")] == values
    assert all(len(line) <= 34 for line in text.splitlines())
    assert all(line.endswith(",") for line in itertools.islice(text.splitlines(), len(text.splitlines()) - 1))
