"""Packages that only work with devices needs: imported at first use, so that mcuq runs without them."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from mcuq.errors import DeviceError

# module -> (its package, the extra of mcuq that brings it)
_PACKAGES = {
    "serial": ("pyserial", "device"),
    "cobs": ("cobs", "device"),
    "smpclient": ("smpclient", "flash"),
    "intelhex": ("intelhex", "flash"),
}


@functools.cache
def import_extra(module: str) -> Any:
    """Return the module, untyped. Raises DeviceError where its package is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package, extra = _PACKAGES[module.split(".")[0]]
        raise DeviceError(f"devices need the package {package}; pip install 'mcuq[{extra}]'") from error
