"""What is done behind a network, as its file says it: a kind, values of its keys, labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class After:
    """`values` are those of all keys of `kind`, given or not. `labels` name classes. `source` is the file as it
    was read, `files` are the texts of those that it names. `learned` is what calibration data said."""

    kind: str
    values: Mapping[str, Any]
    labels: tuple[str, ...]
    source: str
    files: Mapping[str, str] = field(default_factory=dict)
    where: str = "after"
    learned: Mapping[str, Any] = field(default_factory=dict)

    def manifest(self) -> dict[str, Any]:
        """What an artefact keeps of it."""
        learned = {"learned": dict(self.learned)} if self.learned else {}
        return {"source": self.source, "where": self.where, "files": dict(self.files), **learned}
