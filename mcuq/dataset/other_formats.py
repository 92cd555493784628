"""Files of numbers that are no NumPy files: the command that makes one of each."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from mcuq.dataset.images import SUFFIXES as IMAGES
from mcuq.errors import DataError

_TEXT = "import numpy as np; np.savez({npz!r}, x=np.loadtxt({path!r}{delimiter}, ndmin=2))"
_TORCH = "import numpy as np, torch; np.savez({npz!r}, x=torch.load({path!r}))"
_PROGRAMS = {
    ".csv": ("text", _TEXT.replace("{delimiter}", ", delimiter=','")),
    ".tsv": ("text", _TEXT.replace("{delimiter}", "")),
    ".txt": ("text", _TEXT.replace("{delimiter}", "")),
    ".pt": ("PyTorch's", _TORCH),
    ".pth": ("PyTorch's", _TORCH),
}


def refuse_other_formats(path: str | Path) -> None:
    """Raise DataError, with what to do, where the name of the file is that of another format."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in IMAGES:
        raise DataError(f"{path.name}: is one image; give the folder that it is in: {quote(str(path.parent))}")
    if suffix in _PROGRAMS:
        kind, program = _PROGRAMS[suffix]
        command = program.format(path=str(path), npz=str(path.with_suffix(".npz")))
        raise DataError(f"{path.name}: is {kind}; make an .npz file of it: python -c {quote(command)}")
