"""What the parts of a zip file may unpack to: a few kilobytes can hold gigabytes of zeros."""

from __future__ import annotations

from zipfile import ZipInfo

# Floats shrink to a half at best, masks and images of few grey levels to a fiftieth; deflate ends at 1,032.
MOST_TIMES = 100
UNSUSPECTED_BYTES = 2**28


def check_unpacking(part: ZipInfo) -> None:
    """Raise ValueError for a part that becomes large and was suspiciously small."""
    if part.file_size > max(UNSUSPECTED_BYTES, MOST_TIMES * part.compress_size):
        raise ValueError(f"it unpacks to {part.file_size:,} bytes from {part.compress_size:,}")
