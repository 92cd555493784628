"""Sums in memory to int8, 16 channels at a time, with and without a clamp."""

from __future__ import annotations

from mcuq.kernels.asm import Assembly, Function, code, fill, named


def requantize_sums() -> Function:
    """One function with both: bounds are constants where it is called, and it is small enough to be cloned."""
    return Function(
        name="mcuq_mve_requantize_sums",
        comment=_COMMENT,
        parameters="const int32_t *sums, const int32_t *multiplier, int32_t channels, int32_t pixels, int32_t shift,"
        "int32_t zero_point, int32_t output_min, int32_t output_max, int32_t y_step, int8_t *y",
        cpu="mve",
        assembly=fill(_AROUND, full=_statement(is_full=True), clamped=_statement(is_full=False)),
        twin=_TWIN.strip("\n"),
        twin_needs=("mcuq_requantize",),
    )


def _statement(*, is_full: bool) -> Assembly:
    bounds = "" if is_full else "output_min output_max "
    return Assembly(
        code(_BODY, clamp="" if is_full else _CLAMP.strip()),
        outputs=(*named("+&Te", "lane"), *named("+&r", "left multiplier y"), *named("=&r", "pixel")),
        inputs=named("r", f"sums pixels y_step minus_shift offset {bounds}next_group"),
    )


_COMMENT = """\
Sums of mcuq_mve_dot_2x3 for `pixels` (1 to 3) as int8, `channels` bytes a pixel, `y_step` from one to the next.
 *
 * 16 channels at a time: sums of channels 0, 4, 8, 12, of 1, 5, 9, 13 and so on are gathered into one vector
 * each, so that narrowing to the bottom and top halves of lanes brings them in order. Multipliers lie in that
 * order, and `sums` and `multiplier` reach to a multiple of 16 channels.
 * VQDMLASH adds zero point and half to the upper word of the doubled product, so that all is shifted by one more;
 * where it saturates, and where narrowing to 16 bits does, what is left clamps to the same int8."""
_CLAMP = """
vdup.8 q5, %[output_min]
vmax.s8 q4, q4, q5
vdup.8 q5, %[output_max]
vmin.s8 q4, q4, q5
"""
_BODY = """
    vidup.u32 q7, %[lane], #8
    vshl.i32 q7, q7, #3
    vadd.i32 q7, q7, %[sums]
    1:
    vctp.8 %[left]
    vldrw.u32 q0, [%[multiplier]], #16
    vldrw.u32 q1, [%[multiplier]], #16
    vldrw.u32 q2, [%[multiplier]], #16
    vldrw.u32 q3, [%[multiplier]], #16
    mov %[pixel], %[y]
    dls lr, %[pixels]
    2:
    vldrw.u32 q6, [q7, #40]
    vqdmlash.s32 q6, q2, %[offset]
    vshl.s32 q6, %[minus_shift]
    vldrw.u32 q5, [q7, #12]
    vqdmlash.s32 q5, q1, %[offset]
    vshl.s32 q5, %[minus_shift]
    vqmovnb.s32 q5, q5
    vldrw.u32 q4, [q7, #44]
    vqdmlash.s32 q4, q3, %[offset]
    vshl.s32 q4, %[minus_shift]
    vqmovnt.s32 q5, q4
    vldrw.u32 q4, [q7, #8]!
    vqdmlash.s32 q4, q0, %[offset]
    vshl.s32 q4, %[minus_shift]
    vqmovnb.s32 q4, q4
    vqmovnt.s32 q4, q6
    vqmovnb.s16 q4, q4
    vqmovnt.s16 q4, q5
    $clamp
    vpst
    vstrbt.8 q4, [%[pixel]]
    add %[pixel], %[pixel], %[y_step]
    le lr, 2b
    vadd.i32 q7, q7, %[next_group]
    adds %[y], %[y], #16
    subs %[left], %[left], #16
    bgt 1b
"""
_AROUND = """
    const int32_t next_group = 256 - 8 * pixels;
    const int32_t minus_shift = -1 - shift;
    const int32_t offset = zero_point * (2 << shift) + (1 << shift);
    int32_t left = channels;
    int32_t lane = 0;
    int8_t *pixel;

    const int is_full = output_min == -128 && output_max == 127; /* a constant */

    if (is_full)
        $full
    else
        $clamped
"""
_TWIN = """
    for (int32_t pixel = 0; pixel < pixels; pixel++)
        for (int32_t oc = 0; oc < channels; oc++) {
            const int32_t acc = sums[oc / 2 * 8 + 2 + 2 * pixel + oc % 2];
            const int32_t factor = multiplier[oc / 16 * 16 + oc % 4 * 4 + oc % 16 / 4];
            y[pixel * y_step + oc] = mcuq_requantize(acc, factor, 0, shift, zero_point, output_min, output_max);
        }
"""
