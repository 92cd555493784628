"""Depthwise rows of up to 16 taps, of one or three rows of a plane, one or two columns apart."""

from __future__ import annotations

from itertools import pairwise

from mcuq.kernels.asm import Assembly, Function, code, each, fill, named

_COUNTS = {1: "one row", 3: "three rows"}
_PLANES = ("plane", "plane1", "plane2")


def depthwise_dot(rows: int, stride: int) -> Function:
    """`rows` is how many the window has, 1 or 3; `stride` from output to output."""
    planes = _PLANES[:rows]
    assembly = Assembly(
        _body(planes, stride),
        outputs=(*named("+&Te", "a0 a1 a2 a3"), *named("+&r", " ".join([*planes, "y", "columns"]))),
        inputs=(
            *named("r", "bias multiplier"),
            *named("t", "held_next_y held_shift held_zero_point"),
        ),
    )
    pointers = each(f"const int8_t *{plane} = {before} + plane_row;" for before, plane in pairwise(planes))
    return Function(
        name=f"mcuq_mve_depthwise_dot_{rows}_{stride}",
        comment=fill(_COMMENT, stride=stride, rows=_COUNTS[rows]),
        parameters="const int8_t *plane, int32_t plane_row, const int8_t *weight, int32_t taps, int32_t bias,"
        "int32_t multiplier, int32_t shift, int32_t zero_point, int8_t *y, int32_t y_step, int32_t columns",
        cpu="mve",
        assembly=fill(_AROUND, pointers=pointers, unused="(void)plane_row;" if rows == 1 else "", assembly=assembly),
        twin=fill(_TWIN, rows=rows, stride=stride),
        twin_needs=("mcuq_requantize",),
        assembly_needs=("mcuq_mve_hold",),
        is_inline=rows == 1,
    )


def _body(planes: tuple[str, ...], stride: int) -> str:
    """q0 and, of three rows, q1 and q2 have the taps; q4 becomes four columns' sums."""
    next_row = "add %[a3], %[a3], %[a2]"
    taps = [f"vpst\nvldrbt.8 q{row}, [%[a3]]" for row in range(len(planes))]
    products = [
        f"vldrb.8 q{3 + row % 2}, [%[{plane}]], #{stride}\n"
        f"vmladav{'a' if row else ''}.s8 %[a{column}], q{row}, q{3 + row % 2}"
        for column in range(4)
        for row, plane in enumerate(planes)
    ]
    return code(
        """
        vidup.u32 q5, %[a0], #1
        vmul.i32 q5, q5, %[a1]
        vctp.8 %[a2]
        $taps
        1:
        $products
        vmov q4[2], q4[0], %[a0], %[a2]
        vmov q4[3], q4[1], %[a1], %[a3]
        vadd.i32 q4, q4, %[bias]
        vmov lr, %[held_shift]
        vqdmulh.s32 q4, q4, %[multiplier]
        vrshl.s32 q4, lr
        vmov lr, %[held_zero_point]
        vadd.i32 q4, q4, lr
        vqmovnb.s32 q4, q4
        vqmovnb.s16 q4, q4
        vctp.32 %[columns]
        vmov lr, %[held_next_y]
        vpst
        vstrbt.32 q4, [%[y], q5]
        add %[y], %[y], lr
        subs %[columns], %[columns], #4
        bgt 1b
        """,
        taps=f"\n{next_row}\n".join(taps),
        products=each(products),
    )


_COMMENT = """
One row of `columns` outputs, $stride apart, of a window of $rows of up to 16 taps of one channel. The taps of a row
 * are the lanes of a vector: four columns at a time. Reads the plane up to 16 bytes from the last of a multiple of
 * four columns. Clamps to int8.
"""
_AROUND = """
    const float held_shift = mcuq_mve_hold(-1 - shift);
    const float held_zero_point = mcuq_mve_hold(zero_point);
    const float held_next_y = mcuq_mve_hold(4 * y_step);
    $pointers
    int32_t a0 = 0, a1 = y_step, a2 = taps, a3 = (int32_t)weight;

    $unused
    $assembly
"""
_TWIN = """
    for (int32_t i = 0; i < columns; i++) {
        int32_t acc = bias;
        for (int32_t ky = 0; ky < $rows; ky++)
            for (int32_t kx = 0; kx < taps; kx++)
                acc += plane[ky * plane_row + i * $stride + kx] * weight[ky * taps + kx];
        y[i * y_step] = mcuq_requantize(acc, multiplier, 0, shift, zero_point, -128, 127);
    }
"""
