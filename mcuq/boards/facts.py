"""What is known of a board: frozen dataclasses, one a table of its file (docs/boards.md describes the file)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

FEATURES = ("dsp", "fpu", "mve", "rv32m", "armv6m", "armv7m")
"""What a kernel can ask of a CPU: dsp = SMLAD and its kin; fpu = single-precision registers; mve = Helium, the
vectors of Armv8.1-M; rv32m = RV32I with MUL and MULH; armv6m = Thumb without long multiplies (Cortex-M0, M0+);
armv7m = Thumb-2 with them and without dsp (Cortex-M3)."""

VERIFIED = ("hardware", "emulator", "untried")
"""How far a board has been proved: on the device itself, in an emulator only, not at all."""

COUNTERS = ("dwt", "systick", "mcycle", "timer")
"""What counts cycles: the debug unit's counter of Cortex-M3 and larger, the core's timer, RISC-V's counter, or a timer
that the family's driver knows."""


@dataclass(frozen=True)
class FlashFacts:
    """Of a way to write a program to a board: its options in [flash] and the kind of each, whether it speaks to mcuq's
    resident loader, and whether boards that it writes and mcuq has no driver for are built by ESP-IDF.

    All options are optional to the reader, and those of other methods than the board's own are there for `mcuq flash
    --method`.
    """

    options: Mapping[str, str] = field(default_factory=dict)
    needs_loader: bool = False
    is_esp_idf: bool = False


FLASH_METHODS: Mapping[str, FlashFacts] = {
    "mcuq-loader": FlashFacts(needs_loader=True),
    "stm32-rom": FlashFacts({"sectors": "text", "boot0": "text", "reset": "text"}),
    "esptool": FlashFacts({"chip": "word", "offset": "address"}, is_esp_idf=True),
    "uf2": FlashFacts({"family_id": "address", "volume": "text"}),
    "pyocd": FlashFacts({"target": "word"}),
    "teensy": FlashFacts({"mcu": "word"}),
    "mcuboot": FlashFacts({"header_bytes": "positive", "key": "path"}),
}
"""The table of ways to write a program to a board; their classes are those of mcuq.device.flash."""


GCC_COMMANDS = (
    "arm-none-eabi-gcc",
    "arm-zephyr-eabi-gcc",
    "riscv64-unknown-elf-gcc",
    "riscv32-unknown-elf-gcc",
    "riscv-none-elf-gcc",
    "riscv64-elf-gcc",
    "riscv32-esp-elf-gcc",
    "riscv64-zephyr-elf-gcc",
    "cc",
)
"""The compilers that a board file can name: a file of somebody else's must not choose what program runs here."""

GCC_FLAGS = (
    "-march=",
    "-mcpu=",
    "-mtune=",
    "-mabi=",
    "-mfloat-abi=",
    "-mfpu=",
    "-mcmodel=",
    "-mthumb",
    "-marm",
    "-mcmse",
    "-mlittle-endian",
    "-munaligned-access",
    "-mno-unaligned-access",
    "-mstrict-align",
    "-mno-strict-align",
    "-msave-restore",
    "-mno-save-restore",
    "-mrelax",
    "-mno-relax",
    "-mdiv",
    "-mno-div",
    "-mfix-cortex-m3-ldrd",
    "-mno-fix-cortex-m3-ldrd",
)
"""The flags that a board file can give: what names a CPU. A flag that ends in = takes one word; others, such as
-fplugin= or -wrapper, would run programs or read and write files."""

EMULATOR_KEYS = ("unicorn_model", "qemu_machine")
"""The keys of [cpu], fields of Cpu, by which emulators know the CPU: see mcuq.emulate.emulators."""

QEMU_SYSTEMS = ("arm", "riscv32")
"""The architectures of QEMU's commands."""

LOADER_KINDS = ("ram", "nrf51")
"""Memory of the loader's slot: written like RAM, or through the flash controller of nRF51."""

MAILBOX_BYTES = 16
"""At the end of the program's RAM, initialized by nobody: what a program tells the loader across a reset."""


@dataclass(frozen=True)
class Cpu:
    """A processor, as each compiler and emulator names it.

    `target` and `zig_cpu` are for `zig cc -target ... -mcpu=...`; `gcc` is the command of the GNU compiler.
    `unicorn_model` and `qemu_machine` are None where Unicorn or QEMU does not emulate it.
    """

    core: str
    features: frozenset[str]
    target: str
    zig_cpu: str
    gcc: str
    gcc_flags: tuple[str, ...]
    unicorn_model: str | None = None
    qemu_machine: str | None = None

    @property
    def is_emulated(self) -> bool:
        """Whether an emulator has it."""
        return any(getattr(self, key) is not None for key in EMULATOR_KEYS)


@dataclass(frozen=True)
class Ram:
    """A memory for data. `is_fast` says that the CPU waits less for it than for the board's `ram_address`."""

    name: str
    address: int
    size_bytes: int
    is_fast: bool = False

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.address + self.size_bytes


@dataclass(frozen=True)
class Memory:
    """The memory a program may use. Stack and data lie in `ram_bytes` at `ram_address`, called `ram_name`; arenas may
    also lie in `more`."""

    flash_address: int
    flash_bytes: int
    ram_address: int
    ram_bytes: int
    ram_name: str = "ram"
    more: tuple[Ram, ...] = ()

    @property
    def main(self) -> Ram:
        """The one for stack and data."""
        return Ram(self.ram_name, self.ram_address, self.ram_bytes)

    @property
    def rams(self) -> tuple[Ram, ...]:
        """All of them: those that are faster, the main one, all others; else as the file has them."""
        fast = tuple(ram for ram in self.more if ram.is_fast)
        return (*fast, self.main, *(ram for ram in self.more if not ram.is_fast))

    @property
    def all_ram_bytes(self) -> int:
        """Bytes of all of them together."""
        return sum(ram.size_bytes for ram in self.rams)


@dataclass(frozen=True)
class Driver:
    """[firmware]: the folder of firmware/boards/ with the chip's driver, and what counts cycles."""

    family: str
    counter: str


@dataclass(frozen=True)
class Uart:
    """The serial port that the firmware talks through.

    `clock_hz` is the UART's input clock. `interrupt` is its number at the interrupt controller; None where reception
    is polled. `settings` are the keys that only the family's driver knows.
    """

    address: int
    clock_hz: int
    baud: int
    interrupt: int | None = None
    tx: str | None = None
    rx: str | None = None
    settings: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Flashing:
    """[flash]: the way a program gets onto the board; `wait_states` at the board's clock, None where the driver does
    not set them; `options` are the method's own."""

    method: str
    wait_states: int | None = None
    options: tuple[tuple[str, str | int], ...] = ()

    @property
    def facts(self) -> FlashFacts:
        """What is known of the method."""
        return FLASH_METHODS[self.method]


@dataclass(frozen=True)
class Loader:
    """mcuq's resident loader: programs go to the slot, behind one page of header. `address` is where the loader itself
    begins where that is not the start of flash."""

    slot_address: int
    slot_bytes: int
    page_bytes: int
    kind: str
    address: int | None = None


@dataclass(frozen=True)
class WeightSlots:
    """[weights]: two slots, one behind the other, for weights that the host replaces: each a page of header and a blob.
    `kind` as the loader's."""

    address: int
    slot_bytes: int
    page_bytes: int
    kind: str

    @property
    def most_bytes(self) -> int:
        """Of a blob."""
        return self.slot_bytes - self.page_bytes


@dataclass(frozen=True)
class Usb:
    """What the board's USB interface calls itself: `--port auto` looks for it."""

    vendor_id: int
    product_id: int


@dataclass(frozen=True)
class Qemu:
    """QEMU's machine for the whole board; `serial` is the index of its UART among the machine's, `system` the
    architecture in the name of QEMU's command, `wake` the number of the UART's interrupt where reception is polled: the
    idle firmware sleeps until it comes."""

    machine: str
    system: str = "arm"
    serial: int = 0
    wake: int | None = None


@dataclass(frozen=True)
class Board:
    """A CPU with its memory and clock; the host has neither `memory` nor `clock_hz`. `source` is the TOML text.

    Firmware can be built where `driver` and `uart` are there; the rest says how it gets onto the board.
    """

    name: str
    description: str
    verified: str
    cpu: Cpu
    memory: Memory | None = None
    clock_hz: int | None = None
    driver: Driver | None = None
    uart: Uart | None = None
    clock: tuple[tuple[str, int], ...] = ()
    flashing: Flashing | None = None
    loader: Loader | None = None
    weights: WeightSlots | None = None
    usb: Usb | None = None
    qemu: Qemu | None = None
    source: str = field(default="", repr=False, compare=False)

    @property
    def program_memory(self) -> Memory | None:
        """The memory of a program: the loader's slot without its header where there is a loader, and RAM without a slot
        that lies in it."""
        if self.memory is None or self.loader is None:
            return self.memory
        slot, ram_address, ram_bytes = self.loader, self.memory.ram_address, self.memory.ram_bytes
        slot_is_in_ram = ram_address <= slot.slot_address < ram_address + ram_bytes
        return replace(
            self.memory,
            flash_address=slot.slot_address + slot.page_bytes,
            flash_bytes=slot.slot_bytes - slot.page_bytes,
            ram_bytes=slot.slot_address - ram_address if slot_is_in_ram else ram_bytes,
        )
