"""Templates as text; the only module that knows Jinja."""

from __future__ import annotations

from dataclasses import fields

import jinja2

from mcuq.emit.text import c_float
from mcuq.kernels.kernel import Constants
from mcuq.resources import resource_dir


def render_kernel(constants: Constants, function: str) -> str:
    """The C function of a kernel template."""
    values = {f.name: getattr(constants, f.name) for f in fields(constants)}
    template = environment().get_template(f"kernels/{constants.template}.c.j2")
    return template.render(function=function, **values).strip()


def environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["c_float"] = c_float
    return environment
