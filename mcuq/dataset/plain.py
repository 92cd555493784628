"""Numbers that other libraries hold become NumPy's, by what their objects can do: none of them is imported."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcuq.errors import DataError


def as_array(where: str, values: Any) -> NDArray[Any]:
    """`values` as an array of any dtype: what NumPy takes, and PyTorch's tensors, those with gradients included.

    Raises DataError where they are no array of one shape, or of numbers that NumPy does not have (bfloat16).
    """
    try:
        return np.asarray(_off_graph(values))
    except ValueError:
        raise DataError(f"{where}: its rows differ in length; give an array of one shape") from None
    except TypeError as error:
        raise DataError(f"{where}: cannot become a NumPy array ({_line(error)}); give float32: x.float()") from None


def _off_graph(values: Any) -> Any:
    if hasattr(values, "detach"):
        values = values.detach()
        return (values.cpu() if hasattr(values, "cpu") else values).numpy()
    if isinstance(values, list | tuple) and any(hasattr(value, "detach") for value in values):
        return [_off_graph(value) for value in values]
    return values


def _line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
