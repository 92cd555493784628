"""The C that makes inferences in pieces of all sizes, of models whose input comes row by row, or that go by steps, and
along streams of models with states: for the host and for emulators."""

from __future__ import annotations

import string
from collections.abc import Sequence

from mcuq.compile import CompiledModel

IN_PIECES = "mcuq_run_in_pieces"

_PUSHED = string.Template("""\
#include "$name.h"

void mcuq_run_in_pieces($parameters);

static int32_t push($arenas, int8_t *input, int32_t done, int32_t count)
{
    return ${name}_push_in($given, (const void *)(input + done * $row_bytes), count);
}

/* Inference `number`: of all rows at once, or in pieces of one, of two, of three, or of one to three in turn; the last
   two kinds behind rows that are forgotten, and behind another inference. More rows than are left are refused. Rows are
   overwritten once they are taken. Where an answer is not what it should be, outputs are made wrong. */
void mcuq_run_in_pieces($parameters)
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
_STEPPED = string.Template("""\
#include "$name.h"

void mcuq_run_in_pieces($parameters);

$kept

static void copy(int8_t *to, const int8_t *from, int32_t n_bytes)
{
    for (int32_t i = 0; i < n_bytes; i++) {
        to[i] = from[i];
    }
}

/* Inputs as they were: where they lie in the arena an inference overwrites them. */
static void give($inputs)
{
$given
}

/* All steps of an inference by budgets of which every `every`th is larger. Whether none has taken more than it may. */
static int32_t step($parameters, int32_t budget, int32_t more, int32_t every)
{
    int32_t left = ${NAME}_STEP_TOTAL, steps = 0, is_right = 1;

    (void)number;
    while (left > 0) {
        const int32_t own = ++steps % every == 0 ? more : budget;
        const int32_t now = ${name}_step_in($held, $arguments, own);
        is_right &= now >= 0 && now < left;
        is_right &= left - now <= (own > ${NAME}_STEP_WORST ? own : ${NAME}_STEP_WORST);
        left = now;
    }
    return is_right && (budget > 0 || more > 0 || steps == ${NAME}_STEPS);
}

/* Inference `number`: whole, by single units, by budgets of a unit, of several and of a half, behind half an inference
   that is forgotten, behind another one, and in the model's own arena. Where an answer is not what it should be,
   outputs are made wrong. */
void mcuq_run_in_pieces($parameters)
{
    const int32_t worst = ${NAME}_STEP_WORST, total = ${NAME}_STEP_TOTAL;
    const int32_t some = worst < total / 2 ? worst + worst / 2 : total;
    int32_t is_right = 1;

$keeping
    ${name}_reset_in($held);
    switch (number % 8) {
    case 0:
        is_right = ${name}_step_in($held, $arguments, INT32_MAX) == 0;
        break;
    case 1:
        is_right = step($passed, 0, 0, 1);
        break;
    case 2:
        is_right = step($passed, 1 + worst / 2, worst, 2);
        break;
    case 3:
        is_right = step($passed, worst, some, 3);
        break;
    case 4:
        is_right = step($passed, total / 2 + 1, -1, 3);
        break;
    case 5:
        for (int32_t i = 0; i < ${NAME}_STEPS / 2; i++) {
            is_right &= ${name}_step_in($held, $arguments, INT32_MIN) > 0;
        }
        ${name}_reset_in($held);
        give($given_arguments);
        is_right &= step($passed, 0, total, 5);
        break;
    case 6:
        is_right = step($passed, total - 1, 0, 2);
        give($given_arguments);
        is_right &= step($passed, worst, 0, 4);
        break;
    default:
$placed
        ${name}_reset();
        while (${name}_step(worst) > 0) {
        }
$taken
        break;
    }
$wrong
}
""")
_STREAMED = string.Template("""\
#include "$name.h"

void mcuq_run_in_pieces($parameters);

static int32_t other[${NAME}_STATE_BYTES / 4];

static int32_t is_same(const void *a, const void *b)
{
    int32_t different = 0;

    for (int32_t i = 0; i < ${NAME}_STATE_BYTES; i++) {
        different |= ((const int8_t *)a)[i] ^ ((const int8_t *)b)[i];
    }
    return different == 0;
}

static void copy(void *to, const void *from)
{
    for (int32_t i = 0; i < ${NAME}_STATE_BYTES; i++) {
        ((int8_t *)to)[i] = ((const int8_t *)from)[i];
    }
}

/* Call `number` of one stream, in the model's own state, which must be what it is to be `before`; where that is how
   streams begin it is reset, and where the program has just begun it is given. Another stream of the same model runs
   in between, and memory that is no state is refused. Where an answer is not what it should be, the state is made
   wrong. */
void mcuq_run_in_pieces($parameters)
{
    int32_t *const own = (int32_t *)${name}_state();
    int32_t is_right = 1;

    ${name}_reset_in(other);
    if (is_same(before, other)) {
        ${name}_reset();
    } else if (own[0] == 0) {
        copy(own, before);
    }
    is_right &= is_same(before, own);
    is_right &= ${name}_run_in($given, other, $arguments) == ${NAME}_STATE_OK;
    other[0] ^= 1 << number % 31;
    is_right &= ${name}_run_in($given, other, $arguments) == ${NAME}_NO_STATE;
    is_right &= is_same(before, own);
    is_right &= ${name}_run_in($given, own, $arguments) == ${NAME}_STATE_OK;
    copy(state, own);
    for (int32_t i = 0; !is_right && i < ${NAME}_STATE_BYTES; i++) {
        state[i] = (int8_t)~state[i];
    }
}
""")
_COPY = string.Template("""\
    for (int32_t k = 0; k < $n_bytes; k++) {
        $output[k] = (int8_t)(((const int8_t *)$arena)[$offset + k] ^ (is_right ? 0 : -1));
    }""")
_WRONG = string.Template("""\
    for (int32_t k = 0; !is_right && k < $n_bytes; k++) {
        $output[k] = (int8_t)~$output[k];
    }""")


def pieces_sources(model: CompiledModel) -> dict[str, str]:
    """File name -> C of `mcuq_run_in_pieces(number, arena, inputs..., outputs...)`, where a model can; inputs and
    outputs are those of `wire`."""
    if model.is_pushed:
        return {f"{IN_PIECES}.c": _pushed(model)}
    if model.graph.states:
        return {f"{IN_PIECES}.c": _streamed(model)}
    return {f"{IN_PIECES}.c": _stepped(model)} if model.is_stepped else {}


def _pushed(model: CompiledModel) -> str:
    push = model.listing.push
    assert push is not None
    outputs = {f"output_{i}": name for i, name in enumerate(model.graph.outputs)}
    copies = [
        _COPY.substitute(
            output=output,
            n_bytes=model.graph.tensors[name].size_bytes,
            arena=model.listing.places.get(name, "arena"),
            offset=f"{model.listing.accessors[name].upper()}_OFFSET",
        )
        for output, name in outputs.items()
    ]
    return _PUSHED.substitute(
        name=model.name,
        NAME=model.name.upper(),
        row_bytes=push.row_bytes,
        arenas=_arenas(model),
        given=_given(model),
        parameters=_parameters(model, ["input", *outputs]),
        arguments=_arguments(["input", *outputs]),
        copies="\n".join(copies),
    )


def _stepped(model: CompiledModel) -> str:
    tensors = model.graph.tensors
    inputs = {f"input_{i}": name for i, name in enumerate(model.graph.inputs)}
    outputs = {f"output_{i}": name for i, name in enumerate(model.graph.outputs)}
    size = {c: tensors[name].size_bytes for c, name in (inputs | outputs).items()}
    place = {c: f"{model.listing.accessors[name]}()" for c, name in (inputs | outputs).items()}
    ports = [*inputs, *outputs]
    return _STEPPED.substitute(
        name=model.name,
        NAME=model.name.upper(),
        held=_given(model),
        parameters=_parameters(model, ports),
        passed=", ".join(["number", _given(model), *ports]),
        arguments=_arguments(ports),
        inputs=", ".join(f"int8_t *{c}" for c in inputs),
        given_arguments=", ".join(inputs),
        kept="\n".join(f"static int8_t kept_{c}[{size[c]}];" for c in inputs),
        keeping="\n".join(f"    copy(kept_{c}, {c}, {size[c]});" for c in inputs),
        given="\n".join(f"    copy({c}, kept_{c}, {size[c]});" for c in inputs),
        placed="\n".join(f"        copy((int8_t *)(void *){place[c]}, kept_{c}, {size[c]});" for c in inputs),
        taken="\n".join(f"        copy({c}, (const int8_t *)(const void *){place[c]}, {size[c]});" for c in outputs),
        wrong="\n".join(_WRONG.substitute(output=c, n_bytes=size[c]) for c in outputs),
    )


def _streamed(model: CompiledModel) -> str:
    graph = model.graph
    inputs = [f"input_{i}" for i in range(len(graph.given_inputs))]
    outputs = [f"output_{i}" for i in range(len(graph.given_outputs))]
    return _STREAMED.substitute(
        name=model.name,
        NAME=model.name.upper(),
        parameters=_parameters(model, ["before", *inputs, *outputs, "state"]),
        given=_given(model),
        arguments=_arguments([*inputs, *outputs]),
    )


def _arenas(model: CompiledModel) -> str:
    """Parameters: the parts of its arena."""
    return ", ".join(f"void *{part.pointer}" for part in model.arenas)


def _given(model: CompiledModel) -> str:
    return ", ".join(part.pointer for part in model.arenas)


def _parameters(model: CompiledModel, ports: Sequence[str]) -> str:
    return ", ".join(["int32_t number", _arenas(model), *(f"int8_t *{c}" for c in ports)])


def _arguments(ports: Sequence[str]) -> str:
    """Of any element type."""
    return ", ".join(f"(void *){c}" for c in ports)
