"""What can be tried against the errors that a diagnosis found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mcuq.diagnose.report import Diagnosis
from mcuq.quantize import METHODS, ROUNDINGS, CalibrationMethod, LayerScheme
from mcuq.report.candidates import Candidate

# How many of the worst layers get finer numbers.
WORST = (1, 2, 4, 8)


def remedies(found: Diagnosis, now: Candidate) -> Iterator[Candidate]:
    """Candidates that differ from `now` in one respect each, the cheapest to run first."""
    for name in METHODS:
        if name != now.method.name:
            yield replace(now, title=f"calibrator {name}", method=CalibrationMethod(name))
    other = replace(now.recovery, equalization=not now.recovery.equalization)
    yield replace(now, title="equalization" if other.equalization else "no equalization", recovery=other)
    for rounding in ROUNDINGS:
        if rounding != now.recovery.rounding:
            yield replace(now, title=f"rounding {rounding}", recovery=replace(now.recovery, rounding=rounding))
    clipped = replace(now.scheme, clip_weights=not now.scheme.clip_weights)
    yield replace(now, title="clipped weights" if clipped.clip_weights else "no clipped weights", scheme=clipped)
    targets = list(dict.fromkeys(_targets(found)))
    finer = LayerScheme(now.scheme.default.weights, "int16")
    for count in (n for n in WORST if n < len(targets)):
        yield _with_layers(now, f"int16 activations of {count} layer{'s' * (count != 1)}", targets[:count], finer)
    readers = [layer.name for layer in found.layers if layer.advice.part == "inputs" and not layer.advice.producers]
    if readers and now.scheme.input is None:
        wide = replace(now, scheme=replace(now.scheme, input="int16"))
        yield _with_layers(wide, "int16 inputs and what reads them", readers, finer)
    yield replace(now, title="int16 activations of all layers", scheme=replace(now.scheme, default=finer, layers={}))
    if targets:
        worst = [layer.name for layer in found.layers if layer.weights is not None][:1]
        yield _with_layers(now, "the worst layer in float", worst, LayerScheme("float32", "float32"))


def _targets(found: Diagnosis) -> Iterator[str]:
    """Layers whose outputs want finer numbers, those first that cost the model's output most."""
    for layer in found.layers:
        if layer.impact_db == float("inf"):
            return
        yield from layer.advice.producers or (layer.name,)


def _with_layers(now: Candidate, title: str, names: list[str], own: LayerScheme) -> Candidate:
    layers = {**{exactly(name): own for name in names}, **now.scheme.layers}
    return replace(now, title=title, scheme=replace(now.scheme, layers=layers))


def exactly(name: str) -> str:
    """The pattern that matches this layer's name alone."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
