"""Objects that a Python prompt or a notebook shows in a line or a small table, not by all that they hold."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape


class Described:
    """A base of results; a subclass says its title and its facts."""

    def described(self) -> tuple[str, Mapping[str, str]]:
        """The title, and facts by name, in order."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """One line."""
        title, facts = self.described()
        return f"<{title}: {', '.join(f'{name} {fact}' for name, fact in facts.items())}>"

    def _repr_html_(self) -> str:
        """A table, as notebooks show it."""
        title, facts = self.described()
        rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(fact)}</td></tr>" for name, fact in facts.items())
        return f"<table><caption>{escape(title)}</caption>{rows}</table>"
