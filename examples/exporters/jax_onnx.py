"""jax2onnx: a Flax network with attention on token numbers, convolutions in JAX, and a plain function.

pip install jax==0.10.2 flax==0.12.8 jax2onnx==0.17.1 onnx==1.23.2 numpy==2.4.6
python jax_onnx.py [FOLDER]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from common import SAMPLES, samples, save
from flax import nnx
from jax2onnx import to_onnx


class Encoder(nnx.Module):
    """(1, 8) tokens to (1, 4)."""

    def __init__(self) -> None:
        rngs = nnx.Rngs(0)
        self.embedding = nnx.Embed(16, 16, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(2, 16, 16, decode=False, rngs=rngs)
        self.norm = nnx.LayerNorm(16, rngs=rngs)
        self.last = nnx.Linear(16, 4, rngs=rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        x = self.embedding(tokens)
        return self.last(self.norm(x + self.attention(x)).mean(1))


class Convolutions(nnx.Module):
    """(1, 8, 8, 1) to (1, 6)."""

    def __init__(self) -> None:
        rngs = nnx.Rngs(0)
        self.conv = nnx.Conv(1, 8, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(8, use_running_average=True, rngs=rngs)
        self.depthwise = nnx.Conv(8, 8, (3, 3), feature_group_count=8, rngs=rngs)
        self.pointwise = nnx.Conv(8, 8, (1, 1), rngs=rngs)
        self.last = nnx.Linear(8, 6, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.norm(self.conv(x)))
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        x = x + self.pointwise(nnx.relu6(self.depthwise(x)))
        return nnx.softmax(self.last(x.mean((1, 2))))


WEIGHTS = np.random.default_rng(0).normal(0, 0.4, (2, 16, 16)).astype(np.float32)


def function(x: jax.Array) -> jax.Array:
    """Attention of (1, 8, 16) on itself."""
    scores = jnp.einsum("bqd,bkd->bqk", x @ WEIGHTS[0], x @ WEIGHTS[1]) / 4
    return jnp.tanh(jax.nn.softmax(scores) @ x).sum(1)


def export(name: str, computes: Callable[..., Any], x: np.ndarray) -> None:
    """Write it with what JAX computes."""
    proto = to_onnx(computes, inputs=[jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype)], model_name=name)
    rows = [np.asarray(computes(x[i : i + 1])) for i in range(SAMPLES)]
    (given,), (found,) = proto.graph.input, proto.graph.output
    save(name, proto, {given.name: x}, {found.name: np.concatenate(rows)})


if __name__ == "__main__":
    tokens = np.random.default_rng(0).integers(0, 16, (SAMPLES, 8)).astype(np.int32)
    export("jax2onnx_encoder", Encoder(), tokens)
    export("jax2onnx_convolutions", Convolutions(), samples(8, 8, 1))
    export("jax2onnx_function", function, samples(8, 16))
