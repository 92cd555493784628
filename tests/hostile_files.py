"""Opens hostile files with little memory, in a process of its own; prints what was said, and the most memory taken.

python hostile_files.py FOLDER     each NAME.json in it is [verb, argument, options]
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import mcuq

LIMIT_BYTES = 3 * 2**30  # of addresses, of which libraries take most; what is measured is what was used


def main(folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    said = {}
    for path in sorted(folder.glob("*.json")):
        verb, argument, options = json.loads(path.read_text())
        started = time.monotonic()
        try:
            getattr(mcuq, verb)(argument, **options)
            text = "done"
        except mcuq.McuqError as error:
            text = str(error)
        said[path.stem] = (text, time.monotonic() - started)
    mine, children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"said": said, "kilobytes": max(mine, children)}))


main(Path(sys.argv[1]))
