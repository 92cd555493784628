"""Products of a matrix of weights with pixels of more than 32 taps: three pixels by four channels, 16 taps at a time.

A block has 16 taps of channel 0, 16 of channel 2 and so on to the end of their rows, then the same of channels 1 and 3,
then biases and multipliers as those of mcuq_mve_pixels_16. q3 and q4 are weights, q5 to q7 pixels, q0 to q2 their sums.
"""

from __future__ import annotations

from mcuq.kernels.asm import Assembly, Function, code, each, fill, named

_WEIGHTS, _PIXELS = ("q3", "q4"), ("q5", "q6", "q7")


def pixels_any() -> Function:
    """Two channels, all their taps, twice; then requantization of the four."""
    assembly = Assembly(
        code(_BODY, first=_two_channels(0, 3), second=_two_channels(1, 5), **_requantization()),
        outputs=(
            *named("+&Te", "a0"),
            *named("=&Te", "a1 a2 b0 b1 b2"),
            *named("=&l", "x0 x1 x2"),
            *named("=&r", "block"),
        ),
        inputs=named("r", "walk"),
    )
    return Function(
        name="mcuq_mve_pixels_any",
        comment=_COMMENT.strip(),
        parameters="const int8_t *x, int32_t x_step, int32_t pixels, int32_t taps, const int32_t *blocks,"
        "int32_t channels, int32_t shift, int32_t zero_point, int8_t *y",
        cpu="mve",
        assembly=fill(_AROUND, assembly=assembly),
        twin=_TWIN.strip("\n"),
        twin_needs=("mcuq_requantize",),
        stack_bytes=4 * 16,
    )


def _two_channels(lane: int, label: int) -> str:
    """All taps of two channels, to `lane` and that two further: the first vector starts the sums, pairs of vectors add
    to them, of which the first may enter at its middle, `label` + 1, then the last, which may end early."""
    return code(
        """
        ldrd lr, %[a0], [%[walk], #24]
        ldrd %[x0], %[x1], [%[walk]]
        ldr %[x2], [%[walk], #8]
        cmp %[a0], #0
        $start
        dls lr, lr
        bne ${middle}f
        ${label}:
        $vector
        ${middle}:
        $vector
        le lr, ${label}b
        $weights
        vpsttt
        $rest
        $products
        $sums
        """,
        label=label,
        middle=label + 1,
        weights=_LOAD_WEIGHTS,
        start=_vector(accumulate=False),
        vector=_vector(accumulate=True),
        rest=each(f"vldrbt.8 {pixel}, [%[x{k}]]" for k, pixel in enumerate(_PIXELS)),
        products=each(_products(k, "vmladava.s8") for k in range(3)),
        sums=each(f"vmov q{k}[{lane + 2}], q{k}[{lane}], %[a{k}], %[b{k}]" for k in range(3)),
    )


_LOAD_WEIGHTS = each(f"vldrw.u32 {vector}, [%[block]], #16" for vector in _WEIGHTS)


def _vector(*, accumulate: bool) -> str:
    """16 taps, each pixel loaded just before its products."""
    name = "vmladava.s8" if accumulate else "vmladav.s8"
    loads = (f"vldrb.8 {x}, [%[x{k}]], #16\n{_products(k, name)}" for k, x in enumerate(_PIXELS))
    return each([_LOAD_WEIGHTS, *loads])


def _products(pixel: int, name: str) -> str:
    """A pixel's with both channels' weights."""
    return each(f"{name} %[{acc}{pixel}], {w}, {_PIXELS[pixel]}" for acc, w in zip("ab", _WEIGHTS, strict=True))


def _requantization() -> dict[str, str]:
    """The same of all three pixels, with biases in q6 and multipliers in q7."""
    sums = ("q0", "q1", "q2")
    return {
        "add_bias": each(f"vadd.i32 {q}, {q}, q6" for q in sums),
        "multiply": each(f"vqdmlash.s32 {q}, q7, %[a0]" for q in sums),
        "shift": each(f"vshl.s32 {q}, %[a1]" for q in sums),
        "narrow": each(f"vqmovnb.s{bits} {q}, {q}" for bits in (32, 16) for q in sums),
    }


_COMMENT = """
All of `channels` (at least 4) outputs of each of `pixels` pixels of more than 32 taps, x_step bytes apart. Clamps to
 * int8. Three pixels by four channels: for each 16 taps five loads and six VMLADAV, twice. A block has 16 taps of
 * channel 0, 16 of channel 2 and so on to the end of their rows, then the same of channels 1 and 3.
 *
 * VQDMLASH adds zero point and half to the upper word of the doubled product, so that all is shifted by one more;
 * where it saturates, and where narrowing to 16 bits does, what is left clamps to the same int8.
 *
 * The assembly finds in `walk` what has no register: three pixels; the blocks; how many there are, and are left; how
 * many times to take two vectors of taps between the first and the last, and whether to begin with the second of them;
 * offset and shift; y, from pixel to pixel, and back where the last block has channels of the one before; from three
 * pixels to the next, and how often.
"""
_BODY = """
    vctp.8 %[a0]
    1:
    ldrd %[block], %[a0], [%[walk], #12]
    str %[a0], [%[walk], #20]
    2:
    $first
    $second
    vldrw.u32 q6, [%[block]], #16
    vldrw.u32 q7, [%[block]], #16
    ldrd %[a0], %[a1], [%[walk], #32]
    ldrd %[x0], %[a2], [%[walk], #40]
    ldrd %[b0], %[b1], [%[walk], #48]
    ldr %[b2], [%[walk], #20]
    $add_bias
    $multiply
    add %[x1], %[x0], %[a2]
    add %[x2], %[x1], %[b0]
    $shift
    $narrow
    vstrb.32 q0, [%[x0]], #4
    vstrb.32 q1, [%[x1]]
    vstrb.32 q2, [%[x2]]
    subs %[b2], %[b2], #1
    str %[b2], [%[walk], #20]
    cmp %[b2], #1
    it eq
    subeq %[x0], %[x0], %[b1]
    str %[x0], [%[walk], #40]
    bhs 2b
    ldrd %[b0], %[b1], [%[walk], #56]
    ldrd %[x1], %[x2], [%[walk]]
    add %[x0], %[x0], %[a2], lsl #1
    str %[x0], [%[walk], #40]
    ldr %[a0], [%[walk], #8]
    add %[x1], %[x1], %[b0]
    add %[x2], %[x2], %[b0]
    add %[a0], %[a0], %[b0]
    strd %[x1], %[x2], [%[walk]]
    str %[a0], [%[walk], #8]
    subs %[b1], %[b1], #1
    str %[b1], [%[walk], #60]
    bne 1b
"""
_AROUND = """
    const int32_t vectors = (taps + 15) / 16;
    const int32_t back = channels % 4 ? 4 - channels % 4 : 0;
    const int32_t offset = zero_point * (2 << shift) + (1 << shift);
    int32_t left = pixels;

    while (left > 0) {
        /* Fewer than three pixels: the last stands for those that are not there, and is written again. */
        const int32_t second = left > 1 ? 1 : 0;
        const int32_t third = left > 2 ? 1 : 0;
        int32_t walk[16] = {
            (int32_t)x, (int32_t)(x + second * x_step), (int32_t)(x + (second + third) * x_step), (int32_t)blocks,
            (channels + 3) / 4, 0, (vectors - 1) / 2, vectors % 2, offset, -1 - shift, (int32_t)y, second * channels,
            third * channels, back, 3 * x_step, left > 2 ? left / 3 : 1
        };
        const int8_t *x0, *x1, *x2;
        const int32_t *block;
        int32_t a0 = (taps - 1) % 16 + 1, a1, a2, b0, b1, b2;

        $assembly
        if (left <= 3)
            break;
        x += left / 3 * 3 * x_step;
        y += left / 3 * 3 * channels;
        left %= 3;
    }
"""
_TWIN = """
    const int32_t vectors = (taps + 15) / 16;

    for (int32_t pixel = 0; pixel < pixels; pixel++)
        for (int32_t oc = 0; oc < channels; oc++) {
            const int32_t lane = oc < channels / 4 * 4 ? oc % 4 : oc - channels + 4;
            const int32_t *block = blocks + oc / 4 * (16 * vectors + 8);
            const int32_t *row = block + lane % 2 * 8 * vectors + lane / 2 * 4;
            int32_t acc = block[16 * vectors + lane];
            for (int32_t i = 0; i < taps; i++)
                acc += x[pixel * x_step + i] * (int8_t)((uint32_t)row[i / 16 * 8 + i % 16 / 4] >> (i % 4 * 8));
            y[pixel * channels + oc] =
                mcuq_requantize(acc, block[16 * vectors + 4 + lane], 0, shift, zero_point, -128, 127);
        }
"""
