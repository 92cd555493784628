"""What products of int8 weights by SMLAD have in common, of two output channels by four pixels or of four by one.

r0 walks through weights, r4 and on are sums. The frame lies on the stack: [sp] is frame[0].
"""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.kernels.asm import Assembly, Function, Macro, code, fill, tied
from mcuq.kernels.dsp.assembly.width import Width, word

REQUANTIZED = "(mcuq_multiply_high(acc, c[2]) + offset) >> shift"


@dataclass(frozen=True)
class Product:
    """`step` are the instructions of two inputs or four, `body` those of a group of channels, `frame` what the frame is
    made of: `x` to be walked through, `each` of its elements for four inputs, what stays `constant` and what is of one
    `group`."""

    pixels: int
    comment: str
    parameters: str
    step: str
    body: str
    frame: dict[str, str]
    twin: str


def function_of(product: Product, width: Width) -> Function:
    """The function mcuq_dsp_product..."""
    macro = Macro("MCUQ_STEP", product.step)
    assembly = Assembly(code(_BODY, body=product.body), tied("+r", "r0"), macros=(macro,))
    advance = word(width.bytes_of("now"))
    return Function(
        name=f"mcuq_dsp_product{width.suffix}_{product.pixels}",
        comment=product.comment,
        parameters=product.parameters,
        cpu="dsp",
        assembly=fill(_FRAME, step=macro, assembly=assembly, advance=advance, **product.frame),
        twin=product.twin,
        twin_needs=("mcuq_multiply_high", width.limit),
        stack_bytes=4 * 13 + assembly.pushed_bytes(),
    )


CHANNEL = """\
 * weight: for each two output channels a, b and each pair of inputs (u, v) a word of the bytes a[u] b[u] a[v] b[v].
 * channel: the requantization's offset and shift, then for each two channels bias a, bias b, multiplier a, b."""
_BODY = """
    push {r4-r11, lr}
    ldr lr, [r0, #48]
    ldm r0, {r1-r12}
    push {r1-r12}
    mov r0, lr
    1:
    $body
    bne 1b
    add sp, #48
    pop {r4-r11, lr}
"""
_FRAME = """
$step
    uint32_t frame[13];
    int32_t done = 0;
    frame[0] = (uint32_t)$x;
    frame[1] = (uint32_t)($x + $each * (fours & ~3));
    frame[2] = (uint32_t)($x + $each * fours);
    frame[3] = (uint32_t)(channel + 2);
    frame[5] = (uint32_t)channel[0];
    frame[6] = (uint32_t)channel[1];
    frame[7] = (uint32_t)y;
    $constant
    frame[12] = (uint32_t)weight;
    do {
        $group
        register const uint32_t *r0 __asm__("r0") = frame;
        $assembly
        frame[3] = frame[4];
        frame[7] += $advance;
        frame[12] += 4u * (uint32_t)(fours * now);
        done += now;
    } while (done < out_channels);
#undef MCUQ_STEP
"""
