"""Every kernel with constants of some values, for tests of what its C declares."""

from __future__ import annotations

import re
from dataclasses import fields

import mcuq.kernels  # noqa: F401  the subclasses are those of modules that were imported
from mcuq.kernels.item import Item, parse_items
from mcuq.kernels.kernel import Constants, Fragment
from mcuq.kernels.runtime import needed_items
from mcuq.resources import resource_dir

BODY = "/* plain C from here on */\n"
# What fields that are no numbers may hold.
TEXTS = {"packing": "int4", "sum_type": "int64_t"}


def subclasses(kind: type[Constants]) -> list[type[Constants]]:
    return [found for child in kind.__subclasses__() for found in (child, *subclasses(child))]


KERNELS = sorted(
    {c for c in subclasses(Constants) if "template" in vars(c) and c.__module__.startswith("mcuq.")},
    key=lambda c: c.template,
)
KERNEL = {kind.template: kind for kind in KERNELS}


def sample(kind: type[Constants]) -> Constants:
    """The kernel's constants, all 1 or of the first type that there is."""
    texts = {f.name: TEXTS.get(f.name, "int16_t") for f in fields(kind) if f.type == "str"}
    fragments = {f.name: Fragment("out[i] = x;") for f in fields(kind) if f.type == "Fragment"}
    return kind(**{**{f.name: 1 for f in fields(kind)}, **texts, **fragments})


def template_text(kind: type[Constants]) -> str:
    """Its template without the declaration."""
    text = (resource_dir("templates") / "kernels" / f"{kind.template}.c.j2").read_text()
    return text.partition("#}\n")[2]


def without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


def identifiers(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", without_comments(text)))


def names_read(kind: type[Constants]) -> list[str]:
    """The constants that the body names."""
    return [name for name in kind.numbers() if name in identifiers(template_text(kind).partition(BODY)[2])]


def with_runtime(text: str, needs: tuple[str, ...]) -> str:
    """C of a kernel as a file that compiles, with the items that it needs."""
    items = "\n".join(item.text for item in needed_items(needs))
    return f"#include <stdint.h>\n{items}\n{text}\n"


ANY = """
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MCUQ_ANY_H
#define MCUQ_ANY_H
/* item mcuq_pair: */
typedef struct { int32_t low, high; } mcuq_pair;

/* item MCUQ_TWICE: */
/* A macro of two functions. */
#define MCUQ_TWICE(x) ((x) * 2)

/* item mcuq_table: */
static const int32_t mcuq_table[3] = { 1, 2, 3 };

/* item mcuq_second: needs mcuq_table, MCUQ_TWICE; code 20 */
static const int32_t *mcuq_second(int32_t i)
{
    return mcuq_table + MCUQ_TWICE(i) / 2;
}

/* item mcuq_pair_of: needs mcuq_pair, MCUQ_TWICE;
   stack 12;
   code 30; cpu dsp */
static mcuq_pair mcuq_pair_of(int32_t x)
{
    const mcuq_pair pair = { x, MCUQ_TWICE(x) };
    return pair;
}

/* item mcuq_swap, mcuq_swapped: needs mcuq_pair, mcuq_pair_of; stack 8 */
static void mcuq_swap(mcuq_pair *pair)
{
    const int32_t low = pair->low;
    pair->low = pair->high;
    pair->high = low;
}
static mcuq_pair mcuq_swapped(int32_t x)
{
    mcuq_pair pair = mcuq_pair_of(x);
    mcuq_swap(&pair);
    return pair;
}
#endif
"""


def any_items() -> dict[str, Item]:
    """Items of the runtime of all kinds, by their names."""
    return {name: item for item in parse_items(ANY) for name in item.names}
