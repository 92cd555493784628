"""Four pixels side by side: their int8 expanded to pairs, or their int16 as they lie in memory."""

from __future__ import annotations

from mcuq.kernels.asm import Assembly, Function, code, each, fill, tied
from mcuq.kernels.dsp.assembly.width import S8, S16, Width

_PIXELS = tuple((f"r{k}", f"r{k + 4}", f"r{k + 8}") for k in range(4))  # where to read, and the two pairs


def columns(width: Width) -> Function:
    """Four values of each of four pixels at a time, from any address, to eight words of pairs."""
    return {S8: _expand_4, S16: _gather_4}[width]()


def _expand_4() -> Function:
    loads = each(f"ldr {first}, [{x}], #4" for x, first, _ in _PIXELS)
    odd = each(f"sxtb16 {second}, {first}, ror #8" for _, first, second in _PIXELS)
    even = each(f"sxtb16 {first}, {first}" for _, first, _ in _PIXELS)
    return _function(
        S8,
        "mcuq_dsp_expand_4",
        """\
Expands 4 * fours int8 of each of four pixels: columns[8 * i] = even pairs of the four pixels' word i,
 * columns[8 * i + 4] = their odd pairs. 15 instructions for 16 values.""",
        each([loads, odd, even]),
        ("mcuq_dsp_even(mcuq_dsp_load(pixel[p] + 4 * i, 0))", "mcuq_dsp_odd(mcuq_dsp_load(pixel[p] + 4 * i, 0))"),
        ("mcuq_dsp_load", "mcuq_dsp_even", "mcuq_dsp_odd"),
    )


def _gather_4() -> Function:
    return _function(
        S16,
        "mcuq_dsp_gather_4",
        """\
Gathers 4 * fours int16 of each of four pixels: columns[8 * i] = the first pairs of the four pixels' four i,
 * columns[8 * i + 4] = their second pairs. 11 instructions for 16 values.""",
        each(f"ldr {first}, [{x}], #4\nldr {second}, [{x}], #4" for x, first, second in _PIXELS),
        ("mcuq_dsp_load_pair(pixel[p] + 4 * i, 0)", "mcuq_dsp_load_pair(pixel[p] + 4 * i + 2, 0)"),
        ("mcuq_dsp_load_pair",),
    )


def _function(
    width: Width, name: str, comment: str, loaded: str, pairs: tuple[str, str], twin_needs: tuple[str, ...]
) -> Function:
    assembly = Assembly(code(_BODY, loaded=loaded), tied("+r", "r0 r1 r2 r3 r12"), tied("r", "r4"))
    return Function(
        name=name,
        comment=comment,
        parameters=f"{', '.join(f'const {width.c_type} *p{k}' for k in range(4))}, int32_t fours, uint32_t *columns",
        cpu="dsp",
        assembly=fill(_REGISTERS, type=width.c_type, assembly=assembly),
        twin=fill(_TWIN, type=width.c_type, first=pairs[0], second=pairs[1]),
        twin_needs=twin_needs,
        stack_bytes=16 + assembly.pushed_bytes(),
    )


_BODY = """
    push {r4-r11, lr}
    mov lr, r4
    1:
    $loaded
    stmia r12!, {r4-r11}
    cmp r12, lr
    bne 1b
    pop {r4-r11, lr}
"""
_REGISTERS = """
    register const $type *r0 __asm__("r0") = p0;
    register const $type *r1 __asm__("r1") = p1;
    register const $type *r2 __asm__("r2") = p2;
    register const $type *r3 __asm__("r3") = p3;
    register uint32_t *r12 __asm__("r12") = columns;
    register uint32_t *r4 __asm__("r4") = columns + 8 * fours;
    $assembly
"""
_TWIN = """
    const $type *const pixel[4] = {p0, p1, p2, p3};
    for (int32_t i = 0; i < fours; i++)
        for (int32_t p = 0; p < 4; p++) {
            columns[8 * i + p] = $first;
            columns[8 * i + 4 + p] = $second;
        }
"""
