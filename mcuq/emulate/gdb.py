"""Writes into an emulated machine's memory through QEMU's debugger, also where the machine itself can only read.

GDB's remote serial protocol (GDB manual, appendix E): a packet is $data#checksum and is answered by "+" and a packet.
"""

from __future__ import annotations

import socket

from mcuq.errors import BuildError

_CHUNK_BYTES = 1024


def write_memory(debugger: socket.socket, address: int, data: bytes, timeout_s: float) -> None:
    """Write the bytes. Raises BuildError where QEMU refuses them or does not answer within `timeout_s`."""
    debugger.settimeout(timeout_s)
    for start in range(0, len(data), _CHUNK_BYTES):
        part = data[start : start + _CHUNK_BYTES]
        answer = _ask(debugger, f"M{address + start:x},{len(part):x}:{part.hex()}")
        if answer != b"OK":
            raise BuildError(f"QEMU's debugger: writing at {address + start:#010x} failed: {answer.decode()}")


def _ask(debugger: socket.socket, text: str) -> bytes:
    body = text.encode("ascii")
    debugger.sendall(b"$" + body + b"#" + f"{sum(body) % 256:02x}".encode())
    received = b""
    try:
        while b"#" not in received[:-2]:
            more = debugger.recv(4096)
            if not more:
                raise BuildError("QEMU's debugger: the connection ended")
            received += more
        debugger.sendall(b"+")
    except TimeoutError:
        raise BuildError("QEMU's debugger: no answer") from None
    return received[received.index(b"$") + 1 : received.index(b"#")]
