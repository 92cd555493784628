"""Finds the files that are not Python: templates/, firmware/, boards/, examples/.

In a checkout and in an editable install they lie beside the package; in a wheel, inside it as mcuq/data/.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: str) -> Path:
    """Return the folder `name` ("templates", "firmware", "boards" or "examples")."""
    packaged = _PACKAGE / "data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name
