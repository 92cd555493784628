"""What an operator is: the interface that `mcuq.ops` implements and every stage uses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, ClassVar

import numpy as np

from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.tensor import Array, Quant, Shape, Tensor

INT8 = frozenset({"int8"})
# Constants of one element after the other, as most kernels read them.
WHOLE = frozenset({"int8", "int16", "int32"})


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
    def is_integer(self) -> bool:
        """Whether a quantized layer reads, holds and writes integers alone."""
        return all(t.quant is not None for t in (*self.inputs, self.output))


@dataclass(frozen=True)
class Constants:
    """All that a kernel template is given.

    A subclass stands for templates/kernels/TEMPLATE.c.j2, whose variables are its fields, and `function`: the
    C name that the emitter chooses. `computes_in_float` says that the kernel is for schemes that ask for floats.
    """

    template: ClassVar[str]
    computes_in_float: ClassVar[bool] = False


@dataclass(frozen=True)
class Call:
    """One call of a kernel: function(inputs..., unpacked weights if any, arrays..., scratch if any, output if any).

    `inputs` index into the layer's inputs; `arrays` are emitted as constant data in this order;
    `bound` is the largest magnitude that an int32 accumulator of the call can reach (0 where there is none).
    `parameters` are the constants that the function reads at run time, from the last of the arrays, so that other
    calls can share it; calls whose other constants are equal have equal `constants` (see mcuq.lower.share).
    Calls of one layer share its working memory: this one's scratch begins `scratch_offset` bytes into it, and
    `unpacked` is the dtype of weights that a call before has written to its start ("" where there are none).
    A call that only writes scratch has no output.
    """

    constants: Constants
    inputs: tuple[int, ...] = (0,)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    scratch_bytes: int = 0
    bound: int = 0
    parameters: tuple[str, ...] = ()
    scratch_offset: int = 0
    unpacked: str = ""
    has_output: bool = True


@dataclass(frozen=True)
class Kernel:
    """One way to compute an operator in C.

    `lower` says which functions are called with which constants and arrays; `needs` are CPU features that the
    board must have, `accepts` tells the layers that this kernel can compute. A kernel that needs "size" is for
    programs that are optimized for it alone. `activations` are the dtypes that computed inputs and the output may have,
    `constants` the storages (dtype or packing) of constant inputs.
    """

    lower: Callable[[Any, Layer], tuple[Call, ...]]  # (operator, its layer)
    needs: frozenset[str] = frozenset()
    accepts: Callable[[Any, Layer], bool] = lambda op, layer: True
    activations: frozenset[str] = INT8
    constants: frozenset[str] = WHOLE

    def fits(self, layer: Layer, features: Set[str]) -> bool:
        """Whether a CPU with the features can compute the layer by this kernel."""
        return (
            self.needs <= features
            and all(t.dtype in self.activations for t in (*layer.activations, layer.output))
            and all(t.storage in self.constants for t in layer.inputs if t.is_constant)
            and self.accepts(layer.op, layer)
        )


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
    # What its output may hold once the graph is quantized.
    dtypes: ClassVar[frozenset[str]] = INT8
    # Whether its inputs may be of other dtypes than its output; else they are converted before it.
    mixes_dtypes: ClassVar[bool] = False
    # Portable kernel last; the first that fits the board and the layer is used.
    kernels: ClassVar[tuple[Kernel, ...]] = ()

    @abstractmethod
    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        """Shape of the output; ModelError where the inputs do not fit the attributes."""

    @abstractmethod
    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        """Write the float meaning as ONNX nodes: what ONNX Runtime executes for calibration and tests."""

    def output_quant(self, layer: Layer, dtype: str = "int8") -> Quant | None:
        """The output's quantization in integers of `dtype` where the operator fixes it; None: calibrate."""
        return None

    def clip_range(self, low: float, high: float) -> tuple[float, float]:
        """What is left of a calibrated output range [low, high] where the operator bounds its output."""
        return low, high

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        """What a computed input of dtype `own` must be converted to for an output of dtype `output`, or `own`.

        `weights` is what the scheme says of the layer's.
        """
        return own if self.mixes_dtypes and "float32" not in (own, output) else output

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

    def macs(self, layer: Layer) -> int:
        """Multiply-accumulates of one inference."""
        return 0

    def in_place(self, layer: Layer) -> tuple[int, ...]:
        """Indices of inputs whose memory the output may take over, element by element."""
        return ()


@dataclass(frozen=True)
class Clamped(Operator):
    """An operator that requantizes, and so takes a fused ReLU or Clip for free: real bounds of its output."""

    minimum: float = field(default=-inf, kw_only=True)
    maximum: float = field(default=inf, kw_only=True)

    def clip_range(self, low: float, high: float) -> tuple[float, float]:
        """Nothing outside [minimum, maximum] needs a code."""
        return max(low, self.minimum), min(high, self.maximum)

    def output_bounds(self, output: Tensor) -> tuple[int, int]:
        """`output_min`, `output_max`: the fused bounds as integers of the output tensor."""
        quant = output.quantization
        bounds = quant.quantize(np.clip([self.minimum, self.maximum], -3e38, 3e38))
        return int(bounds[0]), int(bounds[1])
