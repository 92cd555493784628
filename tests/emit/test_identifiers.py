import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcuq.emit.identifiers import KEYWORDS, LONGEST, claim, file_identifier, identifier, identifiers, is_reserved, stems

VALID = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*_?")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conv1", "conv1"),
        ("Conv_1", "Conv_1"),
        ("/features/features.0/Conv", "features_features_0_Conv"),
        ("a//b..c", "a_b_c"),
        ("__init__", "init"),
        ("a__b", "a_b"),
        ("9lives", "x_9lives"),
        ("int", "int_"),
        ("Class", "Class_"),
        ("typeof", "typeof_"),
        ("int8_t", "int8_t_"),
        ("UINT32_MAX", "UINT32_MAX_"),
        ("NULL", "NULL_"),
        ("linux", "linux_"),
        ("serving_default_x:0", "serving_default_x"),
        ("Relu;bn/FusedBatchNorm;conv", "Relu"),
        ("Ünïcode", "n_code"),
        ("日本", "x"),
        ("", "x"),
        (":0", "x"),
        ("a" * 60, "a" * 40),
        ("a" * 39 + "_b", "a" * 39),
        ("9" * 60, "x_" + "9" * 38),
    ],
)
def test_a_name_becomes_a_readable_c_identifier(name: str, expected: str) -> None:
    assert identifier(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("stdint", "stdint_"),
        ("String", "String_"),
        ("main_", "main_"),
        ("memcpy", "memcpy_"),
        ("int", "int_"),
        ("net", "net"),
    ],
)
def test_files_are_not_called_as_the_library_is(name: str, expected: str) -> None:
    assert file_identifier(name) == expected
    assert file_identifier(expected) == expected
    assert identifier("time") == "time"  # a tensor may be


def test_the_fallback_stands_for_a_name_without_letters_and_before_a_digit() -> None:
    assert identifier("??", "tensor") == "tensor"
    assert identifier("3x3", "tensor") == "tensor_3x3"


@given(st.text(max_size=80))
def test_every_text_becomes_an_identifier_that_is_no_keyword_and_stays_what_it_is(name: str) -> None:
    text = identifier(name)
    assert VALID.fullmatch(text)
    assert len(text) <= LONGEST
    assert not is_reserved(text)
    assert identifier(text) == text


@given(st.lists(st.text(alphabet="aAbB/._;:0 ", max_size=8), max_size=12), st.sets(st.sampled_from(["a", "run"])))
def test_identifiers_are_distinct_even_in_upper_case(names: list[str], taken: set[str]) -> None:
    found = identifiers(names, "x", taken)
    assert len(found) == len(names)
    assert len({text.upper() for text in found} | {text.upper() for text in taken}) == len(found) + len(taken)
    assert all(VALID.fullmatch(text) for text in found)


def test_identifiers_that_collide_are_numbered() -> None:
    assert identifiers(["a", "A", "a:1", "a_2"]) == ["a", "A_2", "a_3", "a_2_2"]


def test_identifiers_that_are_taken_are_numbered() -> None:
    assert identifiers(["run", "Arena", "b"], taken=("run", "ARENA")) == ["run_2", "Arena_2", "b"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["/model/conv1/Conv", "/model/fc/Gemm"], ["conv1_Conv", "fc_Gemm"]),
        (["model.conv1", "model.fc"], ["conv1", "fc"]),
        (["a/b/c", "a/b/d", "a/e"], ["b_c", "b_d", "e"]),
        (["model/conv"], ["model_conv"]),
        (["model", "model/conv"], ["model", "model_conv"]),
        (["conv1", "conv2"], ["conv1", "conv2"]),
    ],
)
def test_the_path_that_all_names_share_is_left_out(names: list[str], expected: list[str]) -> None:
    assert stems(names) == expected


def test_stems_may_be_equal() -> None:
    assert stems(["a:0", "a:1"]) == ["a", "a"]


def test_a_claim_takes_the_first_stem_of_which_all_derived_names_are_free() -> None:
    used = {"m_conv_bias", "m_conv_2"}
    assert claim("Conv", lambda text: [f"m_{text}", f"m_{text}_bias"], used) == "Conv_3"
    assert used == {"m_conv_bias", "m_conv_2", "m_conv_3", "m_conv_3_bias"}


def test_a_claim_never_derives_a_reserved_name() -> None:
    assert claim("t", lambda text: [f"int8_{text}"], set()) == "t_2"


@pytest.mark.parametrize(
    "name", ["int8_t", "uint_fast16_t", "INTPTR_MIN", "INT64_C", "size_t", "SIZE_MAX", "ptrdiff_t", "offsetof", "While"]
)
def test_what_the_headers_and_languages_define_is_reserved(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize("name", ["int8", "size", "x", "max", "conv_t", "int24_t", "run"])
def test_ordinary_names_are_not_reserved(name: str) -> None:
    assert not is_reserved(name)


def test_keywords_are_lower_case() -> None:
    assert all(keyword == keyword.lower() for keyword in KEYWORDS)
