"""Sound and sensors as data for a network: WAV files and recordings -> the inputs that the front end gives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcuq.errors import DataError, ModelError
from mcuq.front_end.fft import Integers
from mcuq.front_end.folders import listed_files
from mcuq.front_end.front_end import FrontEnd
from mcuq.front_end.recorded import is_recording, read_recording
from mcuq.front_end.sensor import Sensor
from mcuq.front_end.wav import SUFFIX, is_wav, read_wav
from mcuq.graph.ir import Graph
from mcuq.graph.rows import of_shape

Array = NDArray[Any]


@dataclass(frozen=True)
class HeldFrames:
    """How an input holds frames: so many, and each feature's values together where `features_first`; `hop_frames` of
    them are new in each inference, and outputs are those of a window once `full_frames` came."""

    name: str
    shape: tuple[int, ...]
    frames: int
    features_first: bool
    hop_frames: int
    full_frames: int

    def of(self, values: Array) -> Array:
        """(inferences, *shape) of a stream's (frames, features)."""
        starts = range(0, len(values) - self.frames + 1, self.hop_frames)
        found = [values[i : i + self.frames].T if self.features_first else values[i : i + self.frames] for i in starts]
        return np.stack(found).reshape(-1, *self.shape)


def held_frames(graph: Graph, front: FrontEnd | Sensor, model: str) -> HeldFrames:
    """How the one input of a graph, but for states, holds the front end's frames: of one that streams the new ones.
    Raises ModelError where it does not.

    Of two dimensions that both are as many as a frame's features the last one is theirs.
    """
    where = f"model '{model}': --front-end"
    if len(graph.given_inputs) != 1:
        names = ", ".join(f"'{name}'" for name in graph.given_inputs)
        raise ModelError(
            f"{where}: feeds one input, the model has {len(graph.given_inputs)} ({names}); make the others constants "
            "or states (--fix-input, --state)"
        )
    (name,) = graph.given_inputs
    shape, own = graph.tensors[name].shape, graph.stream
    if own is None:
        frames, features_first = _frames_of(shape, name, front, where)
        return HeldFrames(name, shape, frames, features_first, front.hop_frames, frames)
    window = of_shape(shape, own.axis, own.window)
    frames, features_first = _frames_of(window, name, front, where)
    behind = [size for size in window[own.axis + 1 :] if size > 1]
    if frames != own.window or bool(behind) == features_first:
        raise ModelError(
            f"{where}: its frames are not along dimension {own.axis} of input '{name}' of shape "
            f"{'x'.join(map(str, window))}, which --stream names; give the other one"
        )
    if front.hop_frames not in (1, own.hop):
        raise ModelError(
            f"{where}: has hop_frames = {front.hop_frames}, and --stream takes {own.hop} frames a call; leave out "
            f"hop_frames, or give --stream {own.axis}:{front.hop_frames}"
        )
    return HeldFrames(name, shape, own.hop, features_first, own.hop, own.calls * own.hop)


def _frames_of(shape: tuple[int, ...], name: str, front: FrontEnd | Sensor, where: str) -> tuple[int, bool]:
    """How many frames an input holds, and whether each feature's values lie together."""
    features = front.features
    sizes = [size for size in shape if size > 1]
    if sizes == [features] or (not sizes and features == 1):
        return 1, False
    if len(sizes) == 2 and features in sizes:
        first = sizes[1] != features
        return (sizes[1] if first else sizes[0]), first
    if len(sizes) == 1 and sizes[0] % features == 0:
        return sizes[0] // features, False
    raise ModelError(
        f"{where}: input '{name}' of shape {'x'.join(map(str, shape))} does not hold frames of {features} features "
        f"({front.described()}); give one of frames and {features}, in either order"
    )


def is_heard(data: object, front: FrontEnd | Sensor) -> bool:
    """Whether it is a file that the front end takes, a folder of some, or one with such a folder for each class."""
    if not isinstance(data, str | Path):
        return False
    path = Path(data)
    return _taker(front)[0](path) or (path.is_dir() and any(listed_files(path, *_taker(front)).values()))


def heard(
    data: object, graph: Graph, front: FrontEnd | Sensor, model: str, step: Callable[[Integers], Array] | None = None
) -> tuple[dict[str, Array], Array] | dict[str, Array] | list[dict[str, Array]]:
    """What `data`, which `is_heard`, is to the network: inputs, with labels where folders are classes; for a model with
    states a sequence a file. `step` are real values of integer features (default: those that are not yet quantized).

    Raises DataError where a file is too short for one inference, or not as `read_wav` or `read_recording` takes them.
    """
    held, path = held_frames(graph, front, model), Path(str(data))
    folders = {path.parent: [path]} if _taker(front)[0](path) else listed_files(path, *_taker(front))
    parts, labels = [], []
    for label, (folder, files) in enumerate(folders.items()):
        for file in files:
            where = f"{folder.name}/{file.name}"
            if isinstance(front, Sensor):
                samples = read_recording(file, where, front.channels)
            else:
                samples = read_wav(file, where, front.sample_rate_hz)
            least = front.samples(held.full_frames)
            if len(samples) < least:
                raise DataError(
                    f"{where}: has {len(samples):,} samples, too few for one inference, which takes {least:,}; record "
                    "longer ones"
                )
            integers = front.integers(samples)
            parts.append(held.of(front.real(integers) if step is None else step(integers)))
            labels += [label] * len(parts[-1])
    if graph.states:
        return [{held.name: part} for part in parts]
    inputs = {held.name: np.concatenate(parts)}
    return (inputs, np.array(labels)) if len(folders) > 1 else inputs


def _taker(front: FrontEnd | Sensor) -> tuple[Callable[[Path], bool], str]:
    """What files the front end takes, and what they are called."""
    return (is_recording, ".csv or .npy") if isinstance(front, Sensor) else (is_wav, SUFFIX)
