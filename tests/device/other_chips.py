"""Chips of Nordic, Raspberry Pi and NXP as far as mcuq's drivers look: UART, clock tree, supply, and their limits.

Written from the manuals, independently of the drivers: registers decode to frequencies here, not to the numbers of the
board file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from register_harness import PERIPHERALS, SerialChip
from stm32_chips import MHZ, bits

from mcuq.boards.facts import Board

FRAMING, BREAK, OVERRUN = 1, 2, 4
"""Error bits of a byte in `to_device`."""


class OtherChip(SerialChip):
    """What the tests ask of every family. `too_fast` has what was wrong at some moment, in words."""

    regions: tuple[tuple[int, int], ...] = PERIPHERALS

    def __init__(self, board: Board, reset: Mapping[int, int], *, wakes: bool = True) -> None:
        super().__init__(reset)
        assert board.uart is not None
        self.board = board
        self.uart = board.uart.address
        self.wakes = wakes
        self.too_fast: list[str] = []

    def core_hz(self) -> float:
        """The core's clock that the registers give."""
        raise NotImplementedError

    def baud(self) -> float:
        """The UART's rate that the registers give."""
        raise NotImplementedError


class Nrf52(OtherChip):
    """nRF52840 Product Specification: CLOCK, FICR, UICR, GPIO, UART."""

    regions = (*PERIPHERALS, (0x1000_0000, 0x2000))
    hfclkstart, hfclkstarted, icachecnf, approtect_disable = 0x4000_0000, 0x4000_0100, 0x4001_E540, 0x4000_0558
    variant, uicr_approtect = 0x1000_0104, 0x1000_1208

    def __init__(self, board: Board, *, wakes: bool = True, variant: bytes = b"AAF0") -> None:
        reset = {self.variant: int.from_bytes(variant, "big"), self.uicr_approtect: 0x5A}
        super().__init__(board, reset, wakes=wakes)
        self.error_was_raised = False  # of the damaged byte that is the next in RXD
        for offset in (0x508, 0x50C, 0x510, 0x514):  # PSEL: not connected
            self.words[self.uart + offset] = 0xFFFF_FFFF
        self.runs_from_crystal = False

    def is_on(self) -> bool:
        return self.words.get(self.uart + 0x500) == 4

    def read(self, address: int) -> int:
        offset = address - self.uart
        if offset == 0x108 and self.is_on() and self.words.get(self.uart) == 1:
            return int(bool(self.to_device))
        if offset == 0x124 and self.to_device and self.to_device[0][1] and not self.error_was_raised:
            self.error_was_raised = True
            self.words[address] = 1
        if offset == 0x518:
            self.error_was_raised = False
            return self.to_device.popleft()[0] if self.to_device else 0
        return super().read(address)

    def write(self, address: int, value: int) -> None:
        super().write(address, value)
        if address == self.hfclkstart and value == 1 and self.wakes:
            self.words[self.hfclkstarted] = 1
            self.runs_from_crystal = True
        if address == self.uart + 0x51C and self.is_on() and self.words.get(self.uart + 8) == 1:
            self.from_device.append(value & 0xFF)
            self.words[self.uart + 0x11C] = 1

    def interrupts(self) -> bool:
        return bool(self.words.get(self.uart + 0x304, 0) & 4) and self.read(self.uart + 0x108) == 1

    def core_hz(self) -> float:
        return 64 * MHZ

    def baud(self) -> float:
        return self.words[self.uart + 0x524] * 16 * MHZ / (1 << 32)

    def pins(self) -> tuple[int, int]:
        """PSEL.TXD and PSEL.RXD."""
        return self.words[self.uart + 0x50C], self.words[self.uart + 0x514]

    def pin_configuration(self, port: int, pin: int) -> int:
        return self.words.get(0x5000_0700 + 0x300 * port + 4 * pin, 2)


class Rp2(OtherChip):
    """RP2040 and RP2350 Datasheets: CLOCKS, RESETS, XOSC, PLL, UART (Arm's PL011, DDI 0183), IO_BANK0, PADS_BANK0."""

    crystal_hz = 12 * MHZ
    ring_hz = 6.5 * MHZ
    clocks: int
    resets: int
    xosc: int
    pll: int
    io_bank0: int
    pads_bank0: int
    psm: int
    watchdog: int
    reset_numbers: ClassVar[Mapping[str, int]]
    all_resets: int
    most_hz: int
    pad_reset: int
    oscillators: int  # PSM: WDSEL, the bits that must stay 0

    def __init__(self, board: Board, *, wakes: bool = True, warm: bool = False) -> None:
        """`warm`: after a reset of the core alone, with the clocks as a program has left them."""
        reset = {self.resets: self.all_resets, self.clocks + 0x3C: 0, self.clocks + 0x30: 0, self.pll: 1}
        reset |= {self.pll + 4: 0x2D, self.pll + 0xC: 0x77000, self.uart_of(board) + 0x30: 0x300}
        super().__init__(board, reset, wakes=wakes)
        for pin in range(30):
            self.words[self.pads_bank0 + 4 + 4 * pin] = self.pad_reset
        if warm:
            self.words |= {self.xosc: 0xFABAA0, self.clocks + 0x30: 2, self.clocks + 0x3C: 1, self.pll + 4: 4}
            self.words |= {self.pll + 8: 100, self.pll + 0xC: 5 << 16 | 2 << 12}
            self.words[self.resets] &= ~(1 << self.reset_numbers["pll_sys"])

    @staticmethod
    def uart_of(board: Board) -> int:
        assert board.uart is not None
        return board.uart.address

    def has_crystal(self) -> bool:
        return self.wakes and self.words.get(self.xosc, 0) == 0xFABAA0 and self.words.get(self.xosc + 0xC, 47) >= 47

    def is_locked(self) -> bool:
        held = self.words[self.resets] >> self.reset_numbers["pll_sys"] & 1
        return self.has_crystal() and not held and self.words[self.pll + 4] & 0x21 == 0

    def is_out_of_reset(self, name: str) -> bool:
        return not self.words[self.resets] >> self.reset_numbers[name] & 1

    def read(self, address: int) -> int:
        if address == self.xosc + 4:
            return int(self.has_crystal()) << 31
        if address == self.resets + 8:
            return ~self.words[self.resets] & self.all_resets
        if address == self.pll:
            return self.words[self.pll] | int(self.is_locked()) << 31
        if address == self.clocks + 0x38:
            return 1 << (self.words[self.clocks + 0x30] & 3)
        if address == self.clocks + 0x44:
            return 1 << (self.words[self.clocks + 0x3C] & 1)
        if address == self.uart + 0x18:
            return (not self.to_device) << 4
        if address == self.uart:
            byte, errors = self.to_device.popleft() if self.to_device else (0, 0)
            found = (0x100 if errors & FRAMING else 0) | (0x400 if errors & BREAK else 0)
            return byte | found | (0x800 if errors & OVERRUN else 0)
        return super().read(address)

    def write(self, address: int, value: int) -> None:
        pll_was_used = self.words[self.clocks + 0x3C] & 1
        super().write(address, value)
        if address == self.resets and value >> self.reset_numbers["pll_sys"] & 1:
            self.words |= {self.pll: 1, self.pll + 4: 0x2D, self.pll + 8: 0, self.pll + 0xC: 0x77000}
            if pll_was_used:
                self.too_fast.append("the PLL stops while clk_sys runs from it")
        if address in (self.pll + 8, self.pll + 0xC) and pll_was_used:
            self.too_fast.append("the PLL changes while clk_sys runs from it")
        if self.core_hz() > self.most_hz:
            self.too_fast.append(f"{self.core_hz() / MHZ} MHz")
        if address == self.uart and self.words.get(self.uart + 0x30, 0) & 0x101 == 0x101:
            self.from_device.append(value & 0xFF)

    def interrupts(self) -> bool:
        is_asked = self.words.get(self.uart + 0x38, 0) & 0x50 == 0x50
        return is_asked and self.words.get(self.uart + 0x30, 0) & 0x201 == 0x201 and bool(self.to_device)

    def vco_hz(self) -> float:
        return self.crystal_hz / (self.words[self.pll] & 0x3F) * self.words.get(self.pll + 8, 0)

    def core_hz(self) -> float:
        if self.words[self.clocks + 0x3C] & 1:
            is_on = self.is_locked() and self.words[self.pll + 4] & 8 == 0
            post = bits(self.words, self.pll + 0xC, 18, 16) * bits(self.words, self.pll + 0xC, 14, 12)
            return self.vco_hz() / post if is_on else 0.0
        return self.crystal_hz if self.words[self.clocks + 0x30] & 3 == 2 else self.ring_hz

    def baud(self) -> float:
        assert self.words[self.clocks + 0x48] & 0x8E0 == 0x800, "clk_peri is on, from clk_sys"
        divisor = self.words[self.uart + 0x24] + self.words[self.uart + 0x28] / 64
        return self.core_hz() / 16 / divisor


class Rp2040(Rp2):
    clocks, resets, psm, xosc, pll = 0x4000_8000, 0x4000_C000, 0x4001_0000, 0x4002_4000, 0x4002_8000
    io_bank0, pads_bank0, watchdog = 0x4001_4000, 0x4001_C000, 0x4005_8000
    reset_numbers: ClassVar[Mapping[str, int]] = {"io_bank0": 5, "pads_bank0": 8, "pll_sys": 12, "uart0": 22}
    all_resets, most_hz, pad_reset, oscillators = 0x1FF_FFFF, 133 * MHZ, 0x56, 0x3


class Rp2350(Rp2):
    clocks, resets, psm, xosc, pll = 0x4001_0000, 0x4002_0000, 0x4001_8000, 0x4004_8000, 0x4005_0000
    io_bank0, pads_bank0, watchdog = 0x4002_8000, 0x4003_8000, 0x400D_8000
    reset_numbers: ClassVar[Mapping[str, int]] = {"io_bank0": 6, "pads_bank0": 9, "pll_sys": 14, "uart0": 26}
    all_resets, most_hz, pad_reset, oscillators = 0x1FFF_FFFF, 150 * MHZ, 0x116, 0xC


class ImxRt1062(OtherChip):
    """i.MX RT1060 Processor Reference Manual: CCM, CCM_ANALOG, DCDC, LPUART; as its ROM leaves them at 396 MHz."""

    crystal_hz = 24 * MHZ
    pll_arm, cacrr, cbcdr, cbcmr, cscdr1, cdhipr = (
        0x400D_8000, 0x400F_C010, 0x400F_C014, 0x400F_C018, 0x400F_C024, 0x400F_C048,
    )  # fmt: skip
    dcdc_reg0, dcdc_reg3, ccgr3 = 0x4008_0000, 0x4008_000C, 0x400F_C074

    def __init__(self, board: Board, *, wakes: bool = True) -> None:
        reset = {self.pll_arm: 0x2042, self.cacrr: 1, self.cbcdr: 0x000A_8300, self.cbcmr: 0x2DAE_8324}
        super().__init__(board, {**reset, self.cscdr1: 0x0649_0B00, self.dcdc_reg3: 0x10E}, wakes=wakes)

    def read(self, address: int) -> int:
        if address == self.cdhipr:
            return 0
        if address == self.dcdc_reg0:
            return int(self.wakes) << 31
        if address == self.pll_arm:
            return self.words[address] | int(self.is_locked()) << 31
        if address == self.uart + 0x14:
            return 1 << 23 | (1 << 21 if self.to_device else 0) | self.words.get(address, 0)
        if address == self.uart + 0x28:
            return (0 if self.to_device else 1 << 22) | self.words.get(address, 0)
        if address == self.uart + 0x1C:
            byte, errors = self.to_device.popleft() if self.to_device else (0, 0)
            return byte | (1 << 13 if errors & FRAMING else 0)
        return super().read(address)

    def write(self, address: int, value: int) -> None:
        super().write(address, value)
        if address == self.uart + 0x14:
            self.words[address] = 0  # errors are cleared by writing 1; the model raises none for itself
        if address == self.uart + 0x1C and self.words.get(self.uart + 0x18, 0) >> 19 & 1:
            self.from_device.append(value & 0xFF)
        millivolts = 800 + 25 * (self.words[self.dcdc_reg3] & 0x1F)
        if self.core_hz() > 528 * MHZ and not 1250 <= millivolts <= 1300:
            self.too_fast.append(f"{self.core_hz() / MHZ} MHz at {millivolts} mV")
        if self.core_hz() > 600 * MHZ or self.ipg_hz() > 150 * MHZ:
            self.too_fast.append(f"core {self.core_hz() / MHZ}, peripherals {self.ipg_hz() / MHZ} MHz")
        if address == self.pll_arm and not self.words[self.cbcdr] >> 25 & 1:
            self.too_fast.append("the PLL changes while the core runs from it")

    def is_locked(self) -> bool:
        is_on = bits(self.words, self.pll_arm, 13, 12) == 2 and not self.words[self.pll_arm] >> 16 & 1
        return is_on and (self.wakes or self.words[self.pll_arm] & 0x7F == 0x42)

    def interrupts(self) -> bool:
        return self.words.get(self.uart + 0x18, 0) & 0x24_0000 == 0x24_0000 and bool(self.to_device)

    def pll_hz(self) -> float:
        return self.crystal_hz * (self.words[self.pll_arm] & 0x7F) / 2

    def core_hz(self) -> float:
        ahb = bits(self.words, self.cbcdr, 12, 10) + 1
        if self.words[self.cbcdr] >> 25 & 1:
            assert bits(self.words, self.cbcmr, 13, 12) == 1, "periph_clk2 from the crystal"
            return self.crystal_hz / (bits(self.words, self.cbcdr, 29, 27) + 1) / ahb
        assert bits(self.words, self.cbcmr, 19, 18) == 3, "pre_periph_clk from the Arm PLL"
        return self.pll_hz() / (bits(self.words, self.cacrr, 2, 0) + 1) / ahb if self.is_locked() else 0.0

    def ipg_hz(self) -> float:
        return self.core_hz() / (bits(self.words, self.cbcdr, 9, 8) + 1)

    def baud(self) -> float:
        assert bits(self.words, self.cscdr1, 6, 0) == 0x40, "from the crystal, undivided"
        assert bits(self.words, self.ccgr3, 7, 6) == 3
        register = self.words[self.uart + 0x10]
        return self.crystal_hz / (register & 0x1FFF) / ((register >> 24 & 0x1F) + 1)


OTHER_CHIPS: Mapping[str, type[OtherChip]] = {
    "nrf52": Nrf52,
    "rp2040": Rp2040,
    "rp2350": Rp2350,
    "imxrt1062": ImxRt1062,
}


def other_chip_of(board: Board, *, wakes: bool = True) -> OtherChip:
    """The model of a board's chip, as at power-on."""
    assert board.driver is not None
    return OTHER_CHIPS[board.driver.family](board, wakes=wakes)
