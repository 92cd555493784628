"""The C that gives a model its input row by row, in pieces of all sizes: for the host and for emulators."""

from __future__ import annotations

import string

from mcuq.compile import CompiledModel

PUSH_ALL = "mcuq_push_all"

_FILE = string.Template("""\
#include "$name.h"

void mcuq_push_all($parameters);

static int32_t push($arenas, int8_t *input, int32_t done, int32_t count)
{
    return ${name}_push_in($given, (const void *)(input + done * $row_bytes), count);
}

/* Inference `number`: of all rows at once, or in pieces of one, of two, of three, or of one to three in turn; the last
   two kinds behind rows that are forgotten, and behind another inference. More rows than are left are refused. Rows are
   overwritten once they are taken. Where an answer is not what it should be, outputs are made wrong. */
void mcuq_push_all($parameters)
{
    enum { ROWS = ${NAME}_ROWS };
    const int32_t kind = number % 5;
    int32_t done = 0, is_right = 1;

    if (kind == 0) {
        ${name}_run_in($given, $arguments);
        return;
    }
    ${name}_reset_in($given);
    is_right &= push($given, input, 0, ROWS + 1) == ${NAME}_TOO_MANY_ROWS;
    is_right &= push($given, input, 0, -1) == ${NAME}_TOO_MANY_ROWS;
    if (kind == 3 && ROWS > 1) {
        is_right &= push($given, input, 0, ROWS - 1) == 1;
        ${name}_reset_in($given);
    }
    if (kind == 4) {
        is_right &= push($given, input, 0, 0) == ROWS;
        is_right &= push($given, input, 0, ROWS) == 0;
    }
    for (int32_t i = 0; done < ROWS; i++) {
        int32_t count = kind < 4 ? kind : 1 + i % 3;
        if (count > ROWS - done) {
            is_right &= push($given, input, done, count) == ${NAME}_TOO_MANY_ROWS;
            count = ROWS - done;
        }
        is_right &= push($given, input, done, count) == ROWS - done - count;
        for (int32_t k = done * $row_bytes; k < (done + count) * $row_bytes; k++) {
            input[k] = (int8_t)~input[k];
        }
        done += count;
    }
$copies
}
""")
_COPY = string.Template("""\
    for (int32_t k = 0; k < $n_bytes; k++) {
        $output[k] = (int8_t)(((const int8_t *)$arena)[$offset + k] ^ (is_right ? 0 : -1));
    }""")


def pushing_sources(model: CompiledModel) -> dict[str, str]:
    """File name -> C of `mcuq_push_all(number, arena, input, outputs...)`, where the model's input comes row by row."""
    push = model.listing.push
    if push is None:
        return {}
    arenas = ", ".join(f"void *{part.pointer}" for part in model.arenas)
    push_places = model.listing.places
    outputs = {f"output_{i}": name for i, name in enumerate(model.graph.outputs)}
    copies = [
        _COPY.substitute(
            output=output,
            n_bytes=model.graph.tensors[name].size_bytes,
            arena=push_places.get(name, "arena"),
            offset=f"{model.listing.accessors[name].upper()}_OFFSET",
        )
        for output, name in outputs.items()
    ]
    text = _FILE.substitute(
        name=model.name,
        NAME=model.name.upper(),
        row_bytes=push.row_bytes,
        arenas=arenas,
        given=", ".join(part.pointer for part in model.arenas),
        parameters=", ".join([f"int32_t number, {arenas}, int8_t *input", *(f"int8_t *{o}" for o in outputs)]),
        arguments=", ".join(f"(void *){name}" for name in ("input", *outputs)),
        copies="\n".join(copies),
    )
    return {f"{PUSH_ALL}.c": text}
