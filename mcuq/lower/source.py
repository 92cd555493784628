"""What the text of kernels tells before it is rendered: the names that a body reads, and about how much code it is."""

from __future__ import annotations

import re
from functools import cache

from mcuq.resources import resource_dir

BODY = "/* plain C from here on */\n"
_TOKEN = re.compile(r"[A-Za-z_]\w*|\d\w*|[^\s\w]")


@cache
def kernel_body(template: str) -> str:
    """The C of templates/kernels/TEMPLATE.c.j2 behind its head."""
    text = (resource_dir("templates") / "kernels" / f"{template}.c.j2").read_text(encoding="utf-8")
    return text.partition(BODY)[2]


@cache
def names_in(template: str) -> frozenset[str]:
    """The identifiers in the kernel's body."""
    return frozenset(re.findall(r"[A-Za-z_]\w*", _without_comments(kernel_body(template))))


@cache
def body_code_bytes(template: str) -> int:
    """About the bytes of the body's code: one for each token of C, which is what GCC -Os makes of the portable
    kernels on Armv6-M, Armv7-M and RV32IMC, within a third."""
    return len(_TOKEN.findall(_without_comments(kernel_body(template))))


@cache
def runtime_code_bytes(template: str) -> dict[str, int]:
    """The same for each function of firmware/kernels/ that the body uses; a line of assembly counts as 3 bytes."""
    blocks = {name: _without_comments(runtime_blocks()[name]) for name in runtime_names(kernel_body(template))}
    return {name: len(_TOKEN.findall(re.sub(r'"[^"]*"', " ; ; ; ", text))) for name, text in blocks.items()}


@cache
def has_assembly(template: str) -> bool:
    """Whether the body uses assembly, which may become part of its own code and then shares its registers."""
    return any("__asm__" in runtime_blocks()[name] for name in runtime_names(kernel_body(template)))


def runtime_names(text: str) -> list[str]:
    """The functions of firmware/kernels/ that C uses, directly or through each other, in the headers' order."""
    wanted: set[str] = set()
    pending = [text]
    while pending:
        for name in set(re.findall(r"\bmcuq_\w+", _without_comments(pending.pop()))) - wanted:
            if name in runtime_blocks():
                wanted.add(name)
                pending.append(runtime_blocks()[name])
    return [name for name in runtime_blocks() if name in wanted]


@cache
def runtime_blocks() -> dict[str, str]:
    """Each function of firmware/kernels/ with the comment above it, in the headers' order."""
    before = r"(?:/\*(?:(?!\*/).)*\*/\n)?(?:MCUQ_NOINLINE\n)?"
    definition = before + r"static (?:inline )?\w+ (mcuq_\w+)\(.*?\n}\n"
    return {found[1]: found[0].strip() for found in re.finditer(definition, runtime_source(), re.DOTALL)}


@cache
def runtime_source() -> str:
    """All of firmware/kernels/; mcuq_math.h comes first: the headers of instruction sets build on it."""
    found = (resource_dir("firmware") / "kernels").rglob("mcuq_*.h")
    headers = sorted(found, key=lambda path: (path.stem != "mcuq_math", path.stem))
    return "\n".join(path.read_text(encoding="utf-8") for path in headers)


@cache
def compiler_source() -> str:
    """What firmware/kernels/mcuq_compiler.h defines, for C that uses some of it."""
    text = (resource_dir("firmware") / "kernels" / "mcuq_compiler.h").read_text(encoding="utf-8")
    return text.partition("#define MCUQ_COMPILER_H\n")[2].rpartition("#endif")[0].strip()


def _without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
