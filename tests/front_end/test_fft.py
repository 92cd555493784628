"""The FFTs: against their C namesakes bit for bit on every CPU, and their errors against double precision."""

from __future__ import annotations

import numpy as np
import pytest
from front_end_c import CPUS, Probe, runtime
from numpy.typing import NDArray

from mcuq.front_end.fft import (
    SIZES,
    fft_calls,
    fft_needs,
    first_call,
    group_parts,
    group_places,
    halvings,
    radices,
    real_fft_s16,
    real_fft_s32,
    twiddles_s16,
    twiddles_s32,
)

MOST = max(SIZES) // 2


def case_of(size: int, bits: int) -> str:
    """The FFT of so many samples `given`, or of half of them if `is_half`."""
    groups = size // 2 // radices(size // 2)[0]
    loops = []
    for half in (0, 1):
        for begin, end, parts in group_parts(size, size >> half):
            words = bits // 16
            pairs = [f"from[{words * groups * k + i}]" for k in range(parts) for i in range(words)]
            call = first_call(size, bits, f"x + {size // 2 // groups * words} * *place++", pairs)
            loops.append(f"if (is_half == {half})")
            first, last = (f"given + {words * i}" for i in (begin, end))
            loops.append(f"    for (from = {first}; from < {last}; from += {words}) {call}")
    return "\n        ".join(
        [f"    case {size // 2}:", f"place = places_{size};", *loops, *fft_calls(size, bits, "turns"), "break;\n"]
    )


CODE = f"""
{runtime(*fft_needs(16), *fft_needs(32))}
enum {{ POINTS = {MOST} }};
{"".join(f"static const uint16_t places_{n}[] = {{{', '.join(map(str, group_places(n)))}}};" for n in SIZES)}

static void fft_s16(uint32_t *x, const uint32_t *given, const uint32_t *turns, int32_t points, int32_t is_half)
{{
    const uint32_t *from;
    const uint16_t *place;

    switch (points) {{
{"".join(case_of(n, 16) for n in SIZES)}
    }}
}}

static void fft_s32(int32_t *x, const int32_t *given, const int32_t *turns, int32_t points, int32_t is_half)
{{
    const int32_t *from;
    const uint16_t *place;

    switch (points) {{
{"".join(case_of(n, 32) for n in SIZES)}
    }}
}}

/* Words: the bits of the FFT, its points, whether the second half of the samples is 0; then data, and twiddles. */
static void probe(const int8_t *input, int8_t *output)
{{
    const int32_t *const word = (const int32_t *)(const void *)input;
    int32_t *const x = (int32_t *)(void *)output;

    if (word[0] == 16)
        fft_s16((uint32_t *)x, (const uint32_t *)word + 3, (const uint32_t *)word + 3 + 2 * POINTS, word[1], word[2]);
    else
        fft_s32(x, word + 3, word + 3 + 2 * POINTS, word[1], word[2]);
}}
"""
BYTES = 8 * (MOST + 1), 8 * (MOST + 1)


def signals(size: int, limit: int) -> NDArray[np.int64]:
    """Both extremes, as constants, in turns and at random, an impulse, silence, tones and noise of all powers."""
    rng = np.random.default_rng(size)
    time = np.arange(size)
    rows = [np.full(size, -limit), np.full(size, limit), np.where(time % 2, -limit, limit), np.zeros(size)]
    rows += [np.where(time == size // 3, -limit, 0)]
    rows += [rng.choice([-limit, limit], size) for _ in range(6)]
    rows += [limit * np.sin(2 * np.pi * f * time / size + 1) for f in (1, 7.5, size // 4, size // 2 - 0.3)]
    rows += [rng.normal(0, limit / 4**k, size).clip(-limit, limit) for k in range(1, 8)]
    return np.stack(rows).astype(np.int64)


def most_s32(size: int) -> int:
    return 2 ** (30 + halvings(size)) // size


@pytest.mark.parametrize("size", SIZES)
def test_error_of_the_fft_of_32_bits_is_that_of_rounding(size: int) -> None:
    x = signals(size, most_s32(size))
    found = real_fft_s32(x)
    exact = np.fft.rfft(x) / 2.0 ** halvings(size)
    error = np.abs(found[..., 0] + 1j * found[..., 1] - exact)
    assert error.max() < 24 + size / 16  # stages round towards minus infinity, which adds up at 0 Hz
    assert np.abs(found).max() <= 2**30


@pytest.mark.parametrize("size", SIZES)
def test_fft_of_16_bits_is_one_where_its_stages_do_not_overflow(size: int) -> None:
    x = signals(size, 20000)
    found = real_fft_s16(x)
    error = np.abs(found[..., 0] + 1j * found[..., 1] - np.fft.rfft(x) / size)
    # it divides by a fourth of 32767, 2^-13 less than it should, in each of up to 6 stages, and rounds to whole numbers
    assert error.max() < 20000 * 6 / 2**13 + 8


def sample(size: int, x: NDArray[np.int64], bits: int) -> bytes:
    """The input of the probe; that half of the samples are 0 is told where they are."""
    element = np.int16 if bits == 16 else np.int32
    turns = twiddles_s16(size) if bits == 16 else twiddles_s32(size)
    head = np.array([bits, size // 2, not x[size // 2 :].any()], np.int32).tobytes()
    data = x.astype(element).tobytes().ljust(8 * MOST, b"\0")
    return (head + data + turns.tobytes()).ljust(BYTES[0] + 12 + 12 * MOST, b"\0")


@pytest.mark.parametrize("cpu", CPUS)
def test_c_gives_the_same_bits(cpu: str) -> None:
    given, wanted = [], []
    for size in SIZES if cpu == "host" else (64, 128, 512):
        rows = slice(None, None, 1 if cpu == "host" else 3)
        narrow = (signals(size, 32767) - (np.arange(size) % 7 == 0)).clip(-32768, 32767)[rows]
        narrow[1::3, size // 2 :] = 0
        given += [sample(size, x, 16) for x in narrow]
        wanted += [x.astype(np.int16).tobytes() for x in real_fft_s16(narrow)]
        wide = signals(size, most_s32(size))[rows]
        wide[::3, size // 2 :] = 0
        given += [sample(size, x, 32) for x in wide]
        wanted += [x.astype(np.int32).tobytes() for x in real_fft_s32(wide)]
    answers = Probe(cpu, CODE, (len(given[0]), BYTES[1])).run(given)
    assert len(answers) > 20
    for got, want in zip(answers, wanted, strict=True):
        assert got[: len(want)] == want


@pytest.mark.toolchain
@pytest.mark.parametrize("bits", [16, 32])
def test_512_points_take_16000_instructions_at_most_on_a_cortex_m4(bits: int) -> None:
    given = sample(512, signals(512, 20000)[7], bits)
    counts = []
    for code in (CODE, CODE.replace("word[1], word[2]);", "0 & word[1], word[2]);")):
        probe = Probe("cortex-m4", code, (len(given), BYTES[1]))
        probe.run([given])
        assert probe.instructions is not None
        counts.append(probe.instructions)
    assert 8000 < counts[0] - counts[1] <= 16000
