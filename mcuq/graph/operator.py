"""What an operator is: the interface that `mcuq.ops` implements and every stage uses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import ClassVar

import numpy as np

from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.rows import OWN_ROW, Band, RowWindow
from mcuq.graph.tensor import Array, ChannelQuant, Integers, Quant, Shape, Tensor

INT8 = frozenset({"int8"})

# (channels of an input, channels of the output that are made of them), pair by pair.
Tie = tuple[Array, Array]


@dataclass(frozen=True)
class Layer:
    """One node with its tensors at hand; `source` is what the model calls the node that it came from."""

    name: str
    op: Operator
    inputs: tuple[Tensor, ...]
    output: Tensor
    source: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All that the user may call it: its name and its source's."""
        return (self.name, self.source) if self.source else (self.name,)

    @property
    def where(self) -> str:
        """How error messages call it: Conv2d 'features.3'."""
        return f"{type(self.op).__name__} '{self.name}'"

    @property
    def activations(self) -> tuple[Tensor, ...]:
        """The inputs that are computed at run time."""
        return tuple(t for t in self.inputs if not t.is_constant)

    @property
    def moved(self) -> tuple[Tensor, ...]:
        """The inputs but those that say which values the output is of."""
        return tuple(t for index, t in enumerate(self.inputs) if index not in self.op.choosing)

    @property
    def is_integer(self) -> bool:
        """Whether a quantized layer reads, holds and writes integers alone."""
        return all(t.quant is not None for t in (*self.inputs, self.output))


@dataclass(frozen=True)
class Operator(ABC):
    """An operator with its attributes as fields. Every operator has exactly one output.

    One that ONNX files name has `from_onnx` too: ONNX operator type -> the function that adds it to a graph
    (mcuq.onnx_io.reader.FromOnnx).
    """

    # The output's bytes are the input's: no code, no memory of its own.
    is_view: ClassVar[bool] = False
    # Values are only moved, so that all activations share one scale and zero point.
    shares_scale: ClassVar[bool] = False
    # Each element is a function of those in its place in the inputs, which may broadcast.
    is_elementwise: ClassVar[bool] = False
    # The input's values in another element type, and nothing else.
    is_conversion: ClassVar[bool] = False
    # Where no input grows, no output does, in integers as in floats.
    is_monotone: ClassVar[bool] = False
    # Linear in each input on either side of its `bend`, but for rounding and clipping: extremes lie where those of
    # inputs and bends meet.
    is_multilinear: ClassVar[bool] = False
    # An index of a dimension of the output is made of values at indices of one dimension of each input, as `tie` says.
    passes_channels: ClassVar[bool] = False
    # What it gives hides errors of what it reads, and amplifies others: probabilities of scores.
    hides_errors: ClassVar[bool] = False
    # Which of values it takes, where steps do not tell them apart, says where others go.
    chooses_places: ClassVar[bool] = False
    # What its output may hold once the graph is quantized.
    dtypes: ClassVar[frozenset[str]] = INT8
    # Inputs, integers of the file, that say which values the output is of, or where, and are no such values.
    choosing: ClassVar[tuple[int, ...]] = ()
    # Whether its inputs may be of other dtypes than its output; else they are converted before it.
    mixes_dtypes: ClassVar[bool] = False

    @abstractmethod
    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        """Shape of the output; ModelError where the inputs do not fit the attributes."""

    def integers(self, inputs: Sequence[Tensor]) -> Integers | None:
        """Which integers of the file's kind it gives; None for real values."""
        return None

    def indices_of(self, inputs: Sequence[Tensor], index: int) -> tuple[int, int] | None:
        """The least and the greatest integer of input `index` that mean something to it; None where all do."""
        return None

    @abstractmethod
    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        """Write the float meaning as ONNX nodes: what ONNX Runtime executes for calibration and tests."""

    def output_quant(self, layer: Layer, dtype: str = "int8") -> Quant | None:
        """The output's quantization in integers of `dtype` where the operator fixes it; None: calibrate."""
        return None

    def least_step(self, layer: Layer) -> float:
        """The smallest step of the output that kernels can give, for inputs and an output that are quantized, constants
        in floats; 0 where they give any."""
        return 0.0

    def edge_quant(self, layer: Layer, inner: Quant) -> ChannelQuant | None:
        """The quantization of an input of the model that has one for each channel, where the output's is `inner`; None
        where all its channels have one."""
        return None

    def clip_range(self, low: float, high: float) -> tuple[float, float]:
        """What is left of a calibrated output range [low, high] where the operator bounds its output."""
        return low, high

    def output_dtype(self, wanted: str) -> str:
        """What its output holds where the scheme says `wanted`, one of `dtypes`."""
        return wanted

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        """What a computed input of dtype `own` must be converted to for an output of dtype `output`, or `own`.

        `weights` is what the scheme says of the layer's.
        """
        return own if self.mixes_dtypes and "float32" not in (own, output) else output

    @property
    def holds(self) -> bool:
        """Whether it keeps values inside whose magnitudes calibration must find: `held_magnitudes`, by name, which
        `with_held` gives it."""
        return False

    def held_magnitudes(self, layer: Layer, inputs: Sequence[Array]) -> Mapping[str, float]:
        """For float32 inputs (samples, *shape), constants as in the graph."""
        raise NotImplementedError(f"{type(self).__name__} holds nothing")

    def with_held(self, found: Mapping[str, float]) -> Operator:
        """The same that knows the magnitudes."""
        raise NotImplementedError(f"{type(self).__name__} holds nothing")

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        """The layer's inputs with constants as integers; activations are quantized already."""
        return layer.inputs

    @abstractmethod
    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        """The integer meaning, or that in float32 where the layer's tensors are.

        Arrays are (samples, *shape), constants as in the graph, without samples.
        """

    def whole_weights(self, layer: Layer) -> tuple[Layer, int]:
        """The same layer with constants that are not packed, and the power of two that packed ones are multiplied by
        in it."""
        return replace(layer, inputs=tuple(replace(t, packing=None) for t in layer.inputs)), 0

    @property
    def keeps_values(self) -> bool:
        """Whether its real values are its inputs'."""
        return self.shares_scale or self.is_conversion

    @property
    def keeps_dtype(self) -> bool:
        """Whether its output holds what its inputs hold, if they all hold the same."""
        return self.shares_scale or self.is_view

    @property
    def stated_dtype(self) -> str | None:
        """What its output holds where an attribute says so; None: what the scheme says."""
        return None

    @property
    def fills(self) -> tuple[float, ...]:
        """Real values that it puts among those which it moves."""
        return ()

    def refilled(self, fills: tuple[float, ...]) -> Operator:
        """The same with other values for `fills`."""
        return self

    def reordered(self, perm: tuple[int, ...]) -> Operator | None:
        """op' with op(transpose(a, perm), ...) = transpose(op'(a, ...), perm), where all computed inputs, and constants
        of as many dimensions, are in the other order; None where there is none."""
        return None

    def reshaped(self, shape: Shape, source: Shape) -> Operator | None:
        """op' with op(reshape(a)) = reshape(op'(a)), for a of shape `source` that op reads as `shape`, which its output
        has too; None where there is none."""
        return self if self.is_elementwise else None

    def padded(self, pads: tuple[int, int, int, int]) -> Operator | None:
        """The same with so many zeros around its image, (top, left, bottom, right); None where it cannot add them."""
        return None

    def moved_axis(self, layer: Layer, axis: int, index: int = 0) -> int | None:
        """The dimension of the output whose indices are those of dimension `axis` of input `index`; None where there
        is none."""
        passes = self.passes_channels and axis not in self.mixed_axes(len(layer.inputs[index].shape))
        return axis if passes else None

    def mixed_axes(self, rank: int) -> Collection[int]:
        """The dimensions along which several places of an input go into one of the output."""
        return ()

    def tie(self, layer: Layer, index: int, a: int, b: int) -> Tie | None:
        """Indices of dimension `a` of an input, and those of dimension `b` of the output that are made of them; None
        where all of the one meet all of the other. Of operators that pass channels."""
        x, y = layer.inputs[index].shape, layer.output.shape
        if a != b or x[a] != y[b] or a in self.mixed_axes(len(x)):
            return None
        own = np.arange(x[a])
        return own, own

    def row_window(self, layer: Layer, index: int, axis: int) -> RowWindow | None:
        """Which rows, indices of dimension `axis`, of computed input `index` a row of the output is made of; None where
        it is not made of a few alone."""
        own = self.is_elementwise and layer.inputs[index].shape == layer.output.shape
        return OWN_ROW if own else None

    def along(self, layer: Layer, index: int, axis: int) -> tuple[int, RowWindow] | None:
        """The dimension of the output that goes along dimension `axis` of computed input `index`, and which of the
        indices there one of its own is made of, by the same sums wherever it is; None where there is none."""
        if self.is_elementwise and _varies(layer, axis):
            return None
        window = None if self.row_pitch(layer, axis) is not None else self.row_window(layer, index, axis)
        if window is not None:
            return axis, window
        out = self.moved_axis(layer, axis, index)
        tie = None if out is None else self.tie(layer, index, axis, out)
        if out is None or tie is None:
            return None
        own, made = tie
        same = np.arange(layer.output.shape[out])
        return (out, OWN_ROW) if np.array_equal(made, same) and np.array_equal(own, same) else None

    def row_pitch(self, layer: Layer, axis: int) -> int | None:
        """How many elements of its one computed input lie between what two rows of the output begin with, where a row
        is made of elements here and there in the whole of it; None where it is made of the input's rows."""
        return None

    def banded(self, axis: int, band: Band) -> Operator:
        """The same on a band of rows, indices of dimension `axis`, alone."""
        return self

    def resized(self, layer: Layer, y: Shape) -> Operator | None:
        """The same on tensors without some of their channels, indices of the last dimension, whose output has shape
        `y`; None where it needs all that `layer` has."""
        return None

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        """Indices of inputs which, all multiplied by one s > 0, give the output times s; the other inputs stay."""
        return ()

    @property
    def clip_limits(self) -> tuple[float, float]:
        """What it clips to, where it passes factors but for that."""
        return -inf, inf

    def bend(self, layer: Layer, index: int) -> int | None:
        """The integer of an input from which on a multilinear operator is another function of it than below; None where
        it is one throughout."""
        return None

    def averaged(self, layer: Layer) -> int | None:
        """How many values of x each value of the output is the mean of; None for what is no mean."""
        return None

    def gain(self, index: int, squares: Sequence[float]) -> float:
        """The mean square of what it multiplies an input by, where the inputs have mean squares `squares`."""
        return 1.0

    def macs(self, layer: Layer) -> int:
        """Multiply-accumulates of one inference."""
        return 0

    def parts(self, layer: Layer) -> Mapping[int, int]:
        """Inputs whose elements are, in their order, elements of the output that follow one another, or the other way
        round: how many elements behind the output's first one each has its own. Below 0: the output is a part of it."""
        return {}

    def in_place(self, layer: Layer) -> tuple[int, ...]:
        """Indices of inputs whose memory the output may take over, element by element."""
        return ()


def _varies(layer: Layer, axis: int) -> bool:
    """Whether a constant is not the same at all indices of a dimension of the output."""
    behind = len(layer.output.shape) - axis
    return any(t.is_constant and len(t.shape) >= behind and t.shape[-behind] != 1 for t in layer.inputs)


@dataclass(frozen=True)
class Clamped(Operator):
    """An operator that requantizes, and so takes a fused ReLU or Clip for free: real bounds of its output."""

    minimum: float = field(default=-inf, kw_only=True)
    maximum: float = field(default=inf, kw_only=True)

    @property
    def clip_limits(self) -> tuple[float, float]:
        return self.minimum, self.maximum

    def clip_range(self, low: float, high: float) -> tuple[float, float]:
        """Nothing outside [minimum, maximum] needs a code."""
        return max(low, self.minimum), min(high, self.maximum)

    def output_bounds(self, output: Tensor) -> tuple[int, int]:
        """`output_min`, `output_max`: the fused bounds as integers of the output tensor."""
        quant = output.quantization
        bounds = quant.quantize(np.clip([self.minimum, self.maximum], -3e38, 3e38))
        return int(bounds[0]), int(bounds[1])
