"""The C files that join models to firmware/main.c: a model's own C with a mark after each layer, and its tables."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence

from mcuq.compile import CompiledModel
from mcuq.emit.listing import Listing
from mcuq.emit.weights import blob_array
from mcuq.graph.states import BEFORE, STATE
from mcuq.graph.tensor_bytes import bytes_of

_FILE = string.Template("""\
#include "model.h"

#include "$name.c"
$blob
$inputs
$outputs
$constants
$kept_input
$layer_cycles
$arenas
$row
static void run(void)
{
    $run;
}

const struct mcuq_model $symbol = {
    .name = "$name",
    .digest = ${NAME}_DIGEST,
    .input_bytes = $input_bytes,
    .output_bytes = $output_bytes,
    .arena_bytes = $arena_bytes,
    .$arena,
    .inputs = $inputs_or_none,
    .outputs = outputs,
    .constants = $constants_or_none,
    .kept_input = $kept_input_or_none,
    .layer_cycles = $layer_cycles_or_none,
$row_fields    .run = run,
    .start = $start_or_none,
$blob_fields    .n_inputs = $n_inputs,
    .n_outputs = $n_outputs,
    .n_constants = $n_constants,
    .layers = $layers,
};
""")


_TABLE = string.Template("""\
#include "model.h"

$declarations
const struct mcuq_model *const mcuq_models[MCUQ_MODELS] = {$addresses};
""")
KEPT_INPUT = "mcuq_kept_input"
MOST_PAYLOAD_BYTES = 1024
LEAST_PAYLOAD_BYTES = 192  # HELLO's answer with its texts
_OF_MODEL_BYTES = 2  # in front of a request that is about one of several models


def tensor_bytes(model: CompiledModel) -> tuple[int, int]:
    """Bytes of all inputs and of all outputs."""
    sides = (model.wire.inputs, model.wire.outputs)
    inputs, outputs = (bytes_of(names, model.wire) for names in sides)
    return inputs, outputs


def useful_payload_bytes(models: Sequence[CompiledModel]) -> int:
    """Bytes of a frame's body: an INFER of the whole input, where that is not too long."""
    useful = LEAST_PAYLOAD_BYTES
    for model in models:
        input_bytes, output_bytes = tensor_bytes(model)
        useful = max(useful, input_bytes + (_OF_MODEL_BYTES if len(models) > 1 else 0), output_bytes + 5)
    return min(MOST_PAYLOAD_BYTES, -(-useful // 4) * 4)


def model_macros(models: Sequence[CompiledModel]) -> dict[str, str]:
    """What the firmware is to be compiled with for the models: without code for rows where inputs are whole, nor what
    gives them weights that they have, nor what chooses between them where there is one."""
    pushed, starts, fast = (
        any(model.is_pushed for model in models),
        any(model.start for model in models),
        any(model.listing.fast for model in models),
    )
    needless = [*([] if pushed else ["MCUQ_NO_ROWS"]), *([] if starts else ["MCUQ_NO_START"])]
    needless += ["MCUQ_COPIES_WEIGHTS"] if fast else []
    parts = models[0].listing.arenas
    counts = {"MCUQ_ARENAS": len(parts), "MCUQ_MODELS": len(models) if len(models) > 1 else 0}
    return {**dict.fromkeys(needless, "1"), **{name: str(n) for name, n in counts.items() if n}}


def firmware_sources(models: Sequence[CompiledModel], keeps_input: bool) -> Mapping[str, str]:
    """File name -> C of all models, joined; `NAME.c` of each is not to be compiled. With `keeps_input` they have one
    place for their inputs, of which the firmware keeps the last that was written."""
    if len(models) == 1:
        return model_sources(models[0], keeps_input)
    files: dict[str, str] = {}
    for model in models:
        own = model_sources(model, keeps_input, f"mcuq_model_{model.name}")
        files |= {**own, f"mcuq_joined_{model.name}.c": own["mcuq_joined.c"]}
    del files["mcuq_joined.c"]
    kept_bytes = max(tensor_bytes(model)[0] for model in models)
    kept = f"extern int8_t {KEPT_INPUT}[{kept_bytes}];\nint8_t {KEPT_INPUT}[{kept_bytes}];\n" if keeps_input else ""
    files["mcuq_models.c"] = _TABLE.substitute(
        declarations="".join(f"extern const struct mcuq_model mcuq_model_{model.name};\n" for model in models) + kept,
        addresses=", ".join(f"&mcuq_model_{model.name}" for model in models),
    )
    return files


def model_sources(model: CompiledModel, keeps_input: bool, symbol: str = "mcuq_model") -> Mapping[str, str]:
    """File name -> C of the joined model, called `symbol`; `NAME.c` is not to be compiled, `mcuq_joined.c` includes it.

    With `keeps_input` there is a place for the input outside the arena, so that one input can be run many times: its
    own, or, of one of several models, theirs. An input that comes row by row has a place for one row alone. Raises
    ArtifactError where the model's C is not as mcuq wrote it.
    """
    listing = model.checked_listing()
    is_alone = symbol == "mcuq_model"
    marked, layers, arrays = marked_source(model.files[f"{model.name}.c"], listing), listing.layers, listing.arrays
    ports = model.accessors
    placed, made = () if listing.push else model.wire.inputs, model.wire.outputs
    sides = [[ports[name] for name in names] for names in (placed, made)]
    keeps_input &= listing.push is None
    input_bytes, output_bytes = tensor_bytes(model)
    joined = _FILE.substitute(
        name=model.name,
        NAME=model.name.upper(),
        **_arena(model),
        blob=_blob(model),
        inputs=_table("const struct mcuq_tensor inputs", [_tensor(model, name, ports[name]) for name in placed]),
        inputs_or_none="inputs" if placed else "0",
        outputs=_table("const struct mcuq_tensor outputs", [_tensor(model, name, ports[name]) for name in made]),
        constants=_table("const struct mcuq_constant constants", [_constant(model, name) for name in arrays]),
        constants_or_none="constants" if arrays else "0",
        kept_input=(f"static int8_t kept_input[{input_bytes}];" if is_alone else f"extern int8_t {KEPT_INPUT}[];")
        if keeps_input
        else "",
        kept_input_or_none=("kept_input" if is_alone else KEPT_INPUT) if keeps_input else "0",
        symbol=symbol,
        layer_cycles=f"static uint32_t layer_cycles[{len(layers)}];" if layers else "",
        layer_cycles_or_none="layer_cycles" if layers else "0",
        **_run(model, [port for side in sides for port in side if port != ports.get(STATE)]),
        start_or_none=model.start or "0",
        blob_fields="" if model.blob is None else _blob_fields(model.name, model.blob),
        arena_bytes=model.arena_bytes,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        n_inputs=len(sides[0]),
        n_outputs=len(sides[1]),
        n_constants=len(arrays),
        layers=len(layers),
    )
    return {**model.sources, "mcuq_joined.c": joined, f"{model.name}.c": marked}


def _blob(model: CompiledModel) -> str:
    """Declarations of a blob, which is in a file of its own."""
    if model.blob is None:
        return ""
    array = f"extern const uint64_t {blob_array(model.name)}[{len(model.blob) // 8}];"
    return f"\n{array}\nint32_t {model.start}(void);\n"


def _blob_fields(name: str, blob: bytes) -> str:
    """What replaces it, where the board has slots for that."""
    fields = {"set_weights": f"{name}_set_weights", "blob": blob_array(name), "blob_bytes": f"{len(blob)}"}
    lines = "".join(f"    .{key} = {value},\n" for key, value in fields.items())
    return f"#if defined(MCUQ_WEIGHTS_ADDRESS)\n{lines}#endif\n"


def _arena(model: CompiledModel) -> dict[str, str]:
    """Its first byte, or a table of its parts."""
    if not model.listing.arenas:
        (part,) = model.arenas
        return {"arena": f"arena = (int8_t *){model.array_of(part)}", "arenas": ""}
    rows = [f"{{(int8_t *){model.array_of(part)}, sizeof {model.array_of(part)}}}" for part in model.arenas]
    return {"arena": "arenas = arenas", "arenas": _table("const struct mcuq_tensor arenas", rows) + "\n"}


def _constant(model: CompiledModel, name: str) -> str:
    """Place and bytes of an array: one of the C, or a part of the blob."""
    if name not in model.listing.offsets:
        return f"{{{name}, sizeof {name}}}"
    return f"{{(const int8_t *){blob_array(model.name)} + {name}, {model.listing.arrays[name]}}}"


def marked_source(text: str, listing: Listing) -> str:
    """The model's C with mcuq_layer_done(k) after the last call of each layer."""
    lines = text.split("\n")
    for number, layer in reversed(list(enumerate(listing.layers))):
        lines.insert(layer.calls[-1].line, f"    mcuq_layer_done({number});")
    return "\n".join(lines)


def _run(model: CompiledModel, ports: list[str]) -> dict[str, str]:
    """What an inference calls; where its input comes row by row, the row and what it is given to."""
    push = model.listing.push
    if push is None:
        return {"row": "", "row_fields": "", "run": f"{model.name}_run({', '.join(f'{port}()' for port in ports)})"}
    fields = {"row": "(int8_t *)row", "row_bytes": push.row_bytes, "reset": f"{model.name}_reset"}
    return {
        "row": f"static int32_t row[{-(-push.row_bytes // 4)}]; /* for its alignment */\n",
        "row_fields": "".join(f"    .{key} = {value},\n" for key, value in fields.items()),
        "run": f"{model.name}_push((const void *)row, 1)",
    }


def _tensor(model: CompiledModel, name: str, port: str) -> str:
    if name in (BEFORE, STATE):
        return f"{{(int8_t *){model.name}_states, sizeof {model.name}_states}}"
    macro = port.upper()
    return f"{{(int8_t *){model.array_with(name)} + {macro}_OFFSET, {bytes_of([name], model.graph)}}}"


def _table(declaration: str, rows: list[str]) -> str:
    if not rows:
        return ""
    lines = "\n".join(f"    {row}," for row in rows)
    return f"static {declaration}[] = {{\n{lines}\n}};"
