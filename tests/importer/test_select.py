"""Outputs chosen from all tensors of a model, and inputs made constants: the values are those of the whole model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import ints, model, node, original_outputs, random, saved

import mcuq
from mcuq.errors import ModelError
from mcuq.graph.tensor import Array
from mcuq.importer import import_model, selection
from mcuq.onnx_runtime.float_model import FloatModel

X = {"x": [1, 3, 6, 6]}
WEIGHTS = {"w": random(4, 3, 3, 3), "v": random(2, 4, 3, 3)}


def two_heads(outputs: tuple[str, ...] = ("a", "b")) -> onnx.ModelProto:
    nodes = [node("Conv", ["x", "w"], "c"), node("Relu", ["c"], "r"), node("Conv", ["r", "v"], "a")]
    return model([*nodes, node("GlobalAveragePool", ["r"], "b")], X, outputs, WEIGHTS)


def two_inputs(kind: int = TensorProto.FLOAT, shape: tuple[int | str, ...] = (1, 4)) -> onnx.ModelProto:
    """y = relu(x W) * k, where k is cast to float."""
    nodes = [node("MatMul", ["x", "w"], "m"), node("Relu", ["m"], "r"), node("Cast", ["k"], "f", to=TensorProto.FLOAT)]
    proto = model([*nodes, node("Mul", ["r", "f"], "y")], {"x": [1, 6]}, constants={"w": random(6, 4)})
    proto.graph.input.append(helper.make_tensor_value_info("k", kind, shape))
    return proto


def check(proto: onnx.ModelProto, outputs: list[str], whole: onnx.ModelProto, fixed: Mapping[str, Array]) -> None:
    """Assert that the selected model, as float and as int8, gives the outputs of `whole` fed with `fixed`."""
    values = {name: value.flat[0].item() for name, value in fixed.items()}
    graph, float_model = import_model(proto, None, selection(outputs, values))
    assert list(graph.outputs) == outputs
    assert set(graph.inputs).isdisjoint(fixed)
    rng = np.random.default_rng(1)
    data = {n: rng.normal(0, 1, (80, *graph.tensors[n].shape)).astype(np.float32) for n in graph.inputs}
    runner = FloatModel(float_model)
    for i in range(3):
        sample = {name: x[i] for name, x in data.items()}
        wanted, got = original_outputs(whole, {**sample, **fixed}), runner.run(sample)
        assert list(got) == outputs
        for name in outputs:
            np.testing.assert_allclose(got[name], wanted[name], rtol=0, atol=2e-5)
    compiled = mcuq.compile(proto, "host", data, outputs=outputs, fix_inputs=values, judged=False)
    assert list(compiled.graph.outputs) == outputs
    simulation = mcuq.simulate(compiled, data)
    assert simulation.report.sqnr_db > 30
    for name in outputs:
        wanted = np.stack(
            [original_outputs(whole, {**{n: x[i] for n, x in data.items()}, **fixed})[name] for i in (0, 1)]
        )
        noise = simulation.outputs[name][:2] - wanted
        assert 10 * np.log10(np.sum(wanted**2) / np.sum(noise**2)) > 25
    assert mcuq.run(compiled, {name: x[:4] for name, x in data.items()}, "host").report.bit_exact


@pytest.mark.parametrize("outputs", [["a"], ["b"], ["b", "a"], ["r"], ["c"], ["r", "b"], ["c", "a", "r"]])
def test_outputs_are_those_chosen_in_the_order_chosen(outputs: list[str]) -> None:
    check(two_heads(), outputs, two_heads(tuple(outputs)), {})


def test_what_chosen_outputs_do_not_need_is_left_out() -> None:
    unknown = node("NonMaxSuppression", ["c", "k"], "boxes")
    proto = model([node("Conv", ["x", "w"], "c"), unknown], X | {"k": [1, 2]}, ["boxes"], WEIGHTS)
    graph, float_model = import_model(proto, None, selection(["c"], None))
    assert graph.inputs == ("x",)
    assert [n.op_type for n in float_model.graph.node] == ["Conv"]
    assert [t.name for t in float_model.graph.initializer] == ["w"]
    FloatModel(float_model)
    assert import_model(proto, None, selection("c", None))[0].text() == graph.text()
    assert mcuq.inspect(proto, outputs=["c"]).outputs == {"c": (1, 4, 4, 4)}
    assert mcuq.inspect(proto).unsupported


def test_a_chosen_output_may_be_integers() -> None:
    quantization = {"s": np.float32(0.05), "z": np.int8(3)}
    nodes = [node("QuantizeLinear", ["x", "s", "z"], "q"), node("DequantizeLinear", ["q", "s", "z"], "d")]
    proto = model([*nodes, node("Sigmoid", ["d"], "y")], X, constants=quantization)
    x = random(1, 3, 6, 6)
    graph, float_model = import_model(proto, None, selection(["q"], None))
    assert graph.outputs == ("q",)
    wanted = original_outputs(model(nodes, X, ["d"], quantization), {"x": x})["d"]
    np.testing.assert_array_equal(FloatModel(float_model).run({"x": x})["q"], wanted)


def test_a_chosen_output_may_be_of_an_operator_that_onnx_does_not_know() -> None:
    quantization = {"s": np.float32(0.05), "z": np.uint8(120)}
    scales = ["s", "z"]
    twice = helper.make_node("QLinearAdd", ["q", *scales, "q", *scales, *scales], ["t"], "add", "", "com.microsoft")
    nodes = [node("QuantizeLinear", ["x", *scales], "q"), twice, node("DequantizeLinear", ["t", *scales], "d")]
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    proto = model([*nodes, node("Sigmoid", ["d"], "y")], X, constants=quantization, opset_imports=domains)
    whole = model(nodes, X, ["d"], quantization, opset_imports=domains)
    x = random(1, 3, 6, 6)
    float_model = import_model(proto, None, selection(["t"], None))[1]
    np.testing.assert_array_equal(FloatModel(float_model).run({"x": x})["t"], original_outputs(whole, {"x": x})["d"])


@pytest.mark.parametrize(
    ("kind", "value", "shape"),
    [
        (TensorProto.FLOAT, np.float32(-1.5), (1, 4)),
        (TensorProto.FLOAT, np.float32(2), (4,)),
        (TensorProto.FLOAT16, np.float16(0.5), (1, 1)),
        (TensorProto.DOUBLE, np.float64(0.75), ()),
        (TensorProto.INT64, np.int64(3), (1,)),
        (TensorProto.UINT8, np.uint8(255), (1, 4)),
        (TensorProto.INT8, np.int8(-128), ()),
        (TensorProto.BOOL, np.bool_(True), (4,)),
    ],
)
def test_a_fixed_input_is_a_constant_of_its_type_and_shape(
    kind: int, value: np.generic, shape: tuple[int, ...]
) -> None:
    proto = two_inputs(kind, shape)
    check(proto, ["y"], proto, {"k": np.full(shape, value)})


def test_sizes_of_a_fixed_input_are_given_as_for_others() -> None:
    proto = two_inputs(shape=("batch", "width"))
    graph, float_model = import_model(proto, {"width": 4}, selection(None, {"k": 2}))
    assert graph.inputs == ("x",)
    assert {t.name: tuple(t.dims) for t in float_model.graph.initializer}["k"] == (1, 4)
    with pytest.raises(ModelError) as caught:
        import_model(proto, None, selection(None, {"k": 2}))
    assert str(caught.value) == (
        "model: input 'k' has the unknown dimension 'width' at axis 1; give its size with --shape width=N"
    )


def test_integers_of_64_bits_are_kept_as_they_are() -> None:
    large = 2**53 + 1
    nodes = [
        node("Sub", ["k", "k0"], "d"),
        node("Cast", ["d"], "f", to=TensorProto.FLOAT),
        node("Mul", ["x", "f"], "y"),
    ]
    proto = model(nodes, {"x": [1, 3]}, constants={"k0": ints(large - 3)})
    proto.graph.input.append(helper.make_tensor_value_info("k", TensorProto.INT64, [1]))
    float_model = import_model(proto, None, selection(None, {"k": large}))[1]
    x = random(1, 3)
    np.testing.assert_array_equal(FloatModel(float_model).run({"x": x})["y"], 3 * x)


def refusal(proto: onnx.ModelProto, folder: Path, **options: object) -> str:
    with pytest.raises(ModelError) as caught:
        mcuq.compile(saved(proto, folder), "host", **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        (["aa", "b"], "has no tensor 'aa' to be an output; did you mean 'a'?"),
        (["", "b"], "has no tensor '' to be an output; its outputs are 'a', 'b'"),
        (["logits"], "has no tensor 'logits' to be an output; its outputs are 'a', 'b'"),
        (["w"], "output 'w' is constant; it depends on no input"),
        (["a", "x"], "output 'x' is an input too; leave it out, or copy it with Identity"),
        (["x"], "output 'x' is an input too; leave it out, or copy it with Identity"),
        (["r", "r"], "output 'r' is listed twice; leave one out, or copy it with Identity"),
    ],
)
def test_outputs_that_cannot_be_chosen_are_refused(outputs: list[str], text: str, tmp_path: Path) -> None:
    assert refusal(two_heads(), tmp_path, outputs=outputs) == f"net.onnx: {text}"


@pytest.mark.parametrize(
    ("kind", "fixed", "text"),
    [
        ("FLOAT", {"kk": 1}, "net.onnx: has no input 'kk' to fix; did you mean 'k'?"),
        ("FLOAT", {"w": 1}, "net.onnx: has no input 'w' to fix; its inputs are 'x', 'k'"),
        ("FLOAT", {"k": 1, "x": 2}, "net.onnx: all its inputs are fixed; leave one to give when it runs"),
        ("FLOAT", {"k": "1"}, "fix_inputs: input 'k' cannot be fixed to '1'; give a number"),
        (
            "FLOAT",
            {"k": float("nan")},
            "net.onnx: input 'k' is float and cannot be fixed to nan; give a finite number that the type can hold",
        ),
        (
            "FLOAT",
            {"k": 1e39},
            "net.onnx: input 'k' is float and cannot be fixed to 1e+39; give a finite number that the type can hold",
        ),
        (
            "INT64",
            {"k": 0.5},
            f"net.onnx: input 'k' is int64 and cannot be fixed to 0.5; give an integer from {-(2**63)} to {2**63 - 1}",
        ),
        (
            "INT64",
            {"k": 2**63},
            f"net.onnx: input 'k' is int64 and cannot be fixed to {2**63}; give an integer from {-(2**63)} to "
            f"{2**63 - 1}",
        ),
        ("UINT8", {"k": -1}, "net.onnx: input 'k' is uint8 and cannot be fixed to -1; give an integer from 0 to 255"),
        ("BOOL", {"k": 2}, "net.onnx: input 'k' is bool and cannot be fixed to 2; give 0 or 1"),
    ],
)
def test_inputs_that_cannot_be_fixed_are_refused(
    kind: str, fixed: dict[str, object], text: str, tmp_path: Path
) -> None:
    assert refusal(two_inputs(TensorProto.DataType.Value(kind)), tmp_path, fix_inputs=fixed) == text


def test_a_fixed_input_without_a_shape_or_of_absurd_size_is_refused(tmp_path: Path) -> None:
    proto = two_inputs(shape=(2**20, 2**20))
    assert refusal(proto, tmp_path, fix_inputs={"k": 1}) == (
        f"net.onnx: input 'k' takes {2**42:,} bytes when fixed; supported are {2**28:,}"
    )
    proto.graph.input[1].type.tensor_type.ClearField("shape")
    assert refusal(proto, tmp_path, fix_inputs={"k": 1}) == (
        "net.onnx: input 'k' has no shape; give one with --shape k=N,N"
    )
    proto.graph.input[1].type.sequence_type.elem_type.tensor_type.elem_type = TensorProto.FLOAT
    assert refusal(proto, tmp_path, fix_inputs={"k": 1}) == (
        "net.onnx: input 'k' is no tensor of a known type; only tensors can be fixed"
    )


def test_an_output_that_depends_on_fixed_inputs_alone_is_refused(tmp_path: Path) -> None:
    text = refusal(two_inputs(), tmp_path, outputs=["f"], fix_inputs={"k": 1})
    assert text == "net.onnx: output 'f' is constant; it depends on no input"


def test_the_c_says_what_was_selected_and_names_cannot_end_its_comment() -> None:
    nodes = [node("Relu", ["x"], "*/ r\n"), node("Add", ["*/ r\n", "k"], "y")]
    proto = model(nodes, {"x": [1, 4], "k": [1, 4], "z": [1, 4]})
    compiled = mcuq.compile(proto, "host", outputs=["y", "*/ r\n"], fix_inputs={"k": 0.25})
    assert r"outputs 'y', '* / r\n', input 'k' fixed to 0.25" in compiled.files["model.c"].replace("\n * ", " ")
    assert mcuq.run(compiled, random(3, 1, 4), "host").report.bit_exact
