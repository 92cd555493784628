"""Depthwise loops by SMLA(B|T)(B|T): two outputs by four channels at a time, 3x3 or of any size.

r4-r7 are the sums of four channels of the first output, r8-r11 those of the second; r0 walks through the image, r1
through the taps. The frame lies on the stack: [sp, #40] is frame[0], [sp] is frame[12].
"""

from __future__ import annotations

from mcuq.kernels.asm import Assembly, Function, Macro, code, each, fill, tied
from mcuq.kernels.dsp.assembly.width import Width, word

_NEXT_ROW = """
ldr r12, [sp, #48]
add r0, r12
"""
_THREE = "MCUQ_TAP MCUQ_TAP MCUQ_TAP"
_ROWS_3X3 = code("$row\n$next_row\n$row\n$next_row\n$row", row=_THREE, next_row=_NEXT_ROW.strip())
_ROWS_ANY = code(
    """
    2:
    ldr r12, [sp, #84]
    add r12, r1
    str r12, [sp, #32]
    3:
    MCUQ_TAP
    ldr r12, [sp, #32]
    cmp r1, r12
    bne 3b
    $next_row
    ldr r12, [sp, #44]
    cmp r1, r12
    bne 2b
    """,
    next_row=_NEXT_ROW.strip(),
)
_SECOND_ANY = """
ldr r2, [sp, #8]
add r2, r0, r2, lsr #1
ldrd r2, r3, [r2, #-8]
"""
# Suffix, what it is for, how the taps are walked through, and how the second output's pixel is loaded.
_KINDS = (
    (
        "3x3_1",
        "Depthwise 3x3, neighbouring outputs one pixel apart: 11 instructions for 8 products.",
        _ROWS_3X3,
        "ldrd r2, r3, [r0]",
    ),
    (
        "3x3_2",
        "Depthwise 3x3, neighbouring outputs two pixels apart: 11 instructions for 8 products.",
        _ROWS_3X3,
        "ldrd r2, r3, [r0, #8]",
    ),
    (
        "n",
        "Depthwise of any size, outputs any number of pixels apart: 16 instructions for 8 products.",
        _ROWS_ANY,
        _SECOND_ANY.strip(),
    ),
)


def loops(width: Width) -> list[Function]:
    """A function for each kind of window; all find in `frame` what mcuq_dsp_depthwise puts there."""
    return [_loop(width, *kind) for kind in _KINDS]


def _loop(width: Width, kind: str, comment: str, rows: str, load_second: str) -> Function:
    tap = Macro("MCUQ_TAP", _tap(load_second))
    assembly = Assembly(_body(width, rows), outputs=tied("+r", "r0"), macros=(tap,))
    return Function(
        name=f"mcuq_dsp_depthwise{width.suffix}_{kind}",
        comment=comment,
        parameters="const uint32_t *frame",
        cpu="dsp",
        assembly=fill(_LOOP, tap=tap, assembly=assembly),
        twin="    (void)frame;",
        stack_bytes=assembly.pushed_bytes(),
        is_inline=True,
    )


def _tap(load_second: str) -> str:
    """One tap of four channels, in r12 and lr, with a pixel of each output in r2 and r3."""

    def products(first: int) -> str:
        pairs = (("bb", "r2", "r12"), ("bb", "r3", "lr"), ("tt", "r2", "r12"), ("tt", "r3", "lr"))
        return each(f"smla{half} r{first + k}, {x}, {w}, r{first + k}" for k, (half, x, w) in enumerate(pairs))

    return code(
        """
        ldrd r12, lr, [r1], #8
        ldrd r2, r3, [r0], #8
        $first
        $load_second
        $second
        """,
        first=products(4),
        load_second=load_second,
        second=products(8),
    )


def _body(width: Width, rows: str) -> str:
    sums = {f"r{k + second}": f"r{k - 4}" for k in range(4, 8) for second in (0, 4)}
    channel = ("", ", r1", ", r2", ", r3")
    places = {f"r{k}": f"[{'r0' if k > 7 else 'r12'}{channel[k % 4]}]" for k in range(11, 3, -1)}
    return code(
        """
        push {r4-r11, lr}
        ldmia r0!, {r1-r12}
        push {r1-r12}
        ldm r0, {r1-r10}
        push {r1-r10}
        1:
        ldr r12, [sp, #52]
        ldm r12, {r4-r7}
        ldr r0, [sp, #0]
        ldr r1, [sp, #40]
        $second_sums
        $rows
        ldr r12, [sp, #52]
        ldrd r0, r1, [r12, #16]
        ldrd r2, r3, [r12, #24]
        ldrd r12, lr, [sp, #64]
        $requantized
        ldr r12, [sp, #24]
        ldr lr, [sp, #56]
        ldr r1, [sp, #28]
        add r0, r12, lr
        cmp r0, r1
        it hi
        movhi r0, r12
        ldrd r1, r2, [sp, #72]
        ldr r3, [sp, #80]
        $stored
        add r0, lr
        str r0, [sp, #24]
        ldrd r0, r1, [sp, #0]
        ldr r2, [sp, #8]
        add r0, r2
        str r0, [sp, #0]
        cmp r0, r1
        bne 1b
        ldr r3, [sp, #20]
        subs r3, #1
        beq 9f
        str r3, [sp, #20]
        ldrd r1, r2, [sp, #12]
        add r0, r1
        add r1, r0, r2
        strd r0, r1, [sp, #0]
        ldr r1, [sp, #28]
        ldr r2, [sp, #60]
        add r1, r2
        str r1, [sp, #28]
        ldr r2, [sp, #36]
        sub r1, r2
        str r1, [sp, #24]
        b 1b
        9:
        add sp, #88
        pop {r4-r11, lr}
        """,
        second_sums=each(f"mov r{k + 4}, r{k}" for k in range(4, 8)),
        rows=rows,
        requantized=width.requantized(sums, offset="r12", shift="lr"),
        stored=width.stored(places),
    )


def depthwise(width: Width) -> Function:
    """What lays out the frame and calls the loop for the window; its twin does all itself."""
    name = f"mcuq_dsp_depthwise{width.suffix}"
    size = width.element_bytes
    return Function(
        name=name,
        comment=_COMMENT,
        parameters="const uint32_t *taps, int32_t kernel_height, int32_t kernel_width, const int32_t *channel,"
        "int32_t offset, int32_t shift, const uint32_t *image, int32_t row_pixels, int32_t stride_y, int32_t stride_x,"
        "int32_t rows, int32_t out_width, int32_t channels, int32_t y_row_step, int32_t y_pixel_step,"
        f"{width.c_type} *y",
        cpu="dsp",
        assembly=fill(
            _FRAME,
            name=name,
            pixel_step=word(width.bytes_of("y_pixel_step")),
            row_step=word(width.bytes_of("y_row_step")),
            last=word(width.bytes_of("(out_width - 1) * y_pixel_step")),
            one=size,
            two=2 * size,
            three=3 * size,
        ),
        twin=fill(_TWIN, saturated=width.saturated("(high + offset) >> shift")),
        twin_needs=("mcuq_multiply_high", width.limit),
        stack_bytes=4 * 22,
        assembly_needs=tuple(f"{name}_{kind[0]}" for kind in _KINDS),
    )


_LOOP = """
$tap
    register const uint32_t *r0 __asm__("r0") = frame;
    $assembly
#undef MCUQ_TAP
"""
_COMMENT = """\
Four channels of `rows` output rows from their image as pairs: two words a pixel, `row_pixels` pixels a row.
 *
 * taps: kernel_height * kernel_width weights as pairs, two words each. channel: four biases, then four multipliers.
 * y is written row by row in two pixels at a time; a second pixel beyond the row and channels beyond `channels` (of
 * the four) go to a place that is overwritten right after. The image has room for an even number of outputs."""
_FRAME = """
    uint32_t frame[22];
    const int32_t span = (out_width + 1) / 2 * 16 * stride_x;
    frame[0] = (uint32_t)taps;
    frame[1] = (uint32_t)(taps + 2 * kernel_height * kernel_width);
    frame[2] = (uint32_t)(8 * (row_pixels - kernel_width));
    frame[3] = (uint32_t)channel;
    frame[4] = $pixel_step;
    frame[5] = $row_step;
    frame[6] = (uint32_t)offset;
    frame[7] = (uint32_t)shift;
    frame[8] = channels > 1 ? $one : 0;
    frame[9] = channels > 2 ? $two : 0;
    frame[10] = channels > 3 ? $three : 0;
    frame[11] = (uint32_t)(8 * kernel_width);
    frame[12] = (uint32_t)image;
    frame[13] = (uint32_t)image + (uint32_t)span;
    frame[14] = (uint32_t)(16 * stride_x);
    frame[15] = (uint32_t)(8 * stride_y * row_pixels - span);
    frame[16] = (uint32_t)span;
    frame[17] = (uint32_t)rows;
    frame[18] = (uint32_t)y;
    frame[19] = (uint32_t)(y + (out_width - 1) * y_pixel_step);
    frame[20] = 0;
    frame[21] = $last;
    if (kernel_height == 3 && kernel_width == 3 && stride_x == 1)
        ${name}_3x3_1(frame);
    else if (kernel_height == 3 && kernel_width == 3 && stride_x == 2)
        ${name}_3x3_2(frame);
    else
        ${name}_n(frame);
"""
_TWIN = """
    for (int32_t oy = 0; oy < rows; oy++)
        for (int32_t ox = 0; ox < out_width; ox++)
            for (int32_t oc = 0; oc < channels; oc++) {
                int32_t acc = channel[oc];
                for (int32_t ky = 0; ky < kernel_height; ky++)
                    for (int32_t kx = 0; kx < kernel_width; kx++) {
                        const int32_t at = (oy * stride_y + ky) * row_pixels + ox * stride_x + kx;
                        /* channels 0 and 2 are in the first word, 1 and 3 in the second */
                        const uint32_t value = image[2 * at + (oc & 1)] >> 16 * (oc >> 1);
                        const uint32_t factor = taps[2 * (ky * kernel_width + kx) + (oc & 1)] >> 16 * (oc >> 1);
                        acc += (int16_t)value * (int16_t)factor;
                    }
                const int32_t high = mcuq_multiply_high(acc, channel[4 + oc]);
                y[oy * y_row_step + ox * y_pixel_step + oc] = $saturated;
            }
"""
