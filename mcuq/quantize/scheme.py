"""In which numbers a network computes: for the whole of it, for some layers, and at its inputs and outputs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mcuq.errors import QuantizationError, did_you_mean
from mcuq.graph.quantization import ActivationOptions, WeightOptions
from mcuq.quantize.grid import Codebook, Grid
from mcuq.quantize.numbers import ACTIVATIONS, INPUT_SCALES, WEIGHTS, Weights
from mcuq.system.regular_file import what_is_no_file
from mcuq.toml_text import instead_of, parse_toml

FLOAT_REACH = 2**15  # finer than any integer weights
PORTS = ("int8", "uint8", "int16", "float32")


@dataclass(frozen=True)
class LayerScheme:
    """What the weights of a layer are stored as, and what it writes: names of mcuq.quantize.numbers.

    Where `activations`, the layer's output, are floats and the weights are integers, the range of its input is found on
    the device at each inference.
    """

    weights: str = "int8"
    activations: str = "int8"

    @property
    def stored(self) -> Weights:
        """What is known of the weights."""
        return WEIGHTS[self.weights]

    @property
    def writes_floats(self) -> bool:
        """Whether its output has no scale."""
        return ACTIVATIONS[self.activations].is_float


# Names that --scheme takes, beside the path of a .toml file.
NAMED: Mapping[str, LayerScheme] = {
    "int8": LayerScheme(),
    "int16": LayerScheme("int8", "int16"),
    "int4": LayerScheme("int4"),
    "int2": LayerScheme("int2"),
    "ternary": LayerScheme("ternary"),
    "binary": LayerScheme("binary"),
    "codebook": LayerScheme("codebook"),
    "float16": LayerScheme("float16", "float32"),
    "dynamic": LayerScheme("int8", "float32"),
    "float32": LayerScheme("float32", "float32"),
}


@dataclass(frozen=True)
class Scheme:
    """`default` for all layers but those in `layers`, whose keys are names of layers or patterns such as "conv*", the
    first that matches counting; `input` and `output` are the types of the model's inputs and outputs (None: what its
    layers read and write).

    `per_channel`: one weight scale for each output channel, else one a layer. `symmetric`: activations of zero point 0.
    `power_of_two`: all scales are powers of two, so that requantization is a shift. `clip_weights`: int8 weights have
    the scale of least squared error, which may clip the largest; weights of fewer bits always have.
    `input_scale`: "auto" gives each channel of an input a scale of its own where they differ (input_channels.py),
    "per-tensor" never. `states` has the type of each state of the model, by its input (states.py).
    """

    default: LayerScheme = LayerScheme()
    layers: Mapping[str, LayerScheme] = field(default_factory=dict, hash=False)
    input: str | None = None
    output: str | None = None
    per_channel: bool = True
    symmetric: bool = False
    power_of_two: bool = False
    clip_weights: bool = False
    input_scale: str = "auto"
    states: tuple[tuple[str, str], ...] = ()

    def of(self, *names: str) -> LayerScheme:
        """The scheme of the layer that has these names."""
        return next((own for pattern, own in self.layers.items() if _matches(names, pattern)), self.default)

    def grid_of(self, *names: str) -> Grid | Codebook:
        """The grid of the integer weights of the layer that has these names."""
        grid = self.of(*names).stored.grid
        assert grid is not None, "floats are not rounded"
        return replace(grid, fit="mse") if self.clip_weights and isinstance(grid, Grid) else grid

    def reach_of(self, *names: str) -> int:
        """The largest level of a layer's weights if its levels were evenly spread: what their resolution amounts to."""
        if self.of(*names).stored.is_float:
            return FLOAT_REACH
        grid = self.grid_of(*names)
        return grid.size // 2 if isinstance(grid, Codebook) else grid.reach

    @property
    def splits_inputs(self) -> bool:
        """Whether channels of an input may get scales of their own."""
        return INPUT_SCALES[self.input_scale].splits

    @property
    def weight_options(self) -> WeightOptions:
        """Limits on the scales of weights."""
        return WeightOptions(self.per_channel, self.power_of_two)

    @property
    def activation_options(self) -> ActivationOptions:
        """Limits on the quantization of activations."""
        return ActivationOptions(self.symmetric, self.power_of_two)

    def check_layers(self, names: Iterable[str], where: str = "scheme") -> None:
        """Raise QuantizationError for an override that no layer's name matches."""
        known = list(dict.fromkeys(names))
        for pattern in self.layers:
            if not _matches(known, pattern):
                hint = did_you_mean(pattern, known) or f"; layers: {', '.join(known)}"
                raise QuantizationError(f'{where} [layers."{pattern}"]: no layer has this name{hint}')

    def shared_names(self, layers: Iterable[tuple[str, ...]]) -> dict[str, list[str]]:
        """The overrides that name no layer but what the model calls several by -> those layers, each given with all its
        names, its own first."""
        known = list(layers)
        own = {names[0] for names in known}
        found = {
            pattern: [names[0] for names in known if pattern in names] for pattern in self.layers if pattern not in own
        }
        return {pattern: names for pattern, names in found.items() if len(names) > 1}


def _matches(names: Iterable[str], pattern: str) -> bool:
    """Whether one of the names is the pattern, which may hold brackets, or is of its form."""
    return any(name == pattern or fnmatchcase(name, pattern) for name in names)


INT8_SCHEME = Scheme()


def parse_scheme(text: str) -> Scheme:
    """A name of NAMED, or the path of a .toml file. Raises QuantizationError for anything else."""
    if text.endswith(".toml"):
        return read_scheme(Path(text))
    if text not in NAMED:
        raise QuantizationError(
            f"scheme '{text}': is not known; use {', '.join(NAMED)} or a .toml file{did_you_mean(text, NAMED)}"
        )
    return Scheme(NAMED[text])


def read_scheme(path: Path) -> Scheme:
    """The scheme of a TOML file, read strictly:

        scheme = "int8"           # a name of NAMED; or weights = ..., activations = ...
        input = "uint8"           # types at the model's edges: int8, uint8, int16, float32
        input_scale = "auto"      # or "per-tensor"
        per_channel = true
        [layers."conv_7"]         # a layer's name or a pattern
        weights = "int4"
        activations = "int16"

    Raises QuantizationError for what is unknown or of the wrong type.
    """
    if kind := what_is_no_file(path):
        raise QuantizationError(f"{path}: is {kind}; give a scheme's name or a .toml file")
    try:
        values = parse_toml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise QuantizationError(f"{path}: no such file; give a scheme's name or a .toml file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise QuantizationError(f"{path.name}: cannot be read ({type(error).__name__})") from None
    except ValueError as error:
        raise QuantizationError(f"{path.name}: is not TOML: {error}") from None
    return _scheme(path.name, values)


def scheme_name(scheme: Scheme) -> str:
    """Its name where it has one, else its default's and what differs, in a line."""
    named = next((name for name, own in NAMED.items() if own == scheme.default), None)
    text = [named or f"{scheme.default.weights} weights and {scheme.default.activations} activations"]
    text += [f"{key} {value}" for key in ("input", "output") if (value := getattr(scheme, key)) is not None]
    text += [f"{key} {getattr(scheme, key)}" for key in _SWITCHES if getattr(scheme, key) != getattr(Scheme(), key)]
    if scheme.layers:
        text.append(f"{len(scheme.layers)} rules for layers")
    return " with ".join([text[0], ", ".join(text[1:])]) if text[1:] else text[0]


def scheme_toml(scheme: Scheme) -> str:
    """The text of a file that `read_scheme` reads as this scheme."""

    def own(layer: LayerScheme) -> list[str]:
        return [f'weights = "{layer.weights}"', f'activations = "{layer.activations}"']

    lines = own(scheme.default)
    default = Scheme()
    lines += [
        f'{key} = "{value}"'
        for key in ("input", "output", "input_scale")
        if (value := getattr(scheme, key)) != getattr(default, key)
    ]
    lines += [
        f"{key} = {str(getattr(scheme, key)).lower()}"
        for key in _SWITCHES
        if getattr(scheme, key) != getattr(default, key)
    ]
    for name, layer in scheme.layers.items():
        # A JSON string is a basic string of TOML too.
        lines += ["", f"[layers.{json.dumps(name, ensure_ascii=False)}]", *own(layer)]
    return "\n".join(lines) + "\n"


_SWITCHES = ("per_channel", "symmetric", "power_of_two", "clip_weights")
_KEYS = ("scheme", "weights", "activations", "input", "output", "input_scale", *_SWITCHES, "layers")


def _scheme(where: str, values: Mapping[str, Any]) -> Scheme:
    _known(where, values, _KEYS)
    default = _layer_scheme(where, values, LayerScheme())
    layers = values.get("layers", {})
    if not isinstance(layers, dict):
        raise QuantizationError(f"{where} [layers]: must be a table, is {layers!r}")
    own = {}
    for name, table in layers.items():
        inner = f'{where} [layers."{name}"]'
        if not isinstance(table, dict):
            raise QuantizationError(f"{inner}: must be a table, is {table!r}")
        _known(inner, table, ("scheme", "weights", "activations"))
        own[name] = _layer_scheme(inner, table, default)
    given: dict[str, Any] = {}
    for key, choices in (("input", PORTS), ("output", PORTS), ("input_scale", tuple(INPUT_SCALES))):
        if key in values:
            given[key] = _choice(where, key, values[key], choices)
    for key in _SWITCHES:
        if key in values:
            if not isinstance(values[key], bool):
                raise QuantizationError(f"{where}: {key} = {values[key]!r} must be true or false")
            given[key] = values[key]
    return Scheme(default, own, **given)


def _layer_scheme(where: str, values: Mapping[str, Any], default: LayerScheme) -> LayerScheme:
    found = default
    if "scheme" in values:
        found = NAMED[_choice(where, "scheme", values["scheme"], tuple(NAMED))]
    if "weights" in values:
        found = replace(found, weights=_choice(where, "weights", values["weights"], tuple(WEIGHTS)))
    if "activations" in values:
        found = replace(found, activations=_choice(where, "activations", values["activations"], tuple(ACTIVATIONS)))
    return found


def _known(where: str, values: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    for key in values:
        if key not in keys:
            raise QuantizationError(f"{where}: unknown key '{key}'{instead_of(key, keys)}")


def _choice(where: str, key: str, value: object, choices: tuple[str, ...]) -> str:
    if value not in choices:
        near = did_you_mean(value, choices) if isinstance(value, str) else ""
        raise QuantizationError(f"{where}: {key} = {value!r} must be from: {', '.join(choices)}{near}")
    return str(value)
