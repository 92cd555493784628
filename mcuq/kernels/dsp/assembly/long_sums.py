"""Products of int16 whose sums have 64 bits, of two vectors with two others each."""

from __future__ import annotations

from mcuq.kernels.asm import Assembly, Function, Macro, code, fill, tied


def long_sums() -> Function:
    """Two rows by two columns at a time: r2 to r7, r12 and lr are the sums."""
    macro = Macro("MCUQ_STEP", code(_STEP))
    assembly = Assembly(code(_BODY), tied("+r", "r0 r1 r2 r3 r12"), tied("r", "r4"), macros=(macro,))
    return Function(
        name="mcuq_dsp_long_sums",
        comment=_COMMENT,
        parameters="const uint32_t *columns, const uint32_t *rows, int32_t words, int32_t pairs, uint32_t *sums",
        cpu="dsp",
        assembly=fill(_REGISTERS, step=macro, assembly=assembly),
        twin=fill(_TWIN),
        stack_bytes=assembly.pushed_bytes(),
    )


_COMMENT = """\
Sums of two rows by each of `pairs` times two columns, each of `words` pairs of int16, an even number of them.
 *
 * rows, and columns of each pair: a word of the first, one of the second, and so on.
 * sums: for each two columns a, b those of a and b with the first row, then with the second, the lower word of each
 * first. 6 instructions for 8 products."""
_REGISTERS = """
$step
    register const uint32_t *r0 __asm__("r0") = columns;
    register const uint32_t *r1 __asm__("r1") = rows;
    register const uint32_t *r2 __asm__("r2") = rows + 2 * (words & ~3);
    register const uint32_t *r3 __asm__("r3") = rows + 2 * words;
    register uint32_t *r12 __asm__("r12") = sums;
    register const uint32_t *r4 __asm__("r4") = sums + 8 * pairs;
    $assembly
#undef MCUQ_STEP
"""
_STEP = """
    ldrd r8, r9, [r0], #8
    ldrd r10, r11, [r1], #8
    smlald r2, r3, r8, r10
    smlald r4, r5, r9, r10
    smlald r6, r7, r8, r11
    smlald r12, lr, r9, r11
"""
# On the stack: where rows begin, where the last whole four words of them do and where they end, where sums end, and
# those of the next two columns.
_BODY = """
    push {r4-r11, lr}
    push {r1-r4, r12}
    1:
    ldr r1, [sp]
    mov r2, #0
    mov r3, #0
    mov r4, #0
    mov r5, #0
    mov r6, #0
    mov r7, #0
    mov r12, #0
    mov lr, #0
    b 3f
    2:
    MCUQ_STEP MCUQ_STEP MCUQ_STEP MCUQ_STEP
    3:
    ldr r8, [sp, #4]
    cmp r1, r8
    bne 2b
    b 5f
    4:
    MCUQ_STEP MCUQ_STEP
    5:
    ldr r8, [sp, #8]
    cmp r1, r8
    bne 4b
    ldr r8, [sp, #16]
    strd r2, r3, [r8], #8
    strd r4, r5, [r8], #8
    strd r6, r7, [r8], #8
    strd r12, lr, [r8], #8
    str r8, [sp, #16]
    ldr r9, [sp, #12]
    cmp r8, r9
    bne 1b
    add sp, #20
    pop {r4-r11, lr}
"""
_TWIN = """
    for (int32_t k = 0; k < 4 * pairs; k++) {
        const uint32_t *column = columns + k / 4 * 2 * words + k % 2, *row = rows + k % 4 / 2;
        int64_t acc = 0;
        for (int32_t i = 0; i < words; i++, column += 2, row += 2)
            acc += (int64_t)((int16_t)*column * (int16_t)*row)
                   + (int16_t)(*column >> 16) * (int16_t)(*row >> 16);
        sums[2 * k] = (uint32_t)(uint64_t)acc;
        sums[2 * k + 1] = (uint32_t)((uint64_t)acc >> 32);
    }
"""
