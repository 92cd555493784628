"""Schemes: names, TOML files, and what is wrong with them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mcuq.arithmetic.packing import stored_bytes
from mcuq.errors import QuantizationError
from mcuq.graph.builder import GraphBuilder
from mcuq.ops.fully_connected import FullyConnected
from mcuq.quantize import insert_conversions, quantize_graph
from mcuq.quantize.numbers import WEIGHTS
from mcuq.quantize.scheme import NAMED, LayerScheme, Scheme, parse_scheme, read_scheme, scheme_toml


@pytest.mark.parametrize("name", NAMED)
def test_a_name_is_a_scheme_of_all_layers(name: str) -> None:
    assert parse_scheme(name) == Scheme(NAMED[name])


def test_an_unknown_name_lists_what_is_known() -> None:
    with pytest.raises(QuantizationError) as caught:
        parse_scheme("ternery")
    assert str(caught.value) == (
        f"scheme 'ternery': is not known; use {', '.join(NAMED)} or a .toml file; did you mean 'ternary'?"
    )


def test_a_file_states_schemes_layer_by_layer(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        """
        scheme = "int8"
        input = "uint8"
        output = "float32"
        input_scale = "per-tensor"
        per_channel = false
        symmetric = true
        power_of_two = true
        [layers."conv*"]
        weights = "int4"
        [layers."dense"]
        scheme = "int16"
        """
    )
    scheme = parse_scheme(str(path))
    assert scheme == Scheme(
        LayerScheme(),
        {"conv*": LayerScheme("int4"), "dense": LayerScheme("int8", "int16")},
        "uint8",
        "float32",
        per_channel=False,
        symmetric=True,
        power_of_two=True,
        input_scale="per-tensor",
    )
    assert scheme.of("conv_3") == LayerScheme("int4")
    assert scheme.of("dense").activations == "int16"
    assert scheme.of("other") == LayerScheme()


def test_the_first_pattern_that_matches_counts() -> None:
    scheme = Scheme(layers={"conv_1": LayerScheme("int2"), "conv*": LayerScheme("int4")})
    assert [scheme.of(name).weights for name in ("conv_1", "conv_2", "fc")] == ["int2", "int4", "int8"]


def test_a_written_file_reads_as_the_same_scheme(tmp_path: Path) -> None:
    scheme = Scheme(
        LayerScheme("int4", "int16"),
        {'quote " backslash \\ umlaut ü': LayerScheme("float32", "float32"), "a/b;c:0": LayerScheme("ternary")},
        input="int16",
        input_scale="per-tensor",
        symmetric=True,
    )
    path = tmp_path / "own.toml"
    path.write_text(scheme_toml(scheme), encoding="utf-8")
    assert read_scheme(path) == scheme


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('schema = "int8"', "own.toml: unknown key 'schema'; did you mean 'scheme'?"),
        (
            "zzz = 1",
            "own.toml: unknown key 'zzz'; known keys: scheme, weights, activations, input, output, input_scale, "
            "per_channel, symmetric, power_of_two, clip_weights, layers",
        ),
        (
            'weights = "codebok"',
            "own.toml: weights = 'codebok' must be from: int8, int4, int2, ternary, binary, codebook, float16, "
            "float32; "
            "did you mean 'codebook'?",
        ),
        ("activations = 8", "own.toml: activations = 8 must be from: int8, int16, float32"),
        (
            'input = "int32"',
            "own.toml: input = 'int32' must be from: int8, uint8, int16, float32; did you mean 'int8'?",
        ),
        ('symmetric = "yes"', "own.toml: symmetric = 'yes' must be true or false"),
        ("layers = 3", "own.toml [layers]: must be a table, is 3"),
        ('[layers]\nconv = "int4"', "own.toml [layers.\"conv\"]: must be a table, is 'int4'"),
        (
            '[layers.conv]\nweight = "int4"',
            "own.toml [layers.\"conv\"]: unknown key 'weight'; did you mean 'weights'?",
        ),
        ("= 3", "own.toml: is not TOML: Invalid statement (at line 1, column 1)"),
        (
            f"per_channel = {'9' * 5000}",
            "own.toml: is not TOML: Exceeds the limit (4300 digits) for integer string conversion: value has 5000 "
            "digits; use sys.set_int_max_str_digits() to increase the limit",
        ),
    ],
)
def test_a_file_with_a_mistake_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(QuantizationError, match=f"^{re.escape(message)}$"):
        read_scheme(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    with pytest.raises(QuantizationError) as caught:
        parse_scheme(str(path))
    assert str(caught.value) == f"{path}: no such file; give a scheme's name or a .toml file"


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(QuantizationError) as caught:
        read_scheme(path)
    assert str(caught.value) == "own.toml: cannot be read (UnicodeDecodeError)"


def test_an_override_of_no_layer_is_an_error_that_names_layers() -> None:
    scheme = Scheme(layers={"conv1": LayerScheme("int4")})
    with pytest.raises(QuantizationError) as caught:
        scheme.check_layers(["conv_1", "dense"])
    assert str(caught.value) == "scheme [layers.\"conv1\"]: no layer has this name; did you mean 'conv_1'?"
    with pytest.raises(QuantizationError) as caught:
        Scheme(layers={"zzz": LayerScheme("int4")}).check_layers(["conv_1", "dense"])
    assert str(caught.value) == 'scheme [layers."zzz"]: no layer has this name; layers: conv_1, dense'


def test_what_is_advised_for_coarse_weights_ends_at_floats() -> None:
    for name in WEIGHTS:
        steps = [name]
        while (finer := WEIGHTS[steps[-1]].finer) is not None:
            steps.append(finer)
            assert len(steps) <= len(WEIGHTS)
        assert steps[-1] == "float32"


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_of_the_table_take_the_bits_that_it_says(name: str) -> None:
    """1,000 times 8 weights in a layer, as they lie in flash."""
    builder = GraphBuilder("net")
    weight = builder.constant(np.random.default_rng(0).normal(size=(8, 1000)).astype(np.float32), "w")
    bias = builder.constant(np.zeros(8, np.float32), "b")
    builder.outputs.append(builder.add(FullyConnected(), [builder.input("x", (1, 1000)), weight, bias], "y"))
    scheme = Scheme(LayerScheme(name, "float32" if WEIGHTS[name].is_float else "int8"))
    ranges = {} if WEIGHTS[name].is_float else {"x": (-1.0, 1.0), "y": (-9.0, 9.0)}
    integer = quantize_graph(insert_conversions(builder.graph(), scheme), ranges, scheme)
    stored = stored_bytes(integer.layer(integer.nodes[0]).inputs[1])
    assert stored == pytest.approx(1000 * WEIGHTS[name].bits, rel=0.001)
