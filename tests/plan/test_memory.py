"""Plans of programs made of operators that only say what the planner asks: sizes, views, places shared, scratch."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcuq.graph.ir import Graph, Node
from mcuq.graph.liveness import Storage, aligned, live_bytes
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Array, Quant, Shape, Tensor
from mcuq.kernels.kernel import Call, Constants
from mcuq.kernels.overwriting import Below
from mcuq.lower import Program, Step, lower
from mcuq.onnx_io.writer import OnnxWriter
from mcuq.ops.add import Add
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.transpose import Transpose
from mcuq.plan import ALIGNMENT, Plan, plan_memory

QUANT = Quant((1.0,), 0)


@dataclass(frozen=True)
class Fake(Operator):
    """Makes `elements` bytes out of anything."""

    elements: int
    scratch_bytes: int = 0

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return (self.elements,)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        raise NotImplementedError

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        raise NotImplementedError


@dataclass(frozen=True)
class FakeElementwise(Fake):
    """May take over any of its inputs."""

    def in_place(self, layer: Layer) -> tuple[int, ...]:
        return tuple(range(len(layer.inputs)))


@dataclass(frozen=True)
class FakeBelow(Fake):
    """Its output may begin `below` bytes below its input, no more and no less."""

    below: int = 0


@dataclass(frozen=True)
class FakeView(Fake):
    """The first input under another name."""

    is_view = True


@dataclass
class Net:
    """An int8 graph under construction: net.add(op, "a", "b") computes t0, t1, ... and returns the name."""

    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)

    def input(self, elements: int) -> str:
        name = f"x{len(self.inputs)}"
        self.tensors[name] = Tensor(name, (elements,), "int8", quant=QUANT)
        self.inputs.append(name)
        return name

    def add(self, op: Operator, *inputs: str) -> str:
        name = f"t{len(self.nodes)}"
        shape = op.infer([self.tensors[i] for i in inputs])
        self.tensors[name] = Tensor(name, shape, "int8", quant=QUANT)
        self.nodes.append(Node(name, op, inputs, name))
        return name

    def program(self, *outputs: str) -> Program:
        graph = Graph("net", tuple(self.nodes), self.tensors, tuple(self.inputs), outputs)
        steps = []
        for layer in graph.layers():
            scratch_bytes = getattr(layer.op, "scratch_bytes", 0)
            below = Below(layer.op.below, exactly=True) if isinstance(layer.op, FakeBelow) else None
            call = Call(Constants(), inputs=(0,), scratch_bytes=scratch_bytes, below=below)
            steps.append(Step(layer, () if layer.op.is_view else (call,)))
        return Program(graph, tuple(steps))

    def plan(self, *outputs: str) -> Plan:
        return plan_memory(self.program(*outputs))


def random_program(seed: int, layers: int, scratch: bool = True, exact: bool = False) -> Program:
    """Layers that read recent tensors; every tensor that nobody reads is an output, and some others."""
    rng = random.Random(seed)
    net = Net()
    for _ in range(rng.randint(1, 3)):
        net.input(rng.randint(1, 300))
    names = list(net.inputs)
    for _ in range(layers):
        reads = [rng.choice(names[-5:]) for _ in range(rng.randint(1, 3))]
        elements = net.tensors[reads[0]].elements
        scratch_bytes = rng.choice([0, 0, rng.randint(1, 200)]) if scratch else 0
        ops = [Fake(rng.randint(1, 300), scratch_bytes), FakeElementwise(elements, scratch_bytes), FakeView(elements)]
        if exact:
            ops.append(FakeBelow(rng.randint(1, 300), scratch_bytes, 4 * rng.randint(0, 10)))
        op = rng.choice(ops)
        names.append(net.add(op, *reads[: 1 if isinstance(op, FakeBelow) else None]))
    read = {name for node in net.nodes for name in node.inputs}
    # A view of an input or output is no output: passes/own_outputs.py puts a copy behind it.
    roots = dict.fromkeys(net.inputs, "input")
    outputs = []
    for node in net.nodes:
        source = roots.get(node.inputs[0], "") if node.op.is_view else node.output
        roots[node.output] = source
        if (node.output not in read or rng.random() < 0.1) and source not in ("input", *map(roots.get, outputs)):
            outputs.append(node.output)
    if not outputs:
        outputs.append(net.add(Fake(8), names[-1]))
    return net.program(*outputs)


def spans_of(program: Program, storage: Storage) -> list[tuple[int, int, int, int]]:
    """Each tensor's (first step, last step, begin, end); a storage of one size is one."""
    if not storage.lives:
        return [(storage.first, storage.last, storage.offset, storage.offset + storage.size_bytes)]
    begins = [(storage.offset_of(name), program.graph.tensors[name].size_bytes) for name in storage.tensors]
    return [(*life, at, at + n) for life, (at, n) in zip(storage.lives, begins, strict=True)]


def peak_bytes(program: Program, plan: Plan) -> int:
    """Most bytes of tensors and scratch alive at one step."""
    lives = [
        (max(e for *_, e in alive) - min(b for *_, b, _ in alive), i, i)
        for storage in plan.storages
        for i in range(storage.first, storage.last + 1)
        if (alive := [own for own in spans_of(program, storage) if own[0] <= i <= own[1]])
    ]
    live = live_bytes((aligned(n), first, last) for n, first, last in lives)
    return max(
        live.get(i, 0) + (aligned(program.steps[i].scratch_bytes) if i in range(len(program.steps)) else 0)
        for i in range(-1, len(program.steps) + 1)
    )


def assert_valid(program: Program, plan: Plan) -> None:
    """No two things alive at one step overlap; everything is aligned and inside the arena, whose end is used."""
    groups = [spans_of(program, s) for s in plan.storages]
    groups += [[(i, i, offset, offset + program.steps[i].scratch_bytes)] for i, offset in plan.scratch.items()]
    for a, b in ((a, b) for one, other in combinations(groups, 2) for a in one for b in other):
        alive_together = a[0] <= b[1] and b[0] <= a[1]
        assert not alive_together or a[3] <= b[2] or b[3] <= a[2], (a, b)
    spans = [span for group in groups for span in group]
    assert all(offset >= 0 and offset % ALIGNMENT == 0 for _, _, offset, _ in spans)
    assert plan.arena_bytes == max(aligned(end) for *_, end in spans)
    assert plan.arena_bytes >= peak_bytes(program, plan)
    assert set(plan.scratch) == {i for i, step in enumerate(program.steps) if step.scratch_bytes}
    held = [name for s in plan.storages for name in s.tensors]
    assert sorted(held) == sorted(name for name, t in program.graph.tensors.items() if not t.is_constant)


def assert_runs(program: Program, plan: Plan) -> None:
    """Act the program out: each tensor is bytes of its own value, which must still be there when it is read."""
    arena = np.zeros(plan.arena_bytes, np.int64)
    value: dict[str, int] = {}

    def bytes_of(name: str) -> Array:
        offset = plan.offset_of(name)
        return arena[offset : offset + program.graph.tensors[name].size_bytes]

    for number, name in enumerate(program.graph.inputs, 1):
        value[name] = number
        bytes_of(name)[:] = number
    for index, step in enumerate(program.steps):
        output = step.layer.output.name
        if index in plan.scratch:
            arena[plan.scratch[index] : plan.scratch[index] + step.scratch_bytes] = -1
        for t in step.layer.inputs:
            assert (bytes_of(t.name) == value[t.name]).all(), f"step {index} reads '{t.name}' after it was overwritten"
        if step.layer.op.is_view:
            value[output] = value[step.layer.inputs[0].name]
            continue
        value[output] = 100 + index
        if not isinstance(step.layer.op, FakeElementwise | FakeBelow):
            bytes_of(output)[:] = value[output]
            for t in step.layer.inputs:
                assert (bytes_of(t.name) == value[t.name]).all(), f"step {index} overwrites its input '{t.name}'"
        bytes_of(output)[:] = value[output]
    for name in program.graph.outputs:
        assert (bytes_of(name) == value[name]).all(), f"output '{name}' was overwritten"


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 25))
def test_plans_of_random_programs_are_valid_and_keep_every_value_until_its_last_use(seed: int, layers: int) -> None:
    program = random_program(seed, layers)
    plan = plan_memory(program)
    assert_valid(program, plan)
    assert_runs(program, plan)


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 25))
def test_outputs_at_one_place_below_their_inputs_leave_what_they_do_not_need(seed: int, layers: int) -> None:
    program = random_program(seed, layers, exact=True)
    plan = plan_memory(program)
    assert_valid(program, plan)
    assert_runs(program, plan)


def test_what_is_smaller_than_what_it_lies_in_leaves_the_rest_to_others() -> None:
    """As depthwise convolutions with a stride between others do: at no step are all 3,000 bytes and those of another
    needed."""
    net = Net()
    x = net.input(100)
    wide = net.add(Fake(3000), x)
    narrow = net.add(FakeBelow(1000, below=40), wide)
    y = net.add(Fake(1500, scratch_bytes=500), narrow)
    program = net.program(net.add(Fake(8), y))
    plan = plan_memory(program)
    assert_valid(program, plan)
    assert_runs(program, plan)
    assert plan.offset_of(wide) - plan.offset_of(narrow) == 40
    assert plan.arena_bytes == plan.least_bytes == 3100


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**9))
def test_the_same_program_gets_the_same_plan(seed: int) -> None:
    assert plan_memory(random_program(seed, 20)) == plan_memory(random_program(seed, 20))


@pytest.mark.parametrize("seed", range(12))
def test_large_random_programs_need_no_more_than_their_peak(seed: int) -> None:
    program = random_program(seed, 100)
    plan = plan_memory(program)
    assert_valid(program, plan)
    assert_runs(program, plan)
    assert plan.arena_bytes == plan.least_bytes == peak_bytes(program, plan)


def test_sizes_are_rounded_up_to_the_alignment() -> None:
    assert [aligned(n) for n in (0, 1, 3, 4, 5, 8)] == [0, 4, 4, 4, 8, 8]
    net = Net()
    x = net.input(5)
    plan = net.plan(net.add(Fake(3), x))
    assert (plan.arena_bytes, plan.storage_of("x0").size_bytes, plan.storage_of("t0").size_bytes) == (12, 5, 3)


def test_lifetimes_run_from_the_computing_step_to_the_last_reader() -> None:
    net = Net()
    x = net.input(8)
    a = net.add(Fake(8), x)
    b = net.add(Fake(8), a)
    c = net.add(Fake(8), b, a)
    plan = net.plan(c)
    assert [(s.tensors, s.first, s.last) for s in plan.storages] == [
        (("x0",), -1, 0),
        (("t0",), 0, 2),
        (("t1",), 1, 2),
        (("t2",), 2, 3),
    ]


def test_an_input_that_nobody_reads_is_alive_only_before_the_first_step() -> None:
    net = Net()
    x, unread = net.input(8), net.input(16)
    plan = net.plan(net.add(Fake(16), x))
    assert (plan.storage_of(unread).first, plan.storage_of(unread).last) == (-1, -1)
    assert plan.arena_bytes == 24


def test_an_output_stays_alive_to_the_end() -> None:
    net = Net()
    x = net.input(8)
    a = net.add(Fake(8), x)
    b = net.add(Fake(8), a)
    c = net.add(Fake(8), b)
    plan = net.plan(a, c)
    assert plan.storage_of(a).last == 3
    assert plan.arena_bytes == 24


def test_live_bytes_count_aligned_storages_at_a_step() -> None:
    net = Net()
    x = net.input(5)
    plan = net.plan(net.add(Fake(3), net.add(Fake(9), x)))
    assert live_bytes(s.life for s in plan.storages) == {-1: 8, 0: 20, 1: 16, 2: 4}


def test_an_elementwise_layer_takes_over_the_memory_of_its_input() -> None:
    net = Net()
    a = net.add(Fake(40), net.input(8))
    b = net.add(FakeElementwise(40), a)
    plan = net.plan(net.add(Fake(8), b))
    assert plan.storage_of(a) is plan.storage_of(b)
    assert plan.storage_of(b).tensors == (a, b)
    assert plan.arena_bytes == 48


def test_another_layer_does_not_take_over_the_memory_of_its_input() -> None:
    net = Net()
    a = net.add(Fake(40), net.input(8))
    b = net.add(Fake(40), a)
    assert net.plan(b).storage_of(a) is not net.plan(b).storage_of(b)


def test_an_elementwise_layer_leaves_an_input_that_is_read_later() -> None:
    net = Net()
    a = net.add(Fake(40), net.input(8))
    b = net.add(FakeElementwise(40), a)
    plan = net.plan(net.add(Fake(40), b, a))
    assert plan.storage_of(a) is not plan.storage_of(b)


def test_an_elementwise_layer_leaves_an_input_of_the_model() -> None:
    net = Net()
    x = net.input(40)
    b = net.add(FakeElementwise(40), x)
    plan = net.plan(net.add(Fake(8), b))
    assert plan.storage_of(x) is not plan.storage_of(b)


def test_an_elementwise_layer_leaves_a_view_of_an_input_of_the_model() -> None:
    net = Net()
    x = net.input(40)
    v = net.add(FakeView(40), x)
    b = net.add(FakeElementwise(40), v)
    plan = net.plan(b)
    assert plan.storage_of(v) is plan.storage_of(x)
    assert plan.storage_of(v) is not plan.storage_of(b)


def test_an_elementwise_layer_leaves_an_output_of_the_model() -> None:
    net = Net()
    a = net.add(Fake(40), net.input(8))
    b = net.add(FakeElementwise(40), a)
    plan = net.plan(a, b)
    assert plan.storage_of(a) is not plan.storage_of(b)


def test_an_elementwise_layer_leaves_an_input_of_another_size() -> None:
    net = Net()
    small, large = net.add(Fake(39), net.input(8)), net.add(Fake(41), "x0")
    b = net.add(FakeElementwise(40), small, large)
    plan = net.plan(b)
    assert plan.storage_of(b).tensors == (b,)


def test_an_elementwise_layer_leaves_an_input_whose_view_is_read_later() -> None:
    net = Net()
    a = net.add(Fake(40), net.input(8))
    v = net.add(FakeView(40), a)
    b = net.add(FakeElementwise(40), a)
    plan = net.plan(net.add(Fake(8), b, v))
    assert plan.storage_of(b).tensors == (b,)


def test_an_elementwise_layer_leaves_an_input_whose_source_is_read_later() -> None:
    net = Net()
    a = net.add(Fake(40), net.input(8))
    b = net.add(FakeElementwise(40), net.add(FakeView(40), a))
    plan = net.plan(net.add(Fake(8), b, a))
    assert plan.storage_of(b).tensors == (b,)


def test_a_view_shares_the_storage_of_its_source_and_extends_its_life() -> None:
    net = Net()
    a = net.add(Fake(40), net.input(8))
    v = net.add(FakeView(40), a)
    w = net.add(FakeView(40), v)
    b = net.add(Fake(8), "x0")
    plan = net.plan(net.add(Fake(8), b, w))
    assert plan.storage_of(a).tensors == (a, v, w)
    assert (plan.storage_of(a).first, plan.storage_of(a).last) == (0, 4)


def test_a_chain_of_elementwise_layers_needs_one_place() -> None:
    net = Net()
    a = net.add(Fake(40), net.input(8))
    for _ in range(5):
        a = net.add(FakeElementwise(40), a)
    assert net.plan(a).arena_bytes == 48


@pytest.mark.parametrize("blocks", [1, 2, 7, 20])
def test_a_chain_of_residual_blocks_needs_three_tensors(blocks: int) -> None:
    """x is kept while two convolutions follow each other; the sum takes over one of its operands."""
    net = Net()
    x = net.add(Fake(400), net.input(4))
    for _ in range(blocks):
        y = net.add(Fake(400), net.add(Fake(400), x))
        x = net.add(FakeElementwise(400), x, y)
    plan = net.plan(net.add(Fake(4), x))
    assert plan.arena_bytes == 3 * 400


def test_scratch_is_apart_from_everything_alive_in_its_step() -> None:
    net = Net()
    kept = net.add(Fake(20), net.input(12))
    a = net.add(Fake(16, scratch_bytes=10), "x0")
    b = net.add(Fake(8, scratch_bytes=50), a, kept)
    program = net.program(b)
    plan = plan_memory(program)
    assert_valid(program, plan)
    assert set(plan.scratch) == {1, 2}
    assert plan.arena_bytes == 8 + 16 + 20 + 52


def test_scratch_reuses_what_is_not_alive_in_its_step() -> None:
    net = Net()
    a = net.add(Fake(100), net.input(4))
    b = net.add(Fake(4), a)
    plan = net.plan(net.add(Fake(4, scratch_bytes=100), b))
    assert plan.arena_bytes == 108


def test_a_step_has_the_largest_scratch_of_its_calls() -> None:
    net = Net()
    net.add(Fake(4), net.input(4))
    layer = next(iter(net.program("t0").graph.layers()))
    calls = tuple(Call(Constants(), scratch_bytes=n) for n in (8, 30, 5))
    assert Step(layer, calls).scratch_bytes == 30
    assert Step(layer, ()).scratch_bytes == 0


def real_net(*layers: tuple[Operator, tuple[str, ...]], outputs: tuple[str, ...]) -> Plan:
    """The plan of real operators; every input x0, x1, ... that is read has the shape (2, 3)."""
    net = Net()
    for name in sorted({name for _, names in layers for name in names if name.startswith("x")}):
        net.tensors[name] = Tensor(name, (2, 3), "int8", quant=QUANT)
        net.inputs.append(name)
    for op, names in layers:
        net.add(op, *names)
    return plan_memory(lower(net.program(*outputs).graph))


def test_a_sigmoid_is_computed_in_place() -> None:
    plan = real_net((Transpose((1, 0)), ("x0",)), (Sigmoid(), ("t0",)), outputs=("t1",))
    assert plan.storage_of("t1").tensors == ("t0", "t1")


@pytest.mark.parametrize("place", [0, 1])
def test_an_add_takes_over_the_operand_that_is_not_read_later(place: int) -> None:
    operands = ("t0", "t1") if place == 0 else ("t1", "t0")
    plan = real_net(
        (Transpose((1, 0)), ("x0",)),
        (Transpose((1, 0)), ("x1",)),
        (Add(), operands),
        (Add(), ("t2", "t1")),
        outputs=("t3", "t1"),
    )
    assert plan.storage_of("t3").tensors == ("t0", "t2", "t3")


def test_an_add_of_a_tensor_to_itself_is_in_place() -> None:
    plan = real_net((Transpose((1, 0)), ("x0",)), (Add(), ("t0", "t0")), outputs=("t1",))
    assert plan.storage_of("t1").tensors == ("t0", "t1")


def test_a_reshape_needs_no_memory() -> None:
    plan = real_net((Transpose((1, 0)), ("x0",)), (Reshape((6,)), ("t0",)), outputs=("t1",))
    assert plan.storage_of("t1").tensors == ("t0", "t1")
    assert plan.arena_bytes == 16
