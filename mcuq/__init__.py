"""mcuq: ONNX networks as int8 C for microcontrollers, proved bit for bit.

    import mcuq

    model = mcuq.compile("model.onnx", board="cortex-m4", calibration=x_train[:200])
    mcuq.save(model, "build/model")                  # model.c, model.h, model.mcuq
    print(mcuq.simulate(model, x_test).report)       # accuracy, agreement, SQNR
    print(mcuq.run(model, x_test[:50]).report)       # the C on an emulated CPU, every byte compared
    print(mcuq.profile(model).layers)                # instructions and cycles of each layer
    print(mcuq.validate(model, "/dev/ttyACM0", x_test[:50]))  # the board itself, every byte compared
    print(mcuq.diagnose("model.onnx", calibration=x_train[:200]).layers)  # the error that each layer adds

Everything that the user can mend is raised as McuqError, whose text says what to do.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcuq.public import *  # noqa: F403

# Functions that are called like the module they are in, which the import system would put in their place.
_CALLED_LIKE_MODULES = frozenset({"boards", "compile", "demo", "diagnose", "validate"})


class _Package(ModuleType):
    """This package: `mcuq.public` is imported at the first use of what it offers, so that `mcuq --help` waits for
    nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and name != "__version__" and name != "__all__":
            raise AttributeError(f"module 'mcuq' has no attribute '{name}'")
        try:
            return getattr(import_module("mcuq.public"), name)
        except AttributeError:
            raise AttributeError(f"module 'mcuq' has no attribute '{name}'") from None

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _CALLED_LIKE_MODULES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *import_module("mcuq.public").__all__})


sys.modules[__name__].__class__ = _Package
