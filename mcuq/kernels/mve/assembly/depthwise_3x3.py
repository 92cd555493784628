"""Depthwise 3x3 on strips of mcuq_mve_strip: windows of four rows and columns, which meet all taps of a filter in one
VMLADAV.

%[walk] has what finds no register: see mcuq_mve_depthwise_2x2. q5 is where the lanes read, q7 where outputs go.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.kernels.asm import Assembly, Function, code, fill, named
from mcuq.kernels.mve.assembly.common import once_more


@dataclass(frozen=True)
class _Shape:
    """A function's parts: `expand` what taps become, `hold` what is kept of a channel, `loop` four columns, `added` the
    operand that ends them, `around` the C of the statement."""

    name: str
    comment: str
    expand: str
    hold: str
    loop: str
    added: str
    around: str
    twin: str
    y_steps: str = "int32_t y_step"


def depthwise_2x2() -> Function:
    """Stride 1: two rows of outputs at a time."""
    shape = _Shape(
        name="2x2",
        comment=_COMMENT_2X2,
        expand=_EXPAND_2X2,
        hold="",
        loop=_LOOP_2X2,
        added="zero_point",
        around=_AROUND_2X2,
        twin=_TWIN_2X2,
        y_steps="int32_t y_row, int32_t y_step",
    )
    return _depthwise(shape)


def depthwise_1x4() -> Function:
    """Stride 2: one row of outputs."""
    shape = _Shape(
        name="1x4",
        comment=_COMMENT_1X4,
        expand="",
        hold="vdup.32 q6, %[multiplier]",
        loop=_LOOP_1X4,
        added="offset",
        around=_AROUND_1X4,
        twin=_TWIN_1X4,
    )
    return _depthwise(shape)


def _depthwise(shape: _Shape) -> Function:
    assembly = Assembly(
        code(
            _BODY,
            expand=code(shape.expand),
            hold=shape.hold,
            loop=code(shape.loop),
            once_more=once_more(["sub %[y], %[y], %[a0]", "vsub.i32 q5, q5, %[a1]"]),
        ),
        outputs=(
            *named("=&Te", "a0 a1 a2 a3"),
            *named("+&r", "record y"),
            *named("=&r", "bias multiplier"),
        ),
        inputs=named("r", f"walk next_y minus_shift {shape.added}"),
    )
    return Function(
        name=f"mcuq_mve_depthwise_{shape.name}",
        comment=shape.comment.strip(),
        parameters="const int32_t *record, int32_t channels, const int8_t *strip, int32_t columns, int32_t shift,"
        f"int32_t zero_point, int8_t *y, {shape.y_steps}",
        cpu="mve",
        assembly=fill(shape.around, assembly=assembly),
        twin=shape.twin.strip("\n"),
        twin_needs=("mcuq_requantize",),
        stack_bytes=4 * 14,
    )


_BODY = """
    vldrw.u32 q7, [%[walk], #40]
    vldrw.u32 q5, [%[walk]]
    1:
    vldrw.u32 q0, [%[record]], #12
    mov %[a0], #0
    vmov.32 q0[3], %[a0]
    $expand
    ldr lr, [%[walk], #16]
    ldrd %[bias], %[multiplier], [%[record]], #8
    $hold
    dls lr, lr
    2:
    $loop
    add %[y], %[y], %[next_y]
    le lr, 2b
    $once_more
    ldrd %[a0], %[a1], [%[walk], #28]
    ldr %[a2], [%[walk], #36]
    add %[y], %[y], %[a1]
    vadd.i32 q5, q5, %[a0]
    cmp %[record], %[a2]
    bne 1b
"""
_COMMENT_2X2 = """
Two rows of `columns` (at least 4) outputs of a 3x3 window with stride 1, of each of `channels` of a strip. Clamps to
 * int8. y_row + 3 * y_step < 2^16.
 *
 * A window has all that 2x2 outputs read: a load and four VMLADAV, with the taps moved by a row, a column, or both. Two
 * windows are requantized together, so that the lanes are the outputs of four columns.
 *
 * The assembly finds in `walk` what has no register: where the lanes begin to read, less one step; how many times four
 * columns there are; where some are left, by how many bytes y and the lanes step back so that four more end with the
 * last; from the end of a channel to the next, for lanes and y; the end of the records.
"""
_EXPAND_2X2 = """
    vmov q2, q0
    vshlc q2, %[a0], #32
    vshl.i32 q1, q0, #8
    vshl.i32 q3, q2, #8
"""
_LOOP_2X2 = """
    vldrw.u32 q4, [q5, #128]!
    vmladav.s8 %[a0], q0, q4
    vmladav.s8 %[a1], q2, q4
    vmladav.s8 %[a2], q1, q4
    vmladav.s8 %[a3], q3, q4
    vldrw.u32 q6, [q5, #128]!
    vmov q4[2], q4[0], %[a0], %[a2]
    vmladav.s8 %[a0], q0, q6
    vmov q4[3], q4[1], %[a1], %[a3]
    vmladav.s8 %[a1], q2, q6
    vadd.i32 q4, q4, %[bias]
    vmladav.s8 %[a2], q1, q6
    vqdmulh.s32 q4, q4, %[multiplier]
    vmladav.s8 %[a3], q3, q6
    vrshl.s32 q4, %[minus_shift]
    vmov q6[2], q6[0], %[a0], %[a2]
    vqmovnb.s32 q4, q4
    vmov q6[3], q6[1], %[a1], %[a3]
    vadd.i32 q6, q6, %[bias]
    vqdmulh.s32 q6, q6, %[multiplier]
    vrshl.s32 q6, %[minus_shift]
    vqmovnt.s32 q4, q6
    vqadd.s16 q4, q4, %[zero_point]
    vqmovnb.s16 q4, q4
    vstrb.16 q4, [%[y], q7]
"""
_AROUND_2X2 = """
    const int32_t next_y = 4 * y_step;
    const int32_t minus_shift = -1 - shift;
    const int32_t back = columns % 4 ? 4 - columns % 4 : 0;
    const int32_t first = (int32_t)strip - 128;
    const uint32_t twice = 65537, later = (uint32_t)y_step << 17, row = (uint32_t)y_row, step = (uint32_t)y_step;
    /* See above; then where outputs go: columns 0 and 2, 1 and 3, the same of the second row, in halves of words. */
    const int32_t walk[14] = {
        first, first + 64, first + 128, first + 192,
        columns / 4, back * y_step, 64 * back, 4 - 64 * columns, 1 - columns * y_step, (int32_t)(record + 5 * channels),
        (int32_t)later, (int32_t)(later + step * twice), (int32_t)(later + row * twice),
        (int32_t)(later + (row + step) * twice)
    };
    int32_t a0, a1, a2, a3, bias, multiplier;

    $assembly
"""
_TWIN_2X2 = """
    for (int32_t c = 0; c < channels; c++, record += 5)
        for (int32_t row = 0; row < 2; row++)
            for (int32_t column = 0; column < columns; column++) {
                const int8_t *window = strip + 64 * column + 4 * c + row;
                int32_t acc = record[3];
                for (int32_t ky = 0; ky < 3; ky++)
                    for (int32_t kx = 0; kx < 3; kx++)
                        acc += window[64 * kx + ky] * (int8_t)((uint32_t)record[kx] >> (8 * ky));
                y[row * y_row + column * y_step + c] =
                    mcuq_requantize(acc, record[4], 0, shift, zero_point, -128, 127);
            }
"""
_COMMENT_1X4 = """
One row of `columns` (at least 4) outputs of a 3x3 window, two columns apart, of each of `channels` of a strip.
 * Clamps to int8. A load and a VMLADAV make an output.
"""
_LOOP_1X4 = """
    vldrw.u32 q1, [q5, #128]!
    vmladav.s8 %[a0], q0, q1
    vldrw.u32 q2, [q5, #128]!
    vmladav.s8 %[a1], q0, q2
    vldrw.u32 q1, [q5, #128]!
    vmladav.s8 %[a2], q0, q1
    vldrw.u32 q2, [q5, #128]!
    vmladav.s8 %[a3], q0, q2
    vmov q4[2], q4[0], %[a0], %[a2]
    vmov q4[3], q4[1], %[a1], %[a3]
    vadd.i32 q4, q4, %[bias]
    vqdmlash.s32 q4, q6, %[offset]
    vshl.s32 q4, %[minus_shift]
    vqmovnb.s32 q4, q4
    vqmovnb.s16 q4, q4
    vstrb.32 q4, [%[y], q7]
"""
_AROUND_1X4 = """
    const int32_t next_y = 4 * y_step;
    const int32_t minus_shift = -1 - shift;
    const int32_t offset = zero_point * (2 << shift) + (1 << shift);
    const int32_t back = columns % 4 ? 4 - columns % 4 : 0;
    const int32_t first = (int32_t)strip - 128;
    /* As of mcuq_mve_depthwise_2x2; then where outputs go. */
    const int32_t walk[14] = {
        first, first + 64, first + 128, first + 192,
        columns / 4, back * y_step, 128 * back, 4 - 128 * columns, 1 - columns * y_step,
        (int32_t)(record + 5 * channels), 0, y_step, 2 * y_step, 3 * y_step
    };
    int32_t a0, a1, a2, a3, bias, multiplier;

    $assembly
"""
_TWIN_1X4 = """
    for (int32_t c = 0; c < channels; c++, record += 5)
        for (int32_t column = 0; column < columns; column++) {
            const int8_t *window = strip + 128 * column + 4 * c;
            int32_t acc = record[3];
            for (int32_t ky = 0; ky < 3; ky++)
                for (int32_t kx = 0; kx < 3; kx++)
                    acc += window[64 * kx + ky] * (int8_t)((uint32_t)record[kx] >> (8 * ky));
            y[column * y_step + c] = mcuq_requantize(acc, record[4], 0, shift, zero_point, -128, 127);
        }
"""
