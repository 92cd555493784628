"""Packed constants: against their C namesakes byte for byte, and back to what was packed."""

from __future__ import annotations

import ctypes
import inspect
import re
from itertools import product

import numpy as np
import pytest

from mcuq.arithmetic import packing as module
from mcuq.arithmetic.packing import BLOCK, CODEBOOK_WORDS, VALUES_A_WORD, fits, pack, packed_words, unpack
from mcuq.build.shared_library import build_library
from mcuq.graph.tensor import PACKINGS, Array
from mcuq.resources import resource_dir

HEADER = resource_dir("firmware") / "kernels" / "mcuq_unpack.h"
LOOPS = "\n".join(
    f"void each_{p}(const int32_t *packed, int32_t count, int shift, int8_t *y)\n"
    f"{{\n    mcuq_unpack_{p}(packed, count, shift, y);\n}}"
    for p in PACKINGS
)
GUARD = 77
GRIDS = {"int4": range(-8, 8), "int2": range(-2, 2), "ternary": range(-1, 2), "binary": (-1, 1)}


@pytest.fixture(scope="module")
def c() -> ctypes.CDLL:
    """The functions of mcuq_unpack.h."""
    return build_library(f'#include "{HEADER.as_posix()}"\n{LOOPS}')


def some_values(packing: str, count: int, seed: int) -> Array:
    """Random values of the packing: of a codebook up to 16 codes of all int8."""
    rng = np.random.default_rng(seed)
    if packing == "blocks":
        steps, zeros = (
            rng.integers(low, high, -(-count // BLOCK)).repeat(BLOCK)[:count] for low, high in ((1, 128), (0, 16))
        )
        values = ((rng.integers(0, 16, count) - zeros) * steps + 8) >> 4
        return np.where(np.abs(values + 0.5) < 128, values, 0).astype(np.int8)
    codes = rng.integers(-128, 128, 1 + seed % 16) if packing == "codebook" else list(GRIDS[packing])
    return rng.choice(np.asarray(codes), count).astype(np.int8)


def c_unpack(c: ctypes.CDLL, packed: Array, packing: str, count: int, room: int, shift: int = 0) -> Array:
    """int8 (room + 4) that C has written into, GUARD before."""
    held, y = np.ascontiguousarray(packed), np.full(room + 4, GUARD, np.int8)
    function = getattr(c, f"each_{packing}")
    function(
        ctypes.c_void_p(held.ctypes.data), ctypes.c_int32(count), ctypes.c_int32(shift), ctypes.c_void_p(y.ctypes.data)
    )
    return y


def test_header_and_module_have_functions_of_the_same_names() -> None:
    in_c = set(re.findall(r"^static void mcuq_(\w+)\(", HEADER.read_text(), re.MULTILINE))
    in_python = {name for name, f in inspect.getmembers(module, inspect.isfunction) if name.startswith("unpack_")}
    assert in_python == in_c == {f"unpack_{packing}" for packing in PACKINGS}


@pytest.mark.parametrize("packing", PACKINGS)
def test_c_gives_the_bytes_that_were_packed_and_writes_no_further_than_whole_words(
    c: ctypes.CDLL, packing: str
) -> None:
    a_word = VALUES_A_WORD[packing]
    for count in [*range(1, 3 * a_word + 2), 1000, 4096]:
        values = some_values(packing, count, count)
        packed = pack(values, packing)
        assert packed.dtype == np.int32
        assert packed.size == packed_words(count, packing)
        room = count if packing in ("codebook", "blocks") else -(-count // a_word) * a_word
        got = c_unpack(c, packed, packing, count, room)
        assert np.array_equal(got[:count], values)
        assert (got[room:] == GUARD).all()
        assert np.array_equal(unpack(packed, packing, room), got[:room])
        assert unpack(packed, packing, count).dtype == np.int8


@pytest.mark.parametrize(
    ("packing", "shift"),
    [("int4", 1), ("int4", 4), ("int2", 3), ("int2", 6), ("ternary", 2), ("ternary", 6), ("binary", 5), ("binary", 6)],
)
def test_values_come_out_times_a_power_of_two(c: ctypes.CDLL, packing: str, shift: int) -> None:
    values = some_values(packing, 1000, 3) << shift
    assert values.dtype == np.int8
    packed = pack(values, packing, shift)
    room = -(-1000 // VALUES_A_WORD[packing]) * VALUES_A_WORD[packing]
    assert np.array_equal(c_unpack(c, packed, packing, 1000, room, shift)[:1000], values)
    assert np.array_equal(unpack(packed, packing, 1000, shift), values)
    assert not fits(values, packing)


def test_a_codebook_holds_values_as_they_are() -> None:
    values = some_values("codebook", 100, 15)
    assert np.array_equal(pack(values, "codebook", 3), pack(values, "codebook"))
    assert np.array_equal(unpack(pack(values, "codebook"), "codebook", 100, 3), values)


def test_runs_of_every_step_and_zero_and_all_codes(c: ctypes.CDLL) -> None:
    """And times two."""
    steps, zeros = (part.reshape(-1) for part in np.meshgrid(np.arange(1, 256), np.arange(16)))
    values = ((np.resize(np.arange(16), (len(steps), BLOCK)) - zeros[:, None]) * steps[:, None] + 8) >> 4
    whole = ((values >= -128) & (values <= 127)).all(axis=1)
    assert whole.sum() > 800
    flat = values[whole].astype(np.int8).reshape(-1)
    packed = pack(flat, "blocks")
    assert np.array_equal(unpack(packed, "blocks", flat.size), flat)
    assert np.array_equal(c_unpack(c, packed, "blocks", flat.size, flat.size)[:-4], flat)
    evens = flat[np.abs(values[whole]).max(axis=1).repeat(BLOCK) < 64] * 2
    twice = pack(evens, "blocks", 1)
    assert np.array_equal(c_unpack(c, twice, "blocks", evens.size, evens.size, 1)[:-4], evens)
    assert np.array_equal(unpack(twice, "blocks", evens.size, 1), evens)


@pytest.mark.parametrize("packing", ["int4", "int2", "binary"])
def test_every_byte_is_unpacked_as_the_namesake_does(c: ctypes.CDLL, packing: str) -> None:
    words = np.random.default_rng(1).integers(-(2**31), 2**31, 5000).astype(np.int32)
    words[:256] = (np.arange(256, dtype=np.uint32) * 0x01010101).view(np.int32)
    count = words.size * VALUES_A_WORD[packing]
    assert np.array_equal(c_unpack(c, words, packing, count, count)[:count], unpack(words, packing, count))


def test_all_five_ternary_digits_of_a_byte_are_found(c: ctypes.CDLL) -> None:
    digits = np.array(list(product((-1, 0, 1), repeat=5)), np.int8)  # (243, 5)
    words = np.stack([digits, digits[::-1], np.roll(digits, 7, axis=0), np.roll(digits, 80, axis=0)], axis=2)
    values = words.reshape(-1)
    packed = pack(values, "ternary")
    assert packed.size * 20 == values.size
    assert np.array_equal(c_unpack(c, packed, "ternary", values.size, values.size)[:-4], values)
    assert np.array_equal(unpack(packed, "ternary", values.size), values)


@pytest.mark.parametrize(
    ("packing", "bits"), [("int4", 4), ("int2", 2), ("ternary", 1.6), ("binary", 1), ("codebook", 4), ("blocks", 4.5)]
)
def test_packed_constants_take_their_bits(packing: str, bits: float) -> None:
    count = 32000
    codebook = CODEBOOK_WORDS if packing == "codebook" else 0
    assert pack(some_values(packing, count, 15), packing).size == count * bits / 32 + codebook


@pytest.mark.parametrize(
    ("packing", "wrong", "message"),
    [
        ("int4", [-9, 0], "[-9, 0] are not values of int4"),
        ("int4", [8], "[8] are not values of int4"),
        ("int2", [-2, 2], "[-2, 2] are not values of int2"),
        ("ternary", [-2], "[-2] are not values of ternary"),
        ("binary", [-1, 0, 1], "[-1, 0, 1] are not values of binary"),
        ("blocks", list(range(17)), f"{list(range(17))} are not values of blocks"),
        ("codebook", list(range(17)), f"{list(range(17))} are not values of codebook"),
    ],
)
def test_values_without_a_code_are_refused(packing: str, wrong: list[int], message: str) -> None:
    values = np.array(wrong, np.int8)
    assert not fits(values, packing)
    with pytest.raises(ValueError, match=r"are not values of") as caught:
        pack(values, packing)
    assert str(caught.value) == message
