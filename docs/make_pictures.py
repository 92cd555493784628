"""Draws docs/demo.svg from what `mcuq demo` prints.

python docs/make_pictures.py
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from mcuq.cli.demo import demo_lines
from mcuq.demo import run_demo


def main() -> None:
    """Run the demo and draw its output as a terminal."""
    console = Console(record=True, width=112, file=io.StringIO(), highlight=False)
    console.print("$ mcuq demo", markup=False)
    for line in demo_lines(run_demo(), unicode=True, width=112):
        console.print(line, markup=False)
    picture = console.export_svg(title="mcuq demo", unique_id="mcuq-demo")
    # The picture stands alone: no font is fetched from the network.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL).replace("Fira Code", "DejaVu Sans Mono")
    (Path(__file__).parent / "demo.svg").write_text(picture)


if __name__ == "__main__":
    main()
