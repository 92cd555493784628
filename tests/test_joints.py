"""Where parts of the project must not drift apart: templates and constants, modules and their order, the table."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import jinja2
import jinja2.meta
import pytest
from sample_kernels import KERNELS as KERNEL_KINDS
from sample_kernels import kernels_and_pasted, name_of, names_read, template_text

import mcuq.public
from mcuq.boards.facts import FLASH_METHODS
from mcuq.device.flash import METHODS
from mcuq.emulate.emulators import EMULATORS
from mcuq.graph.operator import Clamped, Operator
from mcuq.kernels import KERNELS
from mcuq.kernels.kernel import Constants
from mcuq.kernels.source import assembly_cpus, runtime_of
from mcuq.ops import FROM_ONNX, INTEGERS_FROM_ONNX, OPS
from mcuq.ops.affine import Affine
from mcuq.ops.composed import COMPOSED
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.function import Function
from mcuq.ops.weighted_operator import Weighted
from mcuq.quantize import NAMED
from mcuq.quantize.calibrators import CALIBRATORS
from mcuq.quantize.numbers import INPUT_SCALES, WEIGHTS
from mcuq.resources import resource_dir

PACKAGE = Path(mcuq.__file__).parent
TEMPLATES = resource_dir("templates") / "kernels"
PLAIN_C = "/* plain C from here on */\n"

# Modules and packages of mcuq, the most basic first. Each imports from earlier lines only, and those of one line
# do not import each other.
STAGES = (
    ("described", "errors", "resources", "version"),
    ("system", "graph", "toml_text"),
    ("arithmetic", "boards", "dataset", "onnx_runtime"),
    ("onnx_io", "front_end"),
    ("ops",),
    ("kernels",),
    ("importer", "passes", "lower", "quantize", "after"),
    ("plan", "options"),
    ("emit",),
    ("compile",),
    ("build",),
    ("emulate", "device"),
    ("artifact", "validate"),
    ("report",),
    ("diagnose",),
    ("budget",),
    ("api", "demo"),
    ("public", "cli"),
    ("__init__", "__main__"),
)
LEVEL = {name: level for level, names in enumerate(STAGES) for name in names}


def subclasses(kind: type) -> Iterator[type]:
    """All direct and indirect subclasses."""
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


# Other tests define kernels of their own in the same process.
OWN = {c for c in subclasses(Constants) if c.__module__.startswith("mcuq.")}
KERNEL_CONSTANTS = sorted((c for c in OWN if "template" in vars(c)), key=lambda c: c.__name__)


def modules() -> dict[str, Path]:
    """Dotted name without "mcuq." -> file; a package is its name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        parts = relative.parent.parts if relative.name == "__init__.py" else relative.with_suffix("").parts
        found[".".join(parts) or "__init__"] = path
    return found


MODULES = modules()


@cache
def nodes_of(module: str) -> list[ast.AST]:
    """All of its syntax."""
    return list(ast.walk(ast.parse(MODULES[module].read_text())))


@cache
def imports(module: str) -> frozenset[str]:
    """The modules of mcuq that a module imports, anywhere in it and for annotations too."""
    found: set[str] = set()
    for node in nodes_of(module):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            base = node.module or ""
            names = [f"{base}.{alias.name}" for alias in node.names]
            # from package import submodule
            found |= {name if name.removeprefix("mcuq.") in MODULES else base for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    ours = frozenset(
        "__init__" if name == "mcuq" else name.removeprefix("mcuq.") for name in found if name.split(".")[0] == "mcuq"
    )
    assert ours <= MODULES.keys(), f"{module} imports {ours - MODULES.keys()}"
    return ours


def template(path: Path) -> str:
    """What a class of constants calls the file: its folder and its operator."""
    return path.relative_to(TEMPLATES).as_posix().removesuffix(".c.j2")


def stage(module: str) -> str:
    return module.split(".")[0]


def imported_packages(module: str) -> set[str]:
    """Top-level packages that a module imports anywhere."""
    nodes = nodes_of(module)
    plain = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {(node.module or "").split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("constants", KERNEL_CONSTANTS, ids=lambda c: c.__name__)
def test_template_uses_exactly_the_fields_of_its_constants(constants: type[Constants]) -> None:
    source = (TEMPLATES / f"{constants.template}.c.j2").read_text()
    environment = jinja2.Environment()
    environment.filters.update(c_float=str, constants=str, derived=str)
    used = jinja2.meta.find_undeclared_variables(environment.parse(source))
    assert is_dataclass(constants)
    assert used == {f.name for f in fields(constants)} | {"function", "parameters"}


def test_each_kernel_template_has_exactly_one_constants_class() -> None:
    templates = {template(path) for path in TEMPLATES.rglob("*.j2")}
    named = [c.template for c in KERNEL_CONSTANTS]
    assert templates - set(named) == set(), "templates that no class is for"
    assert set(named) - templates == set(), "classes without a template"
    assert len(named) == len(set(named)), "classes that share a template"


@pytest.mark.parametrize("constants", KERNEL_CONSTANTS, ids=lambda c: c.__name__)
def test_template_lies_in_the_folder_of_its_cpu_as_its_constants_do(constants: type[Constants]) -> None:
    assert constants.__module__.startswith(f"mcuq.kernels.{constants.template.partition('/')[0]}.")


def test_kernels_of_a_cpu_import_none_of_another() -> None:
    for module in MODULES:
        if stage(module) == "kernels" and module.count(".") == 2:
            others = {i for i in imports(module) if i.count(".") == 2 and stage(i) == "kernels"}
            assert {i.split(".")[1] for i in others} <= {module.split(".")[1]}, module


def test_table_of_kernels_holds_operators_alone() -> None:
    assert set(KERNELS) <= set(OPS.values())


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.j2")), ids=template)
def test_kernel_body_is_plain_c(path: Path) -> None:
    head, marker, body = path.read_text().partition(PLAIN_C)
    assert marker, f"{path.name} has no line {PLAIN_C.strip()}"
    assert body.count(PLAIN_C) == 0
    derived = re.search(r"    \{% filter derived %\}[^{}]*\{% endfilter %\}\n", body)
    plain = body.replace(derived[0], "", 1) if derived else body
    kinds = [kind for kind in KERNEL_KINDS if kind.template == template(path)]
    for fragment in (f.name for kind in kinds for f in fields(kind) if f.type == "Fragment"):
        # What is pasted is C too: tests/kernels/test_expression_c.py.
        plain = re.sub(rf"^ +\{{\{{ {fragment} \}}\}}$", "", plain, count=1, flags=re.MULTILINE)
    for word in (f.name for kind in kinds for f in fields(kind) if f.type == "str"):
        # A type, or what something is called.
        plain = re.sub(rf"\{{\{{ {word} \}}\}}", word, plain)
    assert not re.search(r"\{\{|\}\}|\{%|%\}|\{#|#\}", plain)
    assert head.startswith("{#")
    constants = re.search(r"    \{% filter constants %\}[^%]*\{% endfilter %\}\n", head)
    assert constants
    assert not re.search(r"\{%|\{#", head.partition("#}")[2].replace(constants[0], "", 1))


@pytest.mark.parametrize("kind", KERNEL_KINDS, ids=lambda kind: kind.template)
def test_numbers_are_constants_of_their_own_names_that_the_body_reads(kind: type[Constants]) -> None:
    """Where several calls share a kernel they are parameters, so that nothing else of the head may depend on them."""
    head, _, body = template_text(kind).partition(PLAIN_C)
    before, start, rest = head.partition("    {% filter constants %}")
    constants, end, behind = rest.partition("{% endfilter %}\n")
    assert start and end and behind == "    "
    numbers = [f.name for f in fields(kind) if f.type == "int"]
    assert re.fullmatch(r"(\s*(\w+) = \{\{ \2 \}\},?)+\s*", constants)
    assert set(re.findall(r"(\w+) =", constants)) == set(numbers)
    assert not re.search(rf"\{{\{{ ({'|'.join(numbers)}) ", before)
    assert "enum" not in body, "what derives from constants is among the derived, as those may be parameters"


@pytest.mark.parametrize("constants", kernels_and_pasted(), ids=name_of)
def test_all_numbers_are_read(constants: Constants) -> None:
    if not assembly_cpus(runtime_of(constants)):
        assert names_read(constants) == list(constants.numbers())


@pytest.mark.parametrize("module", ["emit", "lower", "kernels"])
def test_nothing_is_found_by_searching_text(module: str) -> None:
    """C declares what it needs: mcuq/kernels/item.py. Names are made with `re`."""
    searching = {name for name in MODULES if stage(name) == module and "re" in imported_packages(name)}
    assert searching == ({"emit.identifiers"} if module == "emit" else set())


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.j2")), ids=template)
def test_kernel_is_one_static_function_without_floats_unless_it_says_so(path: Path) -> None:
    source = re.sub(r"^MCUQ_NOINLINE.*\n", "", path.read_text().partition("#}\n")[2])
    assert source.startswith("static void {{ function }}(")
    assert len(re.findall(r"^[a-z].*\(", source, re.MULTILINE)) == 1
    assert not re.search(r"\b(double|long|malloc)\b", source)
    (constants,) = (c for c in KERNEL_CONSTANTS if c.template == template(path))
    assert constants.computes_in_float == bool(re.search(r"\bfloat\b", source))


def test_every_module_has_its_place_in_the_order() -> None:
    assert {stage(name) for name in MODULES} == set(LEVEL)


def test_modules_import_only_from_stages_before_their_own() -> None:
    wrong = {
        module: later
        for module in MODULES
        if (
            later := {
                i for i in imports(module) if stage(i) != stage(module) and LEVEL[stage(i)] >= LEVEL[stage(module)]
            }
        )
    }
    assert not wrong, f"import from their own stage or a later one: {wrong}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports for annotations count; importing a.b runs a first, and a package that imports its own is no circle."""
    edges = {m: {i for i in imports(m) if not m.startswith(f"{i}.")} for m in MODULES}
    list(TopologicalSorter(edges).static_order())


def test_few_modules_lie_loose() -> None:
    assert len([module for module in MODULES if MODULES[module].parent == PACKAGE and module != "__init__"]) <= 12


PACKINGS = "arithmetic.packing"  # how each is packed
# Names of tables, and the modules that may compare one.
NAMED_THINGS: dict[str, tuple[Iterable[str], set[str]]] = {
    "calibrators": (CALIBRATORS, set()),
    "emulators": (EMULATORS, {"boards.read"}),  # which reads a table called [qemu]
    "ways to flash": (METHODS, set()),
    # Others are names of types too.
    "schemes": ({*NAMED, *WEIGHTS, *INPUT_SCALES} - {"auto", "int8", "int16", "float16", "float32"}, {PACKINGS}),
}


@pytest.mark.parametrize("table", NAMED_THINGS)
def test_no_module_compares_a_name_that_a_table_has(table: str) -> None:
    names, allowed = NAMED_THINGS[table]
    found = set()
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare | ast.MatchValue):
                texts = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
                found |= {module} if texts & set(names) else set()
    assert found == allowed


def test_no_module_compares_what_a_scheme_says_with_a_name() -> None:
    """As "int8", which is a type too; see the table of mcuq.quantize.numbers."""
    fields = {"weights", "activations", "input_scale", "stored", "storage", "packing"}
    for path in MODULES.values():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                names = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
                texts = [n for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
                assert not (texts and names & fields), f"{path.name}:{node.lineno}"


def test_what_flashes_and_what_is_known_of_it_have_the_same_names() -> None:
    assert list(METHODS) == list(FLASH_METHODS)


def test_only_emit_knows_jinja() -> None:
    assert {module for module in MODULES if "jinja2" in imported_packages(module)} == {"emit.render"}


def test_only_build_runs_compilers_and_other_programs_are_emulators_flashing_tools_and_onnx_runtime() -> None:
    running = {module for module in MODULES if "subprocess" in imported_packages(module)}
    others = {"build.compiler", "build.host_program", "onnx_runtime.process", "system.process", "system.tool"}
    assert others <= running
    for module in running - others:
        assert stage(module) == "emulate"
        assert not re.search(r"gcc|clang|ziglang", MODULES[module].read_text()), module
    assert not any(re.search(r"\bos\.(system|popen|exec|spawn)", path.read_text()) for path in MODULES.values())


def test_only_build_and_the_block_counter_load_native_code() -> None:
    assert {module for module in MODULES if "ctypes" in imported_packages(module)} == {
        "build.shared_library",
        "emulate.block_counts",
    }


def test_only_the_command_line_prints() -> None:
    printing = {module for module in MODULES if imported_packages(module) & {"click", "rich"}}
    assert {stage(module) for module in printing} == {"cli"}
    for module in MODULES:
        calls = [n.func for n in nodes_of(module) if isinstance(n, ast.Call)]
        assert not any(isinstance(f, ast.Name) and f.id == "print" for f in calls), module


def test_table_of_operators_holds_every_operator() -> None:
    families = {Operator, Clamped}
    concrete = {op for op in subclasses(Operator) if op.__module__.startswith("mcuq.") and not op.__abstractmethods__}
    assert set(OPS.values()) == concrete - families
    assert all(OPS[op.__name__] is op for op in OPS.values())


@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.__name__)
def test_operator_states_its_error(op: type[Operator]) -> None:
    docs = [
        vars(c).get("__doc__") or "" for c in op.__mro__ if issubclass(c, Operator) and c not in (Operator, Clamped)
    ]
    if op is not Affine:
        assert any(re.search(r"\b(exact|error)\b", doc, re.IGNORECASE) for doc in docs), docs[0]
    assert docs[0] and not docs[0].startswith(f"{op.__name__}("), "has no docstring of its own"


@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.__name__)
def test_operator_has_portable_kernels_or_needs_none(op: type[Operator]) -> None:
    if op.is_view or op is Affine:
        assert op not in KERNELS
    else:
        assert KERNELS[op][-1].needs == frozenset(), "the last kernel must run anywhere"


# Rewrites that are about these very operators. All else asks for traits: what is on no list is not forgotten.
ABOUT = {
    "passes.absorb_quantization": {"FakeQuantize"},  # takes it away
    # Masks as files spell them.
    "passes.computed_masks": {"Compare", "Concat", "FromIntegers", "Where"},
    "passes.constant_operands": {"FakeQuantize"},  # leaves what it gives to integers
    "passes.fold_affine": {"Affine", "Clip"},  # a layer that a leftover Affine becomes takes in the Clip behind it
    "passes.fold_pad": {"Pad"},  # goes into the window behind it
    "passes.fuse_clip": {"Clip"},  # goes into the layer before it
    "passes.fuse_functions": {"Div", "Mul"},  # x * f(x) and x / f(x), as files spell functions
    "passes.fuse_normalizations": {  # what files spell them in
        *("Clip", "Concat", "Div", "FakeQuantize", "Mean", "Mul", "Reciprocal", "ReduceL2", "ReduceSum"),
        *("ReduceSumSquare", "Sub"),
    },
    "passes.fuse_squares": {"Abs", "AveragePool", "Clip", "Div", "Pow", "Sign", "Sqrt", "Transpose"},  # likewise
    "passes.mask_softmax": {"Add", "Softmax", "Where"},  # a mask added to scores or chosen instead
    "passes.staged_masks": {"Where"},
    "passes.split_heads": {"LogSoftmax", "MatMul", "Softmax"},  # of which each head has its own
    "passes.never_nan": {"Where"},  # of IsNaN, which codes are not
    "passes.order_quantization": {"Clip", "FakeQuantize"},  # change places
    "passes.raise_layout": {"Affine"},  # goes behind changes of layout
    "passes.spelled": {"FakeQuantize", "Sqrt"},  # what is read as though quantizations were not there
    "passes.sink_layout": {"Reshape", "Transpose", "FullyConnected"},  # undo each other, or go into columns
    "quantize.batch_norm": {"Affine"},  # takes statistics of BatchNormalization
    "quantize.edges": {"Join"},  # an output of a scale for each part
    "quantize.output_parts": {"Concat", "Reshape", "Rescale"},  # a Concat at an output becomes a Join
    "quantize.added_masks": {
        "Add",
        "Compare",
        "LogSoftmax",
        "MaskedSoftmax",
        "Softmax",
    },  # a mask that integers do not hold
}


def named_where_kinds_are_asked(module: str) -> set[str]:
    """What the module's isinstance, issubclass, `type(x) in` and `case` name."""
    asked: set[ast.AST] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
            asked.add(node.args[1])
        elif isinstance(node, ast.MatchClass):
            asked.add(node.cls)
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(isinstance(side, ast.Call) and ast.unparse(side.func) == "type" for side in sides):
                asked.update(sides)
    names = {name for kind in asked for name in ast.walk(kind)}
    return {n.id for n in names if isinstance(n, ast.Name)} | {n.attr for n in names if isinstance(n, ast.Attribute)}


def test_operators_are_met_by_their_traits_and_not_by_name() -> None:
    naming = {m: named_where_kinds_are_asked(m) & OPS.keys() for m in MODULES if stage(m) not in ("ops", "kernels")}
    assert {module: names for module, names in naming.items() if names} == ABOUT


ABOUT_CONVOLUTIONS = {"passes.fold_affine": "a leftover Affine becomes a depthwise convolution"}
ABOUT_FULLY_CONNECTED = {"passes.sink_layout": "columns of a matrix take in the order of what is flattened before it"}


@pytest.mark.parametrize(
    ("operator", "allowed"),
    [("conv2d.Conv2d", ABOUT_CONVOLUTIONS), ("fully_connected.FullyConnected", ABOUT_FULLY_CONNECTED)],
)
def test_what_has_weights_is_met_by_its_trait_and_not_by_name(operator: str, allowed: dict[str, str]) -> None:
    module, _, name = operator.partition(".")
    wanted = f"from mcuq.ops.{module} import {name}\n"
    naming = {m for m, path in MODULES.items() if stage(m) not in ("ops", "kernels") and wanted in path.read_text()}
    assert naming == set(allowed)


def test_no_collection_outside_ops_and_kernels_lists_operators() -> None:
    for module in MODULES:
        if stage(module) in ("ops", "kernels"):
            continue
        for node in ast.walk(ast.parse(MODULES[module].read_text())):
            if isinstance(node, ast.Tuple | ast.List | ast.Set):
                listed = {n.id for n in node.elts if isinstance(n, ast.Name)} & OPS.keys()
                assert not listed, f"{module}, line {node.lineno}: {sorted(listed)}"


def test_each_operator_with_integer_weights_has_the_trait_of_them() -> None:
    """Its quantization is that of weights: none is met by what handles other constants."""
    quantizing = {op for op in OPS.values() if op.quantize_constants is Weighted.quantize_constants}
    assert quantizing == {op for op in OPS.values() if issubclass(op, Weighted)} == {Conv2d, FullyConnected}


@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.__name__)
def test_operator_has_tests_of_its_own(op: type[Operator]) -> None:
    if issubclass(op, Function):
        assert op.examples()  # which tests/ops/test_function.py tries
        return
    stem = op.__module__.removeprefix("mcuq.ops.")
    assert (Path(__file__).parent / "ops" / f"test_{stem}.py").is_file()


def test_each_onnx_operator_has_one_reader() -> None:
    readers = [onnx_type for op in OPS.values() for onnx_type in vars(op).get("from_onnx", {})] + list(COMPOSED)
    assert len(readers) == len(set(readers))
    assert {*readers, *INTEGERS_FROM_ONNX} == FROM_ONNX.keys()


def test_each_pass_has_a_test_file() -> None:
    stems = {path.stem for path in (PACKAGE / "passes").glob("*.py")} - {"__init__"}
    tests = {path.stem.removeprefix("test_") for path in (Path(__file__).parent / "passes").glob("test_*.py")}
    assert stems <= tests


def test_no_two_files_of_tests_have_one_name() -> None:
    """pytest takes the second for the first and refuses both, but only where one process collects them together; of a
    module of the benchmarks, which tests import too, it takes the one of the tests."""
    folders = (Path(__file__).parent, resource_dir("benchmarks"))
    names = [path.name for folder in folders for path in folder.rglob("*.py") if path.name != "conftest.py"]
    assert len(set(names)) == len(names)


def test_no_function_has_more_than_seven_parameters() -> None:
    """What goes together is one value."""
    for module in MODULES:
        for node in nodes_of(module):
            if isinstance(node, ast.FunctionDef):
                own = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                assert len([a for a in own if a.arg not in ("self", "cls")]) <= 7, f"{module}.{node.name}"
