"""What the tests remember of builds is what a compiler would give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import build_cache
import pytest

from mcuq.boards.find import load_board
from mcuq.build.compiler import Compiler, compile_in
from mcuq.build.host_program import HostModel, build_host
from mcuq.build.shared_library import build_shared_object
from mcuq.build.target import build_target

DECLARED = "int f_run_in(void *arena, const void *x, void *y);\n"
MODEL = HostModel("f", (1,), (1,))
FILES = {
    "f.h": f"#define F_ARENA_BYTES 1\n{DECLARED}",
    "f.c": '#include "f.h"\nint f_run_in(void *a, const void *x, void *y) { return a == x || a == y; }\n',
}

OTHERS = ("firmware/host_main.c.o", "firmware/memory.c.o")


def host_program(files: dict[str, str], sanitize: bool = True) -> bytes:
    with build_host(files, MODEL, sanitize) as program:
        return (Path(program._folder.name) / "host_program.exe").read_bytes()


BUILDS: dict[str, Callable[[dict[str, str]], bytes]] = {
    "host": host_program,
    "not sanitized": lambda files: host_program(files, sanitize=False),
    "library": lambda files: build_shared_object(files["f.h"] + files["f.c"].partition("\n")[2]),
    "board": lambda files: build_target(files, "f_run_in", [], load_board("cortex-m4")).elf,
}


@pytest.mark.parametrize("compiler", [pytest.param("gcc", marks=pytest.mark.toolchain), "zig"])
@pytest.mark.parametrize("kind", BUILDS)
def test_what_is_remembered_is_what_would_be_compiled(
    kind: str, compiler: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MCUQ_CC", compiler)
    monkeypatch.setenv(build_cache.PLACE, str(tmp_path))
    build, compiled = BUILDS[kind], []

    def counted(compiler: Compiler, folder: Path, arguments: Sequence[str], output: str) -> None:
        compiled.append(output)
        compile_in(compiler, folder, arguments, output)

    monkeypatch.setattr(build_cache, "compile_in", counted)
    with build_cache.compiling_by(build_cache.compile_once):
        first, second = build(FILES), build(FILES)
        built = list(compiled)
        build({**FILES, "f.c": FILES["f.c"].replace("||", "&&")})
        # The other sources are the same.
        assert compiled[len(built) :] == [output for output in built if output not in OTHERS]
    assert first == second == build(FILES)
    assert b"mcuq-" not in first


READ = {
    "f.c": b'#include "g.h"\n#include <stdint.h>\n',
    "g.c": b'#  include "sub/h.h"\n',
    "any.c": b"#include NAME\n",
    "g.h": b'#include "h.h"\n',
    "sub/h.h": b"",
    "config.h": b"",
}


@pytest.mark.parametrize(
    ("source", "flags", "read"),
    [
        ("f.c", (), {"f.c", "g.h", "sub/h.h"}),
        ("g.c", (), {"g.c", "sub/h.h"}),
        ("g.c", ("-include", "config.h"), {"g.c", "sub/h.h", "config.h"}),
        ("any.c", (), set(READ)),
    ],
)
def test_a_source_counts_with_all_that_it_may_include(source: str, flags: tuple[str, ...], read: set[str]) -> None:
    assert build_cache.read_by(source, flags, READ) == {name: READ[name] for name in read}


def test_what_is_about_linking_does_not_count_for_a_source() -> None:
    command = ("-O2", "-T", "link.ld", "-Wl,-e,run", "f.c", "-lc", "-nostdlib")
    assert build_cache._for_sources(command, ["f.c"]) == ["-O2", "-nostdlib"]


def test_every_word_of_the_command_and_every_file_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(build_cache.PLACE, str(tmp_path))
    (tmp_path / "compiler").write_text("")
    (tmp_path / "compiler").chmod(0o755)
    compiler = str(tmp_path / "compiler")
    told = [
        ([compiler, "-O2"], [("f.c", b"1")]),
        ([compiler, "-O1"], [("f.c", b"1")]),
        ([compiler, "-O2"], [("f.c", b"2")]),
        ([compiler, "-O2"], [("g.c", b"1")]),
        ([compiler, "-O2"], [("f.c", b"1"), ("f.h", b"")]),
        (["compiler", "-O2"], [("f.c", b"1")]),
    ]
    program, built = tmp_path / "program", []
    for command, sources in told * 2:
        build_cache.remembered(program, lambda: built.append(program.write_bytes(b"x")), command, sources)
    assert len(built) == len(told)
    (tmp_path / "compiler").write_text("another")
    build_cache.remembered(program, lambda: built.append(program.write_bytes(b"x")), *told[0])
    assert len(built) == len(told) + 1
