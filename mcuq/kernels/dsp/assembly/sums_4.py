"""Products of int8 weights with some inputs of four pixels, added to sums that memory holds."""

from __future__ import annotations

from mcuq.kernels.asm import Assembly, Function, Macro, code, fill, tied
from mcuq.kernels.dsp.assembly.product_4 import ALL_PAIRS, step_of_pair


def sums_4() -> Function:
    """Two channels by four pixels, as product_4: columns are pairs, of int8 or of int16."""
    macro = Macro("MCUQ_STEP", step_of_pair())
    assembly = Assembly(
        code(_BODY, all_pairs=ALL_PAIRS), tied("+r", "r0 r1 r2 r3 r12"), tied("r", "r4"), macros=(macro,)
    )
    return Function(
        name="mcuq_dsp_sums_4",
        comment=_COMMENT,
        parameters="const int32_t *weight, const uint32_t *columns, int32_t fours, int32_t pairs, int32_t *sums",
        cpu="dsp",
        assembly=fill(_REGISTERS, step=macro, assembly=assembly),
        twin=fill(_TWIN),
        stack_bytes=assembly.pushed_bytes(),
    )


_COMMENT = """\
Adds to sums of four pixels the products of int8 weights with 4 * fours of their inputs, as columns of pairs.
 *
 * weight: for each two output channels a, b and each pair of inputs (u, v) a word of the bytes a[u] b[u] a[v] b[v].
 * sums: for each two channels those of a, then of b, of the four pixels. 13 instructions for the 16
 * products of one pair, 2 channels, 4 pixels."""
_REGISTERS = """
$step
    register const int32_t *r0 __asm__("r0") = weight;
    register const uint32_t *r1 __asm__("r1") = columns;
    register const uint32_t *r2 __asm__("r2") = columns + 8 * (fours & ~3);
    register const uint32_t *r3 __asm__("r3") = columns + 8 * fours;
    register int32_t *r12 __asm__("r12") = sums;
    register const int32_t *r4 __asm__("r4") = sums + 8 * pairs;
    $assembly
#undef MCUQ_STEP
"""
# On the stack: where columns begin, where the last whole four fours of them do and where they end, where sums end, and
# those of the next two channels.
_BODY = """
    push {r4-r11, lr}
    push {r1-r4, r12}
    1:
    ldr r3, [sp, #16]
    ldm r3, {r4-r11}
    ldr r1, [sp]
    $all_pairs
    ldrd r3, r12, [sp, #12]
    stm r12!, {r4-r11}
    str r12, [sp, #16]
    cmp r12, r3
    bne 1b
    add sp, #20
    pop {r4-r11, lr}
"""
_TWIN = """
    for (int32_t k = 0; k < pairs; k++)
        for (int32_t i = 0; i < 2 * fours; i++) {
            const uint32_t factors = (uint32_t)*weight++;
            for (int32_t p = 0; p < 8; p++) {
                const uint32_t pair = columns[4 * i + (p & 3)];
                const uint32_t own = factors >> 8 * (p >> 2);
                sums[8 * k + p] += (int16_t)pair * (int8_t)own + (int16_t)(pair >> 16) * (int8_t)(own >> 16);
            }
        }
"""
