"""Dot products of two rows of weights with three vectors, without an inner loop where the taps are known."""

from __future__ import annotations

from mcuq.kernels.asm import Assembly, Function, code, each, fill, named

_VECTOR_BYTES = 16
_REACH_BYTES = 127  # a load of bytes takes no larger distance from its register


def dot_2x3(taps: int) -> Function:
    """mcuq_mve_dot_2x3 unrolled for `taps`, a multiple of 16; the second row has a pointer where its distance from the
    first is out of reach."""
    is_near = 2 * taps - _VECTOR_BYTES <= _REACH_BYTES
    rows = ("weight",) if is_near else ("weight", "w1")
    body = code(
        """
        dls lr, %[b0]
        1:
        ldrd %[a0], %[b0], [%[sums]], #8
        mov %[a1], %[a0]
        mov %[a2], %[a0]
        mov %[b1], %[b0]
        mov %[b2], %[b0]
        $products
        strd %[a0], %[b0], [%[sums]], #8
        strd %[a1], %[b1], [%[sums]], #8
        strd %[a2], %[b2], [%[sums]], #8
        $next_rows
        le lr, 1b
        """,
        products=each(_products(tap, is_near, taps) for tap in range(0, taps, _VECTOR_BYTES)),
        next_rows=each(f"add %[{row}], %[{row}], #{2 * taps}" for row in rows),
    )
    sums = named("=&Te", "a0 a1 a2"), named("+&Te", "b0"), named("=&Te", "b1 b2")
    assembly = Assembly(
        body,
        outputs=(*sums[0], *sums[1], *sums[2], *named("+&r", " ".join([*rows, "sums"]))),
        inputs=named("r", "x0 x1 x2"),
    )
    return Function(
        name=f"mcuq_mve_dot_2x3_{taps}",
        comment=f"mcuq_mve_dot_2x3 for {taps} taps in rows that follow each other: no inner loop.",
        parameters="const int8_t *x0, const int8_t *x1, const int8_t *x2, const int8_t *weight, int32_t pairs,"
        "int32_t *sums",
        cpu="mve",
        assembly=fill(_AROUND, second="" if is_near else f"const int8_t *w1 = weight + {taps};", assembly=assembly),
        twin=f"    mcuq_mve_dot_2x3(x0, x1, x2, weight, {taps}, {taps}, pairs, sums);",
        twin_needs=("mcuq_mve_dot_2x3",),
    )


def _products(tap: int, is_near: bool, taps: int) -> str:
    """16 taps from `tap` on: the rows in q0 and q4, the vectors in q1, q2, q3."""
    rows = (("q0", "weight", tap), ("q4", "weight", taps + tap) if is_near else ("q4", "w1", tap))
    return each(
        [
            *(f"vldrb.8 {row}, {_at(pointer, distance)}" for row, pointer, distance in rows),
            *(
                each(
                    [
                        f"vldrb.8 q{k + 1}, {_at(f'x{k}', tap)}",
                        f"vmladava.s8 %[a{k}], q0, q{k + 1}",
                        f"vmladava.s8 %[b{k}], q4, q{k + 1}",
                    ]
                )
                for k in range(3)
            ),
        ]
    )


def _at(pointer: str, distance: int) -> str:
    return f"[%[{pointer}], #{distance}]" if distance else f"[%[{pointer}]]"


_AROUND = """
    $second
    int32_t a0, a1, a2, b0 = pairs, b1, b2;

    $assembly
"""
