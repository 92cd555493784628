"""Products of a matrix of weights with pixels of up to 32 taps: pixels stay in registers while weights pass by; sums
become int8 without a way through memory.

A block has what is constant of four channels, in words: a row of taps of channels 0, 2, 1 and 3, with zeros up to 16 or
32 bytes, then four biases and four multipliers. The order is that of lanes which VMOV fills in pairs. Where the number
of channels is not a multiple of four, the last block is of the last four: some are computed twice.
"""

from __future__ import annotations

from mcuq.kernels.asm import Assembly, Function, code, fill, named
from mcuq.kernels.mve.assembly.common import once_more


def pixels_16() -> Function:
    """Up to 16 taps: pixels are q0, q1, q2."""
    return _pixels(
        "mcuq_mve_pixels_16",
        _COMMENT_16,
        pixels=3,
        first_taps="taps",
        loop=f"{_LOAD_16.strip()}\n{_LOOP_16.strip()}",
        twin=_TWIN,
        twin_needs=("mcuq_requantize",),
    )


def pixels_32() -> Function:
    """17 to 32 taps: pixels are q0, q1 and q2, q3."""
    return _pixels(
        "mcuq_mve_pixels_32",
        _COMMENT_32,
        pixels=2,
        first_taps="taps - 16",
        loop=f"{_LOAD_32.strip()}\n{_LOOP_32.strip()}",
        twin="    mcuq_mve_pixels_16(x, x_step, pixels, taps, blocks, channels, shift, zero_point, y);",
        twin_needs=("mcuq_mve_pixels_16",),
    )


def _pixels(
    name: str, comment: str, *, pixels: int, first_taps: str, loop: str, twin: str, twin_needs: tuple[str, ...]
) -> Function:
    ys = [f"y{k}" for k in range(pixels)]
    sums = [f"{channel}{k}" for channel in "ab" for k in range(pixels)]
    assembly = Assembly(
        code(_BODY, loop=loop, once_more=once_more([f"sub %[{y}], %[{y}], %[a0]" for y in ys])),
        outputs=(
            *named("+&Te", "a0"),
            *named("=&Te", " ".join(sums[1:])),
            *named("=&l", " ".join(ys[:-1])),
            *named("+&l", ys[-1]),
            *named("=&r", "block"),
        ),
        inputs=named("r", "walk offset minus_shift"),
    )
    # one that is missing of two needs no product
    missing = "" if pixels == 2 else f"({pixels} - left) * "
    return Function(
        name=name,
        comment=comment.strip(),
        parameters="const int8_t *x, int32_t x_step, int32_t pixels, int32_t taps, const int32_t *blocks,"
        "int32_t channels, int32_t shift, int32_t zero_point, int8_t *y",
        cpu="mve",
        assembly=fill(
            _AROUND,
            pixels=pixels,
            ys=", ".join(f"*{y}" for y in ys),
            last=ys[-1],
            sums=", ".join([f"a0 = {first_taps}", *sums[1:]]),
            assembly=assembly,
            missing=missing,
        ),
        twin=twin.strip("\n"),
        twin_needs=twin_needs,
        stack_bytes=4 * 7,
    )


_COMMENT_16 = """
All of `channels` (at least 4) outputs of each of `pixels` (at least 3) pixels of up to 16 taps, x_step bytes apart.
 * Clamps to int8.
 *
 * VQDMLASH adds zero point and half to the upper word of the doubled product, so that all is shifted by one more;
 * where it saturates, and where narrowing to 16 bits does, what is left clamps to the same int8.
 *
 * Three pixels by four channels: 43 instructions for 12 outputs. Where pixels are left, the last three are computed.
"""
_COMMENT_32 = """
The same for 17 to 32 taps and at least 2 pixels. Two pixels by four channels: 43 instructions for 8
 * outputs.
"""
_BODY = """
    $loop
    le lr, 2b
    $once_more
    subs %[a1], %[a1], #1
    str %[a1], [%[walk], #24]
    bne 1b
"""
_LOAD_16 = """
vctp.8 %[a0]
1:
ldrd %[a0], %[a1], [%[walk]]
ldr %[block], [%[walk], #8]
add %[a2], %[a0], %[a1]
add %[b0], %[a2], %[a1]
ldrd lr, %[b1], [%[walk], #12]
vpsttt
vldrbt.8 q0, [%[a0]]
vldrbt.8 q1, [%[a2]]
vldrbt.8 q2, [%[b0]]
add %[b0], %[b0], %[a1]
str %[b0], [%[walk]]
mov %[y0], %[y2]
add %[y1], %[y0], %[b1]
add %[y2], %[y1], %[b1]
dls lr, lr
"""
_LOOP_16 = """
2:
vldrw.u32 q6, [%[block]], #16
vmladav.s8 %[a0], q6, q0
vldrw.u32 q7, [%[block]], #16
vmladav.s8 %[b0], q7, q0
vmladav.s8 %[a1], q6, q1
vmov q3[2], q3[0], %[a0], %[b0]
vmladav.s8 %[b1], q7, q1
vmladav.s8 %[a2], q6, q2
vmov q4[2], q4[0], %[a1], %[b1]
vmladav.s8 %[b2], q7, q2
vldrw.u32 q6, [%[block]], #16
vmladav.s8 %[a0], q6, q0
vmov q5[2], q5[0], %[a2], %[b2]
vldrw.u32 q7, [%[block]], #16
vmladav.s8 %[b0], q7, q0
vmladav.s8 %[a1], q6, q1
vmov q3[3], q3[1], %[a0], %[b0]
vmladav.s8 %[b1], q7, q1
vmladav.s8 %[a2], q6, q2
vldrw.u32 q6, [%[block]], #16
vmladav.s8 %[b2], q7, q2
vmov q4[3], q4[1], %[a1], %[b1]
vldrw.u32 q7, [%[block]], #16
vadd.i32 q3, q3, q6
vmov q5[3], q5[1], %[a2], %[b2]
vqdmlash.s32 q3, q7, %[offset]
vadd.i32 q4, q4, q6
vshl.s32 q3, %[minus_shift]
vqdmlash.s32 q4, q7, %[offset]
vadd.i32 q5, q5, q6
vqmovnb.s32 q3, q3
vqdmlash.s32 q5, q7, %[offset]
vshl.s32 q4, %[minus_shift]
vqmovnb.s16 q3, q3
vshl.s32 q5, %[minus_shift]
vstrb.32 q3, [%[y0]], #4
vqmovnb.s32 q4, q4
vqmovnb.s32 q5, q5
vqmovnb.s16 q4, q4
vstrb.32 q4, [%[y1]], #4
vqmovnb.s16 q5, q5
vstrb.32 q5, [%[y2]], #4
"""
_LOAD_32 = """
vctp.8 %[a0]
1:
ldrd %[a0], %[a1], [%[walk]]
ldr %[block], [%[walk], #8]
add %[b0], %[a0], %[a1]
ldrd lr, %[b1], [%[walk], #12]
vldrb.8 q0, [%[a0]]
vldrb.8 q2, [%[b0]]
vpstt
vldrbt.8 q1, [%[a0], #16]
vldrbt.8 q3, [%[b0], #16]
add %[b0], %[b0], %[a1]
str %[b0], [%[walk]]
mov %[y0], %[y1]
add %[y1], %[y0], %[b1]
dls lr, lr
"""
_LOOP_32 = """
2:
vldrw.u32 q6, [%[block]], #16
vmladav.s8 %[a0], q6, q0
vldrw.u32 q7, [%[block]], #16
vmladav.s8 %[a1], q6, q2
vldrw.u32 q6, [%[block]], #16
vmladava.s8 %[a0], q7, q1
vmladava.s8 %[a1], q7, q3
vldrw.u32 q7, [%[block]], #16
vmladav.s8 %[b0], q6, q0
vmladav.s8 %[b1], q6, q2
vldrw.u32 q6, [%[block]], #16
vmladava.s8 %[b0], q7, q1
vmladava.s8 %[b1], q7, q3
vmov q4[2], q4[0], %[a0], %[b0]
vmladav.s8 %[a0], q6, q0
vldrw.u32 q7, [%[block]], #16
vmov q5[2], q5[0], %[a1], %[b1]
vmladav.s8 %[a1], q6, q2
vldrw.u32 q6, [%[block]], #16
vmladava.s8 %[a0], q7, q1
vmladava.s8 %[a1], q7, q3
vldrw.u32 q7, [%[block]], #16
vmladav.s8 %[b0], q6, q0
vmladav.s8 %[b1], q6, q2
vldrw.u32 q6, [%[block]], #16
vmladava.s8 %[b0], q7, q1
vmladava.s8 %[b1], q7, q3
vldrw.u32 q7, [%[block]], #16
vmov q4[3], q4[1], %[a0], %[b0]
vadd.i32 q4, q4, q6
vmov q5[3], q5[1], %[a1], %[b1]
vqdmlash.s32 q4, q7, %[offset]
vadd.i32 q5, q5, q6
vshl.s32 q4, %[minus_shift]
vqdmlash.s32 q5, q7, %[offset]
vqmovnb.s32 q4, q4
vshl.s32 q5, %[minus_shift]
vqmovnb.s16 q4, q4
vstrb.32 q4, [%[y0]], #4
vqmovnb.s32 q5, q5
vqmovnb.s16 q5, q5
vstrb.32 q5, [%[y1]], #4
"""
_AROUND = """
    const int32_t minus_shift = -1 - shift;
    const int32_t offset = zero_point * (2 << shift) + (1 << shift);
    const int32_t back = channels % 4 ? 4 - channels % 4 : 0;
    int32_t left = pixels;
    int32_t walk[7] = {(int32_t)x, x_step, (int32_t)blocks, channels / 4, channels, back, pixels / $pixels};

    for (;;) {
        int8_t $ys = y;
        const int32_t *block;
        int32_t $sums;

        $assembly
        left %= $pixels;
        if (left == 0)
            break;
        walk[0] -= ${missing}x_step;
        walk[6] = 1;
        y = $last - ${missing}channels;
        left = 0;
    }
"""
_TWIN = """
    const int32_t row_words = (taps + 15) / 16 * 4;

    for (int32_t pixel = 0; pixel < pixels; pixel++)
        for (int32_t oc = 0; oc < channels; oc++) {
            const int32_t lane = oc < channels / 4 * 4 ? oc % 4 : oc - channels + 4;
            const int32_t *block = blocks + oc / 4 * (4 * row_words + 8);
            const int32_t *row = block + (lane % 2 * 2 + lane / 2) * row_words;
            int32_t acc = block[4 * row_words + lane];
            for (int32_t i = 0; i < taps; i++)
                acc += x[pixel * x_step + i] * (int8_t)((uint32_t)row[i / 4] >> (i % 4 * 8));
            y[pixel * channels + oc] =
                mcuq_requantize(acc, block[4 * row_words + 4 + lane], 0, shift, zero_point, -128, 127);
        }
"""
