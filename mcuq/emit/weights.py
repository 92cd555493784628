"""Constants in a file of their own, ID.weights.bin: its format is in docs/weights.md."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mcuq.emit.data import DataArray
from mcuq.emit.text import COLUMNS, wrap

MAGIC = b"MCUQWGTS"
VERSION = 1
HEAD_BYTES = 64
ALIGNMENT = 8  # of the blob and of each array in it: kernels take words of 4 bytes, Helium moves 8 a cycle
_DIGEST_BYTES = 16
CHECKED_BYTES = HEAD_BYTES - 4  # all before the checksum: the same for all weights of a program

# What ID_set_weights returns, the end of each name and what it says, by number.
STATUSES = (
    ("WEIGHTS_OK", "the weights are used from now on"),
    ("NO_WEIGHTS", "none are given (NULL): earlier ones are forgotten"),
    ("WEIGHTS_UNALIGNED", "the address is no multiple of the alignment"),
    ("WEIGHTS_CUT", "fewer bytes than the model's weights have"),
    ("WEIGHTS_NOT_A_BLOB", "something else: it does not begin as weights do"),
    ("WEIGHTS_OTHER_VERSION", "of another version of the format"),
    ("WEIGHTS_OTHER_MODEL", "what another model reads"),
    ("WEIGHTS_DAMAGED", "a byte is not as it was written"),
)
OK, MISSING, UNALIGNED, CUT, NOT_A_BLOB, OTHER_VERSION, OTHER_MODEL, DAMAGED = range(len(STATUSES))


@dataclass(frozen=True)
class Weights:
    """The `arrays` of a blob, where each begins, its first bytes, all before the checksum, and how long it is."""

    arrays: tuple[DataArray, ...]
    offsets: Mapping[str, int]
    head: bytes
    length: int

    alignment = ALIGNMENT
    statuses = STATUSES

    @property
    def places(self) -> str:
        """Lines of C of the constants that the offsets are."""
        items = [f"{name} = {offset}" for name, offset in self.offsets.items()]
        return wrap(items, ", ", COLUMNS - 4, " " * 4) if items else ""

    @property
    def words(self) -> tuple[int, ...]:
        """The first bytes as the C compares them."""
        return struct.unpack(f"<{len(self.head) // 4}I", self.head)

    @property
    def words_text(self) -> str:
        """The initializer's lines."""
        return wrap([f"0x{word:08x}u" for word in self.words], ", ", COLUMNS - 8, " " * 8)

    @property
    def blob(self) -> bytes:
        """The file: head, checksum, arrays."""
        payload = bytearray(self.length - HEAD_BYTES)
        for array in self.arrays:
            data = array.values.astype(array.values.dtype.newbyteorder("<")).tobytes()
            at = self.offsets[array.name] - HEAD_BYTES
            payload[at : at + len(data)] = data
        crc = zlib.crc32(payload, zlib.crc32(self.head))
        return self.head + struct.pack("<I", crc) + bytes(payload)


def weights_of(arrays: Iterable[DataArray], texts: Iterable[str]) -> Weights:
    """The arrays one behind the other, each aligned; `texts` are all C that reads them, which the digest names."""
    own = tuple(arrays)
    offsets, end = {}, HEAD_BYTES
    for array in own:
        offsets[array.name] = end
        end += -(-array.values.nbytes // ALIGNMENT) * ALIGNMENT
    program = hashlib.sha256()
    for text in (*texts, *(f"{array.c_type} {array.name} {offsets[array.name]}" for array in own)):
        program.update(f"{len(text)}:{text}".encode())
    head = MAGIC + struct.pack("<I", VERSION) + program.digest()[:_DIGEST_BYTES] + struct.pack("<II", end, ALIGNMENT)
    return Weights(own, offsets, head + bytes(CHECKED_BYTES - len(head)), end)


def status_of(blob: bytes, head: bytes) -> int:
    """What ID_set_weights says of a blob that lies aligned; `head` is what its model's begins with."""
    length = int.from_bytes(head[28:32], "little")
    if len(blob) < HEAD_BYTES:
        return CUT
    for ends, status in ((len(MAGIC), NOT_A_BLOB), (12, OTHER_VERSION), (28, OTHER_MODEL), (CHECKED_BYTES, DAMAGED)):
        if blob[:ends] != head[:ends]:
            return status
    if len(blob) < length:
        return CUT
    crc = zlib.crc32(blob[HEAD_BYTES:length], zlib.crc32(head))
    return OK if crc == int.from_bytes(blob[CHECKED_BYTES:HEAD_BYTES], "little") else DAMAGED


def weights_file(name: str) -> str:
    """What the model's blob is called."""
    return f"{name}.weights.bin"


def start_function(name: str) -> str:
    """The C function, of no argument, by which mcuq's own programs give a model the blob in them; 0 if it takes it."""
    return f"{name}_weights_start"


def blob_array(name: str) -> str:
    """The C array of the blob in mcuq's own programs."""
    return f"{name}_weights_blob"


def blob_source(name: str, blob: bytes) -> dict[str, str]:
    """The C file of a blob, for mcuq's own programs."""
    blob += bytes(-len(blob) % 8)
    words = struct.unpack(f"<{len(blob) // 8}Q", blob)
    lines = "\n".join(
        "    " + " ".join(f"0x{word:016x}u," for word in words[i : i + 4]) for i in range(0, len(words), 4)
    )
    array, start = blob_array(name), start_function(name)
    return {
        f"{array}.c": (
            f'#include "{name}.h"\n\n'
            f"extern const uint64_t {array}[{len(words)}];\n"
            f"int32_t {start}(void);\n\n"
            f"const uint64_t {array}[{len(words)}] = {{\n{lines}\n}};\n\n"
            f"int32_t {start}(void)\n{{\n"
            f"    return {name}_set_weights({array}, (uint32_t)sizeof {array});\n}}\n"
        )
    }
