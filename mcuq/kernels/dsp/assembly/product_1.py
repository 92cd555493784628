"""Products of int8 weights with one pixel, or of a fully connected layer."""

from __future__ import annotations

from mcuq.kernels.asm import Function, code, each, fill
from mcuq.kernels.dsp.assembly.product import CHANNEL, REQUANTIZED, Product, function_of
from mcuq.kernels.dsp.assembly.width import S8, Width


def product_1(width: Width) -> Function:
    """Four channels, of two words of weights each, by one pixel: r4-r7 are the sums."""
    step = _step(width)
    if width is S8:
        where, word_of_k, half_of_k = (
            "the even pair is in the first word of weights, the odd one in the second",
            *_PARTS,
        )
    else:
        where, word_of_k, half_of_k = "the first pair is in the first word of weights", *reversed(_PARTS)
    product = Product(
        pixels=1,
        comment=fill(_COMMENT, channel=CHANNEL, type=width.c_type.removesuffix("_t"), steps=len(step.splitlines())),
        parameters=f"const int32_t *weight, const int32_t *channel, const {width.c_type} *x, int32_t fours,"
        f"int32_t out_channels, {width.c_type} *y",
        step=step,
        body=_body(width),
        frame={
            "x": "x",
            "each": "4",
            "constant": "",
            "group": fill(_GROUP, one=width.element_bytes, two=2 * width.element_bytes, three=3 * width.element_bytes),
        },
        twin=fill(_TWIN, where=where, word=word_of_k, half=half_of_k, saturated=width.saturated(REQUANTIZED)),
    )
    return function_of(product, width)


def _step(width: Width) -> str:
    """Four inputs: their pairs in r8 and r9, the weights of two channels at a time in r10, r12 (the first word of
    them) and r11, lr."""
    pairs = {1: "ldr r8, [r2], #4\nsxtb16 r9, r8, ror #8\nsxtb16 r8, r8", 2: "ldr r8, [r2], #4\nldr r9, [r2], #4"}
    return each([pairs[width.element_bytes], *(_two_channels(w, acc) for w, acc in (("r0", 4), ("r1", 6)))])


def _two_channels(w: str, acc: int) -> str:
    return code(
        """
        ldrd r10, r11, [$w], #8
        sxtb16 r12, r10, ror #8
        sxtb16 r10, r10
        sxtb16 lr, r11, ror #8
        sxtb16 r11, r11
        smlad $first, r10, r8, $first
        smlad $second, r12, r8, $second
        smlad $first, r11, r9, $first
        smlad $second, lr, r9, $second
        """,
        w=w,
        first=f"r{acc}",
        second=f"r{acc + 1}",
    )


def _body(width: Width) -> str:
    return code(
        """
        ldr r12, [sp, #12]
        ldrd r4, r5, [r12]
        ldrd r6, r7, [r12, #16]
        ldr r1, [sp, #44]
        add r1, r0
        ldrd r2, r3, [sp]
        b 3f
        2:
        MCUQ_STEP MCUQ_STEP MCUQ_STEP MCUQ_STEP
        3:
        cmp r2, r3
        bne 2b
        ldr r3, [sp, #8]
        b 5f
        4:
        MCUQ_STEP
        5:
        cmp r2, r3
        bne 4b
        mov r0, r1
        ldr r12, [sp, #12]
        ldrd r8, r9, [r12, #8]
        ldrd r10, r11, [r12, #24]
        add r12, #32
        str r12, [sp, #12]
        ldrd r2, r3, [sp, #20]
        $requantized
        ldrd lr, r8, [sp, #28]
        ldrd r9, r10, [sp, #36]
        $stored
        str lr, [sp, #28]
        ldr r3, [sp, #16]
        cmp r12, r3
        """,
        requantized=width.requantized({f"r{k}": f"r{k + 4}" for k in range(4, 8)}, offset="r2", shift="r3"),
        stored=width.stored(
            {"r7": "[lr, r10]", "r6": "[lr, r9]", "r5": "[lr, r8]", "r4": f"[lr], #{4 * width.element_bytes}"}
        ),
    )


_PARTS = ("k & 1", "k >> 1")
_COMMENT = """
Output channels of one pixel (or outputs of a fully connected layer) from its 4 * fours $type.
 *
$channel
 * y is written four channels after the other, in descending order; those that are missing are written to the first
 * one's place before it. $steps instructions for 16 products. Accumulators as the caller's bound.
"""
_GROUP = """
/* all whole fours, then what is left; a second pair that is not there is computed as the first */
const int32_t left = out_channels - done;
const int32_t now = left > 3 ? left & ~3 : left;
frame[4] = frame[3] + 8u * (uint32_t)((now + 3) & ~3);
frame[8] = now > 1 ? $one : 0;
frame[9] = now > 2 ? $two : 0;
frame[10] = now > 3 ? $three : 0;
frame[11] = now > 2 ? 8u * (uint32_t)fours : 0;
"""
_TWIN = """
    const int32_t offset = channel[0];
    const int32_t shift = channel[1];
    for (int32_t oc = 0; oc < out_channels; oc++) {
        const int32_t *w = weight + (oc >> 1) * 2 * fours;
        const int32_t *c = channel + 2 + (oc >> 1) * 4 + (oc & 1);
        int32_t acc = c[0];
        for (int32_t i = 0; i < fours; i++)
            for (int32_t k = 0; k < 4; k++) {
                /* $where */
                const uint32_t factors = (uint32_t)w[2 * i + ($word)] >> 8 * (oc & 1);
                acc += x[4 * i + k] * (int8_t)(factors >> 16 * ($half));
            }
        y[oc] = $saturated;
    }
"""
