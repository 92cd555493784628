"""The keys of a front end's file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mcuq.errors import ModelError
from mcuq.toml_text import instead_of


def values_of(
    where: str,
    kind: str,
    given: Mapping[str, Any],
    defaults: Mapping[str, Any],
    check: Callable[[str, str, Any], Any],
    required: str = "",
) -> dict[str, Any]:
    """All keys' values: what is given, as `check(where, key, value)` takes it, and defaults. Raises ModelError for keys
    that are not known, and for those without a default that are missing, of which `required` says what to do."""
    values = dict(defaults)
    for key, value in given.items():
        if key not in defaults:
            raise ModelError(f"{where}: '{key}' is no key of kind '{kind}'{instead_of(key, defaults)}")
        values[key] = check(where, key, value)
    for key, value in values.items():
        if value is None:
            raise ModelError(f"{where}: {key}: is missing; {required}")
    return values
