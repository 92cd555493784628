"""Devices at the other end of a serial line: ports, frames, messages, and what a session asks of a board."""
