"""What is behind a network without one: tensors as if it had given them, the twin, and many twins' C in one program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from front_end_c import Probe
from numpy.typing import NDArray

from mcuq.after.read import parse_after
from mcuq.after.twins import Twin, twin_of
from mcuq.emit.after import AfterFiles, files_of
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Quant, Tensor

DIGEST = 0x12345678
Codes = NDArray[Any]


def tensor(name: str, shape: tuple[int, ...], scale: float, zero_point: int = 0, dtype: str = "int8") -> Tensor:
    return Tensor(name, (1, *shape), dtype, None, Quant((scale,), zero_point, dtype))


def graph_of(outputs: Sequence[Tensor], inputs: Sequence[Tensor] = ()) -> Graph:
    inputs = inputs or (tensor("x", (1,), 1),)
    tensors = {t.name: t for t in (*inputs, *outputs)}
    return Graph("stub", (), tensors, tuple(t.name for t in inputs), tuple(t.name for t in outputs))


@dataclass(frozen=True, eq=False)
class Case:
    """A twin, `call` as C of statements on `in` and `out`, samples that are `in`, and the bytes that the C is to give
    for each."""

    twin: Twin
    graph: Graph
    call: str
    samples: Sequence[bytes]
    want: Sequence[bytes]


def bound(text: str, graph: Graph, files: Mapping[str, str] | None = None, learned: Any = None) -> Twin:
    return twin_of(parse_after(text, "after.toml", files, learned), graph)


def emitted(twin: Twin, graph: Graph, name: str) -> AfterFiles:
    names = (*graph.inputs, *graph.outputs)
    listing: Any = SimpleNamespace(digest=DIGEST, accessors={own: f"{name}_{own}" for own in names})
    return files_of(twin, graph, listing, name, frozenset())


def check(cpu: str, cases: Sequence[Case]) -> Probe:
    """All cases in one program on a CPU: every byte."""
    files, code = {}, ['#include "stubs.h"']
    stubs = ["#include <stddef.h>\n#include <stdint.h>"]
    sent, want = [], []
    for index, case in enumerate(cases):
        name = f"c{index}"
        files |= emitted(case.twin, case.graph, name).files
        files[f"{name}.h"] = f"#include <stddef.h>\n#include <stdint.h>\n#define {name.upper()}_DIGEST {DIGEST:#x}u\n"
        stubs.append(f'#include "{name}_after.h"')
        body = case.call.replace("ID_", f"{name.upper()}_").replace("id_", f"{name}_")
        code.append(f"static void run_{name}(const int8_t *in, int8_t *out)\n{{\n{body}\n}}")
        sent += [np.int32(index).tobytes() + sample for sample in case.samples]
        want += list(case.want)
    files["stubs.h"] = "\n".join(stubs) + "\n"
    code.append("static void probe(const int8_t *input, int8_t *output)\n{\n    int32_t which = input[0];")
    code += [f"    if (which == {i})\n        run_c{i}(input + 4, output);" for i in range(len(cases))]
    code.append("}\n")
    sizes = max(map(len, sent)) + -max(map(len, sent)) % 4, max(map(len, want))
    probe = Probe(cpu, "\n".join(code), sizes, files)
    answers = probe.run([own.ljust(sizes[0], b"\0") for own in sent])
    for number, (answer, own) in enumerate(zip(answers, want, strict=True)):
        assert answer[: len(own)] == own, f"sample {number} of case {sent[number][0]}"
    return probe
