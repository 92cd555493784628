"""The C file that joins a model to firmware/main.c: the model's own C with a mark after each layer, and its tables."""

from __future__ import annotations

import string
from collections.abc import Mapping

from mcuq.compile import CompiledModel
from mcuq.emit.listing import Listing
from mcuq.emit.weights import blob_array
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

const struct mcuq_model mcuq_model = {
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
    .n_inputs = $n_inputs,
    .n_outputs = $n_outputs,
    .n_constants = $n_constants,
    .layers = $layers,
};
""")


def tensor_bytes(model: CompiledModel) -> tuple[int, int]:
    """Bytes of all inputs and of all outputs."""
    sides = (model.graph.inputs, model.graph.outputs)
    inputs, outputs = (bytes_of(names, model.graph) for names in sides)
    return inputs, outputs


def model_macros(model: CompiledModel) -> dict[str, str]:
    """What the firmware is to be compiled with for the model: without code for rows where its input is whole, nor what
    gives it weights that it has."""
    needless = [*([] if model.is_pushed else ["MCUQ_NO_ROWS"]), *([] if model.start else ["MCUQ_NO_START"])]
    parts = model.listing.arenas
    needless += ["MCUQ_COPIES_WEIGHTS"] if model.listing.fast else []
    return {**dict.fromkeys(needless, "1"), **({"MCUQ_ARENAS": str(len(parts))} if parts else {})}


def model_sources(model: CompiledModel, keeps_input: bool) -> Mapping[str, str]:
    """File name -> C of the joined model; `NAME.c` is not to be compiled, `mcuq_joined.c` includes it.

    With `keeps_input` there is a place for the input outside the arena, so that one input can be run many times.
    An input that comes row by row has a place for one row alone. Raises ArtifactError where the model's C is not as
    mcuq wrote it.
    """
    listing = model.checked_listing()
    marked, layers, arrays = marked_source(model.files[f"{model.name}.c"], listing), listing.layers, listing.arrays
    ports = listing.accessors
    placed = () if listing.push else model.graph.inputs
    sides = [[ports[name] for name in names] for names in (placed, model.graph.outputs)]
    keeps_input &= listing.push is None
    input_bytes, output_bytes = tensor_bytes(model)
    joined = _FILE.substitute(
        name=model.name,
        NAME=model.name.upper(),
        **_arena(model),
        blob=_blob(model),
        inputs=_table("const struct mcuq_tensor inputs", [_tensor(model, name, ports[name]) for name in placed]),
        inputs_or_none="inputs" if placed else "0",
        outputs=_table(
            "const struct mcuq_tensor outputs", [_tensor(model, name, ports[name]) for name in model.graph.outputs]
        ),
        constants=_table("const struct mcuq_constant constants", [_constant(model, name) for name in arrays]),
        constants_or_none="constants" if arrays else "0",
        kept_input=f"static int8_t kept_input[{input_bytes}];" if keeps_input else "",
        kept_input_or_none="kept_input" if keeps_input else "0",
        layer_cycles=f"static uint32_t layer_cycles[{len(layers)}];" if layers else "",
        layer_cycles_or_none="layer_cycles" if layers else "0",
        **_run(model, [port for side in sides for port in side]),
        start_or_none=model.start or "0",
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
    macro = port.upper()
    return f"{{(int8_t *){model.array_with(name)} + {macro}_OFFSET, {bytes_of([name], model.graph)}}}"


def _table(declaration: str, rows: list[str]) -> str:
    if not rows:
        return ""
    lines = "\n".join(f"    {row}," for row in rows)
    return f"static {declaration}[] = {{\n{lines}\n}};"
