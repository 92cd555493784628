"""Products of int8 weights with four pixels at a time."""

from __future__ import annotations

from mcuq.kernels.asm import Function, code, each, fill
from mcuq.kernels.dsp.assembly.product import CHANNEL, REQUANTIZED, Product, function_of
from mcuq.kernels.dsp.assembly.width import S8, Width


def product_4(width: Width) -> Function:
    """Two channels by four pixels: r4-r7 are the sums of the first channel, r8-r11 those of the second."""
    # int8 layers may lie within wider pixels; those of int16 do not, and save the argument.
    step = "y_step" if width is S8 else "out_channels"
    columns, apart = ("expanded by", "y_step apart, ") if width is S8 else ("gathered of", "")
    product = Product(
        pixels=4,
        comment=fill(_COMMENT, channel=CHANNEL, columns=columns, apart=apart),
        parameters="const int32_t *weight, const int32_t *channel, const uint32_t *columns, int32_t fours,"
        f"int32_t out_channels, int32_t pixels, {'int32_t y_step, ' if width is S8 else ''}{width.c_type} *y",
        step=step_of_pair(),
        body=_body(width),
        frame={
            "x": "columns",
            "each": "8",
            "constant": each(
                f"frame[{7 + k}] = (uint32_t)(pixels > {k} ? {width.bytes_of(step, k)} : 0);" for k in (1, 2, 3)
            ),
            "group": fill(_GROUP, one=width.element_bytes),
        },
        twin=fill(_TWIN, step=step, saturated=width.saturated(REQUANTIZED)),
    )
    return function_of(product, width)


def step_of_pair() -> str:
    """A pair of inputs: the pairs of two channels' weights in r2 and r3, of two pixels at a time in r12 and lr."""

    def products(pixel: int) -> str:
        return each(
            f"smlad r{first + pixel + k}, {w}, {x}, r{first + pixel + k}"
            for k, x in enumerate(("r12", "lr"))
            for first, w in ((4, "r2"), (8, "r3"))
        )

    return code(
        """
        ldr r3, [r0], #4
        ldrd r12, lr, [r1], #8
        sxtb16 r2, r3
        sxtb16 r3, r3, ror #8
        $first_pixels
        ldrd r12, lr, [r1], #8
        $last_pixels
        """,
        first_pixels=products(0),
        last_pixels=products(2),
    )


def _body(width: Width) -> str:
    places = {
        f"r{k + first}": f"[{y}{place}]"
        for first, y in ((8, "r1"), (4, "lr"))
        for k, place in ((3, ", r12"), (2, ", r3"), (1, ", r2"), (0, ""))
    }
    places["r4"] = f"[lr], #{2 * width.element_bytes}"
    return code(
        """
        ldr r3, [sp, #12]
        ldrd r4, r8, [r3]
        ldr r1, [sp]
        $biases
        $all_pairs
        ldr r1, [sp, #12]
        ldrd r2, r3, [r1, #8]
        adds r1, #16
        str r1, [sp, #12]
        ldrd r12, lr, [sp, #20]
        $requantized
        ldr lr, [sp, #28]
        ldrd r2, r3, [sp, #32]
        ldrd r12, r1, [sp, #40]
        add r1, lr
        $stored
        str lr, [sp, #28]
        ldrd r1, r2, [sp, #12]
        cmp r1, r2
        """,
        all_pairs=ALL_PAIRS,
        biases=each(f"mov r{first + k}, r{first}" for first in (4, 8) for k in (1, 2, 3)),
        requantized=width.requantized(
            {f"r{k}": "r2" if k < 8 else "r3" for k in range(4, 12)}, offset="r12", shift="lr"
        ),
        stored=width.stored(places),
    )


# Steps of all pairs, r1 walking through columns: at [sp, #4] is where the last whole four fours of these end, at
# [sp, #8] where they do.
ALL_PAIRS = code("""
    b 3f
    2:
    MCUQ_STEP MCUQ_STEP MCUQ_STEP MCUQ_STEP MCUQ_STEP MCUQ_STEP MCUQ_STEP MCUQ_STEP
    3:
    ldr r2, [sp, #4]
    cmp r1, r2
    bne 2b
    b 5f
    4:
    MCUQ_STEP MCUQ_STEP
    5:
    ldr r2, [sp, #8]
    cmp r1, r2
    bne 4b
    """)
_COMMENT = """
Output channels of up to four pixels: products of int8 weights with columns of pairs, as $columns four pixels.
 *
$channel
 * y: pixel after pixel, ${apart}out_channels each. Written two channels after the other, four pixels each; where
 * a pixel or the second channel is missing, its value goes to a place that is overwritten right after.
 * 13 instructions for the 16 products of one pair, 2 channels, 4 pixels. Accumulators as the caller's bound.
"""
_GROUP = """
/* all whole pairs, then a last channel alone */
const int32_t now = out_channels - done > 1 ? (out_channels - done) & ~1 : 1;
frame[4] = frame[3] + 8u * (uint32_t)(now + (now & 1));
frame[11] = now > 1 ? $one : 0;
"""
_TWIN = """
    const int32_t offset = channel[0];
    const int32_t shift = channel[1];
    for (int32_t oc = 0; oc < out_channels; oc++) {
        const int32_t *w = weight + (oc >> 1) * 2 * fours;
        const int32_t *c = channel + 2 + (oc >> 1) * 4 + (oc & 1);
        for (int32_t p = 0; p < pixels; p++) {
            int32_t acc = c[0];
            for (int32_t i = 0; i < 2 * fours; i++) {
                const uint32_t pair = columns[4 * i + p];
                const uint32_t factors = (uint32_t)w[i] >> 8 * (oc & 1);
                acc += (int16_t)pair * (int8_t)factors;
                acc += (int16_t)(pair >> 16) * (int8_t)(factors >> 16);
            }
            y[p * $step + oc] = $saturated;
        }
    }
"""
