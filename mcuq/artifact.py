"""A compiled model on disk: NAME.c, NAME.h, NAME.weights.bin if its constants are external, and NAME.mcuq with what
the later verbs need.

NAME.mcuq is a zip: manifest.json (the graph without its data), constants.npz and model.onnx. It is data only;
nothing in it is executed when it is read.
"""

from __future__ import annotations

import io
import json
import shlex
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from mcuq.after.read import parse_after
from mcuq.boards.find import parse_board
from mcuq.boards.read import RAM_NAME
from mcuq.compile import CompiledModel
from mcuq.emit.identifiers import file_identifier, identifier
from mcuq.emit.listing import ListedCall, ListedFast, ListedLayer, ListedPush, ListedSteps, Listing
from mcuq.emit.qdq_export import export_qdq
from mcuq.emit.weights import CHECKED_BYTES, weights_file
from mcuq.errors import ArtifactError
from mcuq.front_end.read import parse_front_end
from mcuq.graph.ir import Graph, Node, State, Stream, StreamedOutput, verify
from mcuq.graph.tensor import Array, ChannelQuant, Integers, Quant, Tensor
from mcuq.lower import parse_goal, parse_placement, parse_solver
from mcuq.lower.memories import parse_memories
from mcuq.lower.placement import parse_fast
from mcuq.ops import OPS
from mcuq.ops.recurrent_activation import Activation
from mcuq.ops.window import Window
from mcuq.plan.arena_map import KINDS, ArenaMap, Box, MapStep
from mcuq.plan.arena_part import ArenaPart
from mcuq.quantize import Judgement, Origin, OutputQuality, Pruned
from mcuq.system.durable import replace_together, settled, write_whole
from mcuq.system.regular_file import what_is_no_file
from mcuq.system.unpacking import check_unpacking
from mcuq.version import __version__

FORMAT = 9
_TYPES: Mapping[str, type] = {**OPS, **{t.__name__: t for t in (Window, Activation, Origin, Judgement, OutputQuality)}}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can state: the same model gives the same bytes


def save(model: CompiledModel, folder: str | Path) -> list[Path]:
    """Write the model's files into the folder, which is created; all of them appear or none.

    Returns their paths. Raises ArtifactError where the folder cannot be written; files of an earlier save are then
    as they were.
    """
    return save_all([model], folder)


def save_all(models: Sequence[CompiledModel], folder: str | Path) -> list[Path]:
    """Write the files of all models into one folder, as `save` does: all of them appear or none.

    Raises ArtifactError, too, where there are none or two have one name, whatever the case.
    """
    folder = Path(folder)
    if not models:
        raise ArtifactError(f"{folder}: no models are given to be saved; give one or more")
    named: dict[str, str] = {}
    for name in (model.name for model in models):
        if other := named.get(name.lower()):
            raise ArtifactError(
                f"{folder}: models '{other}' and '{name}' would have the same files; give each a name of its "
                "own: --name"
            )
        named[name.lower()] = name
    contents: dict[str, bytes] = {}
    for model in models:
        contents |= {name: text.encode() for name, text in model.files.items()}
        if model.blob is not None:
            contents[weights_file(model.name)] = model.blob
        contents[f"{model.name}.mcuq"] = _pack(model)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_together(folder / f"{models[0].name}.mcuq", contents)
    except OSError as error:
        raise ArtifactError(f"{folder}: cannot be written: {error.strerror}; choose another folder with -o") from None
    except zipfile.BadZipFile:
        raise ArtifactError(
            f"{folder}: holds a damaged journal NAME.mcuq.new; remove it, or choose another folder with -o"
        ) from None
    return [folder / name for name in contents]


def save_qdq(model: CompiledModel, folder: str | Path) -> Path:
    """Write the quantized model as NAME_qdq.onnx into the folder; returns its path. Raises ArtifactError where that
    cannot be written."""
    path = Path(folder) / f"{model.name}_qdq.onnx"
    return save_bytes(path, export_qdq(model.graph).SerializeToString(deterministic=True))


def save_text(path: Path, text: str) -> Path:
    """Write a text beside a model; returns its path. Raises ArtifactError where that cannot be written."""
    return save_bytes(path, text.encode())


def save_bytes(path: Path, data: bytes) -> Path:
    """The file appears whole or not at all. Raises ArtifactError where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be written: {error.strerror}; choose another folder with -o") from None
    return path


def is_compiled(path: str | Path) -> bool:
    """Whether `load` is to read it: a folder or a .mcuq file."""
    return Path(path).is_dir() or Path(path).suffix == ".mcuq"


def load(folder: str | Path) -> CompiledModel:
    """Read back what `save` wrote. `folder` may also be the .mcuq file itself.

    The C files are read as they are on disk, so that a run proves what the user has. Raises ArtifactError for a
    folder without a compiled model or with several, and for a damaged one.
    """
    path = Path(folder)
    home = path if path.is_dir() else path.parent
    try:
        with settled(home, ".mcuq"):
            return _load(_artifact_path(path))
    except (OSError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            f"{home}: a save was cut off and cannot be completed ({type(error).__name__}); compile the model again"
        ) from None


def load_all(folder: str | Path) -> tuple[CompiledModel, ...]:
    """What `save_all` wrote, in the order of the names; `folder` may also be one .mcuq file. Raises ArtifactError as
    `load` does."""
    path = Path(folder)
    found = sorted(path.glob("*.mcuq")) if path.is_dir() else []
    return tuple(load(each) for each in found) if len(found) > 1 else (load(path),)


def _load(path: Path) -> CompiledModel:
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(_part(archive, "manifest.json"))
            if manifest["format"] != FORMAT:
                raise ArtifactError(
                    f"{path.name}: has format {manifest['format']}, this mcuq ({__version__}) reads {FORMAT}; "
                    "compile the model again"
                )
            graph = _graph_from(manifest["graph"], _arrays(_part(archive, "constants.npz")))
            onnx_model = _part(archive, "model.onnx")
        onnx.load_model_from_string(onnx_model)
        arena = manifest["shared_arena"]
        names = _c_files(manifest["name"]) + (_c_files(arena) if arena else ())
        front = parse_front_end(manifest["front_end"]) if "front_end" in manifest else None
        names += () if front is None else _c_files(f"{manifest['name']}_front_end")
        after = parse_after(**manifest["after"]) if "after" in manifest else None
        names += () if after is None else _c_files(f"{manifest['name']}_after")
        files = {name: _regular(path.parent / name).read_bytes().decode() for name in names}
        fast = manifest["fast_weights"]
        placement = replace(
            parse_placement(manifest["weights"]),
            arena=arena,
            fast=parse_fast(fast) if fast else None,
            copied_bytes=int(manifest.get("copied_bytes", 0)),
        )
        blob_path = path.parent / weights_file(manifest["name"])
        if placement.is_external != (len(bytes.fromhex(manifest["listing"]["weights_head"])) == CHECKED_BYTES):
            raise ValueError("it is not said what weights are to begin with")
        return CompiledModel(
            manifest["name"],
            parse_board(manifest["board"], f"{manifest['board_name']}.toml"),
            graph,
            onnx_model,
            files,
            _listing_from(manifest["listing"]),
            int(manifest["arena_bytes"]),
            int(manifest["constant_bytes"]),
            _origin_from(manifest["origin"]),
            Pruned(**manifest["pruned"]),
            parse_goal(manifest["optimize"]),
            _arena_map_from(manifest["arena_map"]),
            manifest.get("max_ram_bytes"),
            placement,
            _regular(blob_path).read_bytes() if placement.is_external else None,
            frozenset(map(str, manifest["names"])),
            tuple(use for text in manifest["memories"] for use in parse_memories(text)),
            parse_solver(manifest["solver"]),
            front,
            after,
        )
    except FileNotFoundError as error:
        missing = Path(str(error.filename)).name
        raise ArtifactError(
            f"{path.parent}: '{missing}' is missing beside {path.name}; compile the model again"
        ) from None
    except ArtifactError:
        raise
    except Exception as error:  # whatever damaged bytes make of zip, JSON, npy, board and graph
        raise ArtifactError(f"{path}: is damaged ({type(error).__name__}); compile the model again") from None


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    check_unpacking(archive.getinfo(name))
    return archive.read(name)


def _arrays(npz: bytes) -> dict[str, Array]:
    with np.load(io.BytesIO(npz), allow_pickle=False) as data:
        for part in data.zip.infolist():
            check_unpacking(part)
        return {key: data[key] for key in data.files}


def _regular(path: Path) -> Path:
    """The path; ArtifactError where reading it may never end."""
    if kind := what_is_no_file(path):
        raise ArtifactError(f"{path}: is {kind}; give the folder of a compiled model")
    return path


def _c_files(name: str) -> tuple[str, ...]:
    """The names of the model's C files, or a shared arena's; ValueError where `name` is none, such as a path."""
    if name not in (identifier(name), file_identifier(name)):
        raise ValueError(f"'{name}' is no model's name")
    return f"{name}.c", f"{name}.h"


def _artifact_path(path: Path) -> Path:
    if _regular(path).is_file():
        if path.suffix == ".mcuq":
            return path
        hint = (
            f"compile it first: mcuq compile {shlex.quote(str(path))} --board NAME"
            if path.suffix in (".onnx", ".tflite")
            else f"give the folder that compile wrote, as in {shlex.quote(str(path.parent))}"
        )
        raise ArtifactError(f"{path}: is no compiled model; {hint}")
    found = sorted(path.glob("*.mcuq"))
    if not found:
        raise ArtifactError(
            f"{path}: holds no compiled model; make one: mcuq compile MODEL --board NAME -o {shlex.quote(str(path))}"
        )
    if len(found) > 1:
        names = ", ".join(f.name for f in found)
        raise ArtifactError(f"{path}: holds several compiled models ({names}); give the path of one of them")
    return _regular(found[0])


def _pack(model: CompiledModel) -> bytes:
    constants = {t.name: t.values for t in model.graph.tensors.values() if t.is_constant}
    manifest = {
        "format": FORMAT,
        "version": __version__,
        "name": model.name,
        "board_name": model.board.name,
        "board": model.board.source,
        "arena_bytes": model.arena_bytes,
        "constant_bytes": model.constant_bytes,
        "pruned": asdict(model.pruned),
        "optimize": model.optimize,
        **({} if model.max_ram_bytes is None else {"max_ram_bytes": model.max_ram_bytes}),
        "weights": model.placement.text,
        "fast_weights": model.placement.fast.text if model.placement.fast else "",
        **({"copied_bytes": model.placement.copied_bytes} if model.placement.copied_bytes else {}),
        "shared_arena": model.placement.arena,
        "memories": [use.text for use in model.memories],
        "solver": model.solver,
        **({} if model.front_end is None else {"front_end": model.front_end.source}),
        **({} if model.after is None else {"after": model.after.manifest()}),
        "names": sorted(model.names),
        "origin": _encode(model.origin),
        "listing": asdict(model.listing),
        "arena_map": asdict(model.arena_map),
        "graph": _graph_manifest(model.graph, list(constants)),
    }
    arrays = io.BytesIO()
    with zipfile.ZipFile(arrays, "w", zipfile.ZIP_DEFLATED) as archive:
        for index, data in enumerate(constants.values()):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(data).reshape(data.shape), allow_pickle=False)
            archive.writestr(_member(f"{index}.npy"), member.getvalue())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_member("manifest.json"), json.dumps(manifest, indent=1))
        archive.writestr(_member("constants.npz"), arrays.getvalue())
        archive.writestr(_member("model.onnx"), model.onnx_model)
    return packed.getvalue()


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _graph_manifest(graph: Graph, constants: list[str]) -> dict[str, Any]:
    return {
        "name": graph.name,
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        **({"states": [asdict(state) for state in graph.states]} if graph.states else {}),
        **({"stream": asdict(graph.stream)} if graph.stream else {}),
        "nodes": [
            {"name": n.name, "op": _encode(n.op), "inputs": n.inputs, "output": n.output, "source": n.source}
            for n in graph.nodes
        ],
        "tensors": [
            {
                "name": t.name,
                "shape": t.shape,
                "dtype": t.dtype,
                "data": str(constants.index(t.name)) if t.is_constant else None,
                "packing": t.packing,
                "quant": None if t.quant is None else asdict(t.quant),
            }
            for t in graph.tensors.values()
        ],
    }


def _graph_from(manifest: dict[str, Any], constants: Mapping[str, np.ndarray[Any, Any]]) -> Graph:
    tensors = {
        t["name"]: Tensor(
            t["name"],
            tuple(t["shape"]),
            t["dtype"],
            None if t["data"] is None else constants[t["data"]],
            None if t["quant"] is None else _quant_from(t["quant"]),
            t["packing"],
        )
        for t in manifest["tensors"]
    }
    nodes = tuple(
        Node(n["name"], _decode(n["op"]), tuple(n["inputs"]), n["output"], n["source"]) for n in manifest["nodes"]
    )
    if not manifest["inputs"] or not manifest["outputs"]:
        raise ValueError("no model is without inputs or outputs")
    states = tuple(State(str(s["input"]), str(s["output"]), float(s["initial"])) for s in manifest.get("states", ()))
    ports = tuple(manifest["inputs"]), tuple(manifest["outputs"])
    own = manifest.get("stream")
    if own is not None:
        outputs = tuple(StreamedOutput(**output) for output in own["outputs"])
        own = Stream(**{**own, "outputs": outputs, "whole": tuple(own["whole"])})
    return verify(Graph(manifest["name"], nodes, tensors, *ports, states, own))


def _quant_from(manifest: dict[str, Any]) -> Quant:
    """A ChannelQuant has zero points besides, Integers their bounds."""
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in manifest.items()
    }
    kind = ChannelQuant if "zero_points" in values else Integers if "low" in values else Quant
    return kind(**values)


def _origin_from(manifest: dict[str, Any]) -> Origin:
    """ValueError where it is something else."""
    origin = _decode(manifest)
    if not isinstance(origin, Origin):
        raise ValueError(f"'{manifest['type']}' is no origin")
    return origin


def _arena_map_from(manifest: dict[str, Any]) -> ArenaMap:
    """ValueError where boxes are none."""
    boxes = tuple(
        Box(
            str(box["name"]),
            str(box["kind"]),
            *(int(box[key]) for key in ("offset", "size_bytes", "first", "last")),
        )
        for box in manifest["boxes"]
    )
    steps = tuple(MapStep(str(step["name"]), str(step["operator"])) for step in manifest["steps"])
    if not all(box.kind in KINDS and -1 <= box.first <= box.last <= len(steps) for box in boxes):
        raise ValueError("a box is of no kind or step")
    return ArenaMap(boxes, steps, int(manifest["size_bytes"]), int(manifest["least_bytes"]))


def _listing_from(manifest: dict[str, Any]) -> Listing:
    layers = tuple(
        ListedLayer(
            layer["name"],
            layer["index"],
            layer["output_offset"],
            tuple(ListedCall(call["function"], tuple(call["arrays"]), call["line"]) for call in layer["calls"]),
        )
        for layer in manifest["layers"]
    )
    push = None if manifest["push"] is None else ListedPush(**manifest["push"])
    copies = tuple((str(layer), int(size_bytes)) for layer, size_bytes in manifest.get("copies", ()))
    fast = None if manifest["fast"] is None else ListedFast(**manifest["fast"])
    arenas = tuple(_part_from(part) for part in manifest["arenas"])
    steps = None
    if manifest.get("steps") is not None:
        too_long = tuple((str(layer), int(cycles)) for layer, cycles in manifest["steps"]["too_long"])
        steps = ListedSteps(**{**manifest["steps"], "too_long": too_long})
    order = tuple(manifest["order"])
    read = {"layers": layers, "order": order, "push": push, "arenas": arenas, "fast": fast, "copies": copies}
    return Listing(**{**manifest, **read, "steps": steps})


def _part_from(manifest: dict[str, Any]) -> ArenaPart:
    """ValueError where it is none: its name is one of C."""
    part = ArenaPart(str(manifest["memory"]), int(manifest["start"]), int(manifest["size_bytes"]))
    if part.memory and not RAM_NAME.fullmatch(part.memory):
        raise ValueError(f"'{part.memory}' is no memory")
    return part


def _encode(value: Any) -> Any:
    """Operators, origins and what their fields hold as JSON values."""
    if is_dataclass(value):
        return {"type": type(value).__name__, **{f.name: _encode(getattr(value, f.name)) for f in fields(value)}}
    return [_encode(item) for item in value] if isinstance(value, tuple) else value


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        arguments = {key: _decode(item) for key, item in value.items() if key != "type"}
        return _TYPES[value["type"]](**arguments)
    return tuple(_decode(item) for item in value) if isinstance(value, list) else value
