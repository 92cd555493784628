"""Emulators: an ELF file -> what it computes, without a board. One module per emulator."""
