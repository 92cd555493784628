"""What a device must hold, read from the C on disk: the model's digest, its constants, each layer's place."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from mcuq.compile import CompiledModel
from mcuq.emit.emitted import ELEMENT_BYTES, arena_offset, emitted_calls
from mcuq.emit.model import accessors
from mcuq.errors import ArtifactError
from mcuq.graph.operator import Layer

_ARRAY = re.compile(r"^static const (\w+) \w+\[\d+\](?: MCUQ_WEIGHTS)? = \{\n(.*?)\n\};", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class PlacedLayer:
    """A layer that has code, and the offset of its output from the start of the arena, in bytes."""

    layer: Layer
    offset: int


@dataclass(frozen=True)
class EmittedModel:
    """`digest` is the model's, as its header states it; `constants_crc` CRC-32 over the constant arrays in the order of
    the C file, little-endian, `constant_bytes` in all; `layers` as the device counts them."""

    digest: int
    constants_crc: int
    constant_bytes: int
    layers: tuple[PlacedLayer, ...]


def read_emitted(model: CompiledModel) -> EmittedModel:
    """Raises ArtifactError where the files are not what mcuq has written."""
    text, header = model.files[f"{model.name}.c"], model.files[f"{model.name}.h"]
    digest = re.search(rf"^#define {model.name.upper()}_DIGEST (0x[0-9a-f]+)u$", header, re.MULTILINE)
    if digest is None:
        raise ArtifactError(f"{model.name}.h: has no digest as mcuq writes it; compile the model again")
    crc = n_bytes = 0
    for c_type, values in _ARRAY.findall(text):
        data = _constants(c_type, values.split(","))
        crc, n_bytes = zlib.crc32(data, crc), n_bytes + len(data)
    return EmittedModel(int(digest[1], 16), crc, n_bytes, tuple(_layers(model, text, header)))


def _constants(c_type: str, values: list[str]) -> bytes:
    """The bytes of an initializer's numbers, little-endian."""
    if c_type == "float":
        return np.array([value.strip().removesuffix("f") for value in values], "<f4").tobytes()
    kind = np.dtype(f"<{'u' if c_type.startswith('u') else 'i'}{ELEMENT_BYTES[c_type]}")
    return np.array(values, np.int64).astype(kind).tobytes()


def _layers(model: CompiledModel, text: str, header: str) -> Iterator[PlacedLayer]:
    """Each layer's output is the last argument of its last call: `arena + N`, or a parameter of ID_run_in."""
    grouped = [list(calls) for _, calls in groupby(emitted_calls(text, model.name), lambda call: call.layer)]
    layers = [layer for layer in model.graph.layers() if not layer.op.is_view]
    if len(grouped) != len(layers):
        raise ArtifactError(
            f"{model.name}.c: calls {len(grouped)} layers, the model has {len(layers)}; compile the model again"
        )
    parameters = _parameter_offsets(model, text)
    for layer, calls in zip(layers, grouped, strict=True):
        place = calls[-1].arguments[-1]
        offset = arena_offset(place)
        if offset is None and place not in parameters:
            raise ArtifactError(f"{model.name}.c: {layer.where} writes to '{place}'; compile the model again")
        yield PlacedLayer(layer, parameters[place] if offset is None else offset)


def _parameter_offsets(model: CompiledModel, text: str) -> Mapping[str, int]:
    """Where the model's own arena has each input and output, by its parameter's name."""
    offsets = {}
    for function in accessors(model.graph, model.name).values():
        place = rf"(?:\(\w+ \*\)\(void \*\)\()?\(int8_t \*\){model.name}_arena \+ (\d+)\)?"
        body = rf"^\w+ \*{function}\(void\)\n\{{\n    return {place};\n\}}"
        found = re.search(body, text, re.MULTILINE)
        if found is None:
            raise ArtifactError(f"{model.name}.c: has no {function} as mcuq writes it; compile the model again")
        offsets[function.removeprefix(f"{model.name}_")] = int(found[1])
    return offsets
