"""STM32 families as far as mcuq's drivers look: USART, clock tree, supply, flash; and what their manuals allow.

Written from the reference manuals, independently of the drivers: registers decode to frequencies here, not to the
numbers of the board file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from register_harness import SerialChip

from mcuq.boards.facts import Board

MHZ = 1_000_000
Words = Mapping[int, int]


def bits(words: Words, address: int, high: int, low: int) -> int:
    """Bits high to low of a register, as manuals write them."""
    return words.get(address, 0) >> low & ((2 << high - low) - 1)


def ahb_divider(code: int) -> int:
    """HPRE: 0xxx is 1, then 2, 4, 8, 16, 64 to 512."""
    return 1 if code < 8 else (2, 4, 8, 16, 64, 128, 256, 512)[code - 8]


def apb_divider(code: int) -> int:
    """PPRE: 0xx is 1, then 2, 4, 8, 16."""
    return 1 if code < 4 else 2 << code - 4


class Stm32(SerialChip):
    """What the families share; a subclass says where its registers are and how they decode.

    `too_fast` has (core_hz, most_hz) of each moment at which the core ran faster than its voltage and flash allow.
    """

    reset_words: ClassVar[Words]
    gpio: ClassVar[int]
    gpio_clocks: ClassVar[int]  # the register whose bit n is the clock of port n
    rcc_cr: ClassVar[int]
    rcc_cfgr: ClassVar[int]
    switch: ClassVar[tuple[int, int]]  # bits of RCC_CFGR.SW, and from which bit on SWS answers
    ready: ClassVar[Mapping[int, int]]  # RCC_CR: the bit that turns something on -> the one that says it runs
    runs_at_reset: ClassVar[Mapping[int, int]]  # the same of the oscillator that the core has then
    pll_switch: ClassVar[int]  # the value of SW that means the PLL
    interrupts_of_uarts: ClassVar[Mapping[int, int]]  # address -> position in the manual's vector table
    pll_registers: ClassVar[Mapping[int, int]]  # those that the PLL locks while it is on -> which of their bits
    rom_words: ClassVar[Words]  # what the ROM's loader may leave in other registers: the core on the PLL, another clock

    def __init__(self, board: Board, *, wakes: bool = True) -> None:
        """`wakes` is false for a chip whose oscillators and PLL never become ready."""
        super().__init__(self.reset_words)
        assert board.uart is not None
        self.board = board
        self.uart = board.uart.address
        self.wakes = wakes
        self.too_fast: list[tuple[int, int]] = []

    def started_by_rom(self) -> Stm32:
        """Itself, with registers as the ROM's loader may leave them."""
        self.words |= self.rom_words
        register, bit = self.uart_clock()
        self.words[register] = self.words.get(register, 0) | 1 << bit
        self.words |= self.rom_uart_words()
        return self

    def rom_uart_words(self) -> dict[int, int]:
        """The UART on, with even parity and the divider of another clock."""
        raise NotImplementedError

    def uart_clock(self) -> tuple[int, int]:
        """The register and the bit that give the board's UART its clock."""
        raise NotImplementedError

    def core_hz(self, words: Words) -> int:
        """The core's clock that these registers give, if all that they turn on runs."""
        raise NotImplementedError

    def most_hz(self, words: Words) -> int:
        """The fastest that the core may run with the voltage and the wait states of these registers."""
        raise NotImplementedError

    def uart_hz(self, words: Words) -> int:
        """The clock at the UART."""
        raise NotImplementedError

    def baud(self, words: Words) -> float:
        """What the UART makes of its clock."""
        raise NotImplementedError

    def check_limits(self, words: Words) -> None:
        """Assert what the manual allows of PLL and buses."""
        raise NotImplementedError

    def pin_function(self, words: Words, port: int, pin: int) -> int | None:
        """The alternate function of a pin, None where it is none."""
        base = self.gpio + 0x400 * port
        if bits(words, base, 2 * pin + 1, 2 * pin) != 2:
            return None
        return bits(words, base + 0x20 + 4 * (pin // 8), 4 * (pin % 8) + 3, 4 * (pin % 8))

    def has_clock(self, address: int) -> bool:
        """Whether the peripheral at this address has been given its clock; without, it keeps nothing."""
        if self.uart <= address < self.uart + 0x400:
            register, bit = self.uart_clock()
            return bool(self.words.get(register, 0) >> bit & 1)
        if self.gpio <= address < self.gpio + 11 * 0x400:
            return bool(self.words.get(self.gpio_clocks, 0) >> (address - self.gpio) // 0x400 & 1)
        return True

    def read(self, address: int) -> int:
        word = super().read(address)
        if address == self.rcc_cr:
            for on, runs in self.runs_at_reset.items():
                word = word & ~(1 << runs) | (word >> on & 1) << runs
            for on, runs in self.ready.items():
                word = word & ~(1 << runs) | (word >> on & self.wakes) << runs
        elif address == self.rcc_cfgr:
            width, answer = self.switch
            mask = (1 << width) - 1
            word = word & ~(mask << answer) | (word & mask if self.wakes else 0) << answer
        return word

    def write(self, address: int, value: int) -> None:
        if not self.has_clock(address):
            return
        before = self.words.get(address, 0)
        if self.words.get(self.rcc_cr, 0) >> 24 & 1:
            locked = self.pll_registers.get(address, 0)
            value = value & ~locked | before & locked
            if address == self.rcc_cr and bits(self.words, self.rcc_cfgr, self.switch[0] - 1, 0) == self.pll_switch:
                value |= 1 << 24  # the core runs from it
        super().write(address, value)
        core_hz, most_hz = self.core_hz(self.words), self.most_hz(self.words)
        if core_hz > most_hz:
            self.too_fast.append((core_hz, most_hz))


class UsartV1(Stm32):
    """SR, DR, BRR, CR1 at 0, 4, 8, 0xc (RM0008, RM0090: USART registers)."""

    _status_was_read = False

    def rom_uart_words(self) -> dict[int, int]:
        return {self.uart + 8: 0x45, self.uart + 0xC: 0x340C}

    def read(self, address: int) -> int:
        if address == self.uart and self.words.get(self.uart + 0xC, 0) >> 13 & 1:
            self._status_was_read = True
            return 0xC0 | (0x20 | self.to_device[0][1] if self.to_device else 0)
        if address == self.uart + 4 and self.to_device and self.words.get(self.uart + 0xC, 0) >> 2 & 1:
            byte, errors = self.to_device[0]
            if errors and not self._status_was_read:
                return byte  # the errors stay, and so does what they belong to
            self._status_was_read = False
            return self.to_device.popleft()[0]
        return super().read(address)

    def write(self, address: int, value: int) -> None:
        super().write(address, value)
        if address == self.uart + 4 and self.words.get(self.uart + 0xC, 0) & 0x2008 == 0x2008:
            self.from_device.append(value & 0xFF)

    def interrupts(self) -> bool:
        return bool(self.to_device) and self.words.get(self.uart + 0xC, 0) & 0x2024 == 0x2024

    def baud(self, words: Words) -> float:
        return self.uart_hz(words) / bits(words, self.uart + 8, 15, 0)


class UsartV2(Stm32):
    """CR1, BRR, ISR, ICR, RDR, TDR at 0, 0xc, 0x1c, 0x20, 0x24, 0x28 (RM0444, RM0432, RM0433: USART registers)."""

    def __init__(self, board: Board, *, wakes: bool = True) -> None:
        super().__init__(board, wakes=wakes)
        self.errors = 0

    def rom_uart_words(self) -> dict[int, int]:
        return {self.uart: 0x140D, self.uart + 4: 1 << 20, self.uart + 0xC: 0x45}

    def read(self, address: int) -> int:
        control = self.words.get(self.uart, 0)
        if address == self.uart + 0x1C:
            if self.to_device and self.to_device[0][1]:
                byte, errors = self.to_device[0]
                self.errors |= errors
                self.to_device[0] = (byte, 0)
            return (
                self.errors | (0xC0 if control & 9 == 9 else 0) | (0x20 if self.to_device and control & 5 == 5 else 0)
            )
        if address == self.uart + 0x24 and self.to_device and control & 5 == 5:
            return self.to_device.popleft()[0]
        return super().read(address)

    def write(self, address: int, value: int) -> None:
        control = self.words.get(self.uart, 0)
        if address == self.uart + 0xC and control & 1:
            return  # BRR is locked while the UART is on
        super().write(address, value)
        if address == self.uart + 0x20:
            self.errors &= ~value
        if address == self.uart + 0x28 and control & 9 == 9:
            self.from_device.append(value & 0xFF)

    def interrupts(self) -> bool:
        return bool(self.to_device or self.errors & 8) and self.words.get(self.uart, 0) & 0x25 == 0x25

    def baud(self, words: Words) -> float:
        return self.uart_hz(words) / bits(words, self.uart + 0xC, 15, 0)


class Stm32F1(UsartV1):
    """STM32F103 (RM0008; flash: PM0075)."""

    reset_words: ClassVar = {0x40021000: 0x83, 0x40022000: 0x30} | {
        0x40010800 + 0x400 * port + offset: 0x44444444 for port in range(5) for offset in (0, 4)
    }
    gpio, gpio_clocks = 0x40010800, 0x40021018
    rcc_cr, rcc_cfgr = 0x40021000, 0x40021004
    switch, pll_switch = (2, 2), 2
    ready: ClassVar = {16: 17, 24: 25}
    interrupts_of_uarts: ClassVar = {0x40013800: 37, 0x40004400: 38, 0x40004800: 39}
    runs_at_reset: ClassVar = {0: 1}
    pll_registers: ClassVar = {0x40021004: 0x3F0000}
    rom_words: ClassVar = {0x40021000: 0x03000083, 0x40021004: 0x100002}  # AN2606, STM32F10xxx: 24 MHz from HSI

    def has_clock(self, address: int) -> bool:
        if self.gpio <= address < self.gpio + 5 * 0x400:
            return bool(self.words.get(self.gpio_clocks, 0) >> (2 + (address - self.gpio) // 0x400) & 1)
        return super().has_clock(address)

    def uart_clock(self) -> tuple[int, int]:
        return {0x40013800: (0x40021018, 14), 0x40004400: (0x4002101C, 17), 0x40004800: (0x4002101C, 18)}[self.uart]

    def core_hz(self, words: Words) -> int:
        if bits(words, self.rcc_cfgr, 1, 0) != self.pll_switch:
            return 8 * MHZ
        pll_input_hz = 8 * MHZ if bits(words, self.rcc_cfgr, 16, 16) else 4 * MHZ  # HSE, or half of HSI
        pll_hz = pll_input_hz * (bits(words, self.rcc_cfgr, 21, 18) + 2)
        return pll_hz // ahb_divider(bits(words, self.rcc_cfgr, 7, 4))

    def most_hz(self, words: Words) -> int:
        return min(72, 24 * (1 + bits(words, 0x40022000, 2, 0))) * MHZ

    def uart_hz(self, words: Words) -> int:
        apb = bits(words, self.rcc_cfgr, 13, 11) if self.uart >= 0x40010000 else bits(words, self.rcc_cfgr, 10, 8)
        return self.core_hz(words) // apb_divider(apb)

    def check_limits(self, words: Words) -> None:
        assert self.core_hz(words) // apb_divider(bits(words, self.rcc_cfgr, 10, 8)) <= 36 * MHZ
        assert bits(words, 0x40022000, 4, 4) == 1, "the prefetch buffer is on"

    def pin_function(self, words: Words, port: int, pin: int) -> int | None:
        """What GPIOx_CRL and CRH say of it: 0xb is alternate push-pull at 50 MHz, 8 a pulled input."""
        return bits(words, self.gpio + 0x400 * port + 4 * (pin // 8), 4 * (pin % 8) + 3, 4 * (pin % 8))


class Stm32F4(UsartV1):
    """STM32F407 (RM0090), F446 (RM0390), and F411 (RM0383), whose boards state a voltage scale."""

    reset_words: ClassVar = {
        0x40023800: 0x83, 0x40023804: 0x24003010, 0x40007000: 0xC000,
        0x40020000: 0xA8000000, 0x40020400: 0x280,
    }  # fmt: skip
    gpio, gpio_clocks = 0x40020000, 0x40023830
    rcc_cr, rcc_cfgr, rcc_pllcfgr = 0x40023800, 0x40023808, 0x40023804
    switch, pll_switch = (2, 2), 2
    ready: ClassVar = {16: 17, 24: 25}
    interrupts_of_uarts: ClassVar = {0x40011000: 37, 0x40004400: 38, 0x40004800: 39, 0x40011400: 71}
    runs_at_reset: ClassVar = {0: 1}
    pll_registers: ClassVar = {0x40023804: 0xFFFFFFFF, 0x40007000: 0xC000}
    rom_words: ClassVar = {  # AN2606, STM32F40xxx and F446xx: 60 MHz from HSI
        0x40023800: 0x03000083, 0x40023804: 0x24001E10, 0x40023808: 0x2,
        0x40023C00: 0x3,
    }  # fmt: skip
    pwr_cr, pwr_csr, flash_acr = 0x40007000, 0x40007004, 0x40023C00

    def __init__(self, board: Board, *, wakes: bool = True) -> None:
        super().__init__(board, wakes=wakes)
        self.is_f411 = "voltage_scale" in dict(board.clock)
        if self.is_f411:
            self.words[self.pwr_cr] = 0x8000  # RM0383: scale 2

    def uart_clock(self) -> tuple[int, int]:
        apb1, apb2 = 0x40023840, 0x40023844
        return {
            0x40011000: (apb2, 4), 0x40004400: (apb1, 17), 0x40004800: (apb1, 18), 0x40011400: (apb2, 5)
        }[self.uart]  # fmt: skip

    def has_clock(self, address: int) -> bool:
        if 0x40007000 <= address < 0x40007400:
            return bool(self.words.get(0x40023840, 0) >> 28 & 1)
        return super().has_clock(address)

    def read(self, address: int) -> int:
        if address == self.pwr_csr and self.wakes:
            scaled = self.words.get(self.rcc_cr, 0) >> 24 & 1  # VOS counts, and VOSRDY is set, while the PLL is on
            return self.words.get(self.pwr_cr, 0) & 0x30000 | scaled << 14  # ODRDY, ODSWRDY follow ODEN, ODSWEN
        return super().read(address)

    def _pll(self, words: Words) -> tuple[int, int, int]:
        """Input, VCO and output in hertz."""
        hse_hz = dict(self.board.clock)["hse_hz"]
        source_hz = hse_hz if bits(words, self.rcc_pllcfgr, 22, 22) else 16 * MHZ
        m, n = bits(words, self.rcc_pllcfgr, 5, 0), bits(words, self.rcc_pllcfgr, 14, 6)
        p = 2 * (bits(words, self.rcc_pllcfgr, 17, 16) + 1)
        return source_hz // m, source_hz * n // m, source_hz * n // m // p

    def core_hz(self, words: Words) -> int:
        is_pll = bits(words, self.rcc_cfgr, 1, 0) == self.pll_switch
        return (self._pll(words)[2] if is_pll else 16 * MHZ) // ahb_divider(bits(words, self.rcc_cfgr, 7, 4))

    def most_hz(self, words: Words) -> int:
        if self.is_f411:  # RM0383: FLASH, wait states; PWR_CR.VOS
            by_wait_states = (30, 64, 90, 100)[min(bits(words, self.flash_acr, 3, 0), 3)]
            return min(by_wait_states, {1: 64, 2: 84, 3: 100}[bits(words, self.pwr_cr, 15, 14)]) * MHZ
        over_drive = bits(words, self.pwr_cr, 17, 16) == 3
        return min(180 if over_drive else 168, 30 * (1 + bits(words, self.flash_acr, 3, 0))) * MHZ

    def uart_hz(self, words: Words) -> int:
        apb = bits(words, self.rcc_cfgr, 15, 13) if self.uart >= 0x40010000 else bits(words, self.rcc_cfgr, 12, 10)
        return self.core_hz(words) // apb_divider(apb)

    def check_limits(self, words: Words) -> None:
        pll_input_hz, vco_hz, _ = self._pll(words)
        assert MHZ <= pll_input_hz <= 2 * MHZ
        assert 100 * MHZ <= vco_hz <= 432 * MHZ
        assert 50 <= bits(words, self.rcc_pllcfgr, 14, 6) <= 432
        assert 2 <= bits(words, self.rcc_pllcfgr, 5, 0) <= 63
        has_over_drive = "over_drive" in dict(self.board.clock)
        core_hz = self.core_hz(words)
        most_apb1_hz, most_apb2_hz = (45 * MHZ, 90 * MHZ) if has_over_drive else (42 * MHZ, 84 * MHZ)
        if self.is_f411:
            most_apb1_hz, most_apb2_hz = 50 * MHZ, 100 * MHZ
        assert core_hz // apb_divider(bits(words, self.rcc_cfgr, 12, 10)) <= most_apb1_hz
        assert core_hz // apb_divider(bits(words, self.rcc_cfgr, 15, 13)) <= most_apb2_hz
        assert bits(words, self.flash_acr, 10, 8) == 7, "prefetch and both caches are on"


class Stm32G0(UsartV2):
    """STM32G071 (RM0444)."""

    reset_words: ClassVar = {
        0x40021000: 0x500, 0x4002100C: 0x1000, 0x40022000: 0x40600, 0x50000000: 0xEBFFFFFF,
    }  # fmt: skip
    gpio, gpio_clocks = 0x50000000, 0x40021034
    rcc_cr, rcc_cfgr, rcc_pllcfgr, flash_acr = 0x40021000, 0x40021008, 0x4002100C, 0x40022000
    switch, pll_switch = (3, 3), 2
    ready: ClassVar = {24: 25}
    interrupts_of_uarts: ClassVar = {0x40013800: 27, 0x40004400: 28}
    runs_at_reset: ClassVar = {8: 10}
    pll_registers: ClassVar = {0x4002100C: 0x7FFF}  # PLLSRC, PLLM, PLLN; the outputs' dividers while they are off
    rom_words: ClassVar = {  # AN2606, STM32G07xxx: 24 MHz from HSI16
        0x40021000: 0x03000500, 0x4002100C: 0x70000602, 0x40021008: 2,
    }  # fmt: skip

    def uart_clock(self) -> tuple[int, int]:
        return {0x40013800: (0x40021040, 14), 0x40004400: (0x4002103C, 17)}[self.uart]

    def _pll(self, words: Words) -> tuple[int, int, int]:
        assert bits(words, self.rcc_pllcfgr, 1, 0) == 2, "the PLL runs from HSI16"
        pll_input_hz = 16 * MHZ // (bits(words, self.rcc_pllcfgr, 6, 4) + 1)
        vco_hz = pll_input_hz * bits(words, self.rcc_pllcfgr, 14, 8)
        return pll_input_hz, vco_hz, vco_hz // (bits(words, self.rcc_pllcfgr, 31, 29) + 1)

    def core_hz(self, words: Words) -> int:
        is_pll = bits(words, self.rcc_cfgr, 2, 0) == self.pll_switch
        return (self._pll(words)[2] if is_pll else 16 * MHZ) // ahb_divider(bits(words, self.rcc_cfgr, 11, 8))

    def most_hz(self, words: Words) -> int:
        return (24, 48, 64)[bits(words, self.flash_acr, 2, 0)] * MHZ

    def uart_hz(self, words: Words) -> int:
        shift = 0 if self.uart == 0x40013800 else 2
        pclk_hz = self.core_hz(words) // apb_divider(bits(words, self.rcc_cfgr, 14, 12))
        return {0: pclk_hz, 1: self.core_hz(words), 2: 16 * MHZ}[bits(words, 0x40021054, shift + 1, shift)]

    def check_limits(self, words: Words) -> None:
        pll_input_hz, vco_hz, output_hz = self._pll(words)
        assert 2_660_000 <= pll_input_hz <= 16 * MHZ
        assert 64 * MHZ <= vco_hz <= 344 * MHZ
        assert output_hz <= 64 * MHZ
        assert 8 <= bits(words, self.rcc_pllcfgr, 14, 8) <= 86
        assert bits(words, self.rcc_pllcfgr, 31, 29) >= 1
        assert bits(words, self.rcc_pllcfgr, 28, 28) == 1, "PLLREN"
        assert bits(words, self.flash_acr, 9, 8) == 3, "prefetch and cache are on"
        assert bits(words, self.flash_acr, 18, 18) == 1, "DBG_SWEN stays as reset leaves it"


class Stm32L4(UsartV2):
    """STM32L4R5 (RM0432)."""

    reset_words: ClassVar = {
        0x40021000: 0x63, 0x4002100C: 0x1000, 0x40022000: 0x600, 0x40007080: 0x100,
    } | {0x48000000 + 0x400 * port: 0xFFFFFFFF for port in range(9)}  # fmt: skip
    gpio, gpio_clocks = 0x48000000, 0x4002104C
    rcc_cr, rcc_cfgr, rcc_pllcfgr, flash_acr = 0x40021000, 0x40021008, 0x4002100C, 0x40022000
    switch, pll_switch = (2, 2), 3
    ready: ClassVar = {8: 10, 24: 25}
    interrupts_of_uarts: ClassVar = {0x40013800: 37, 0x40004400: 38, 0x40008000: 70}
    runs_at_reset: ClassVar = {0: 1}
    pll_registers: ClassVar = {0x4002100C: 0xFFFFFFFF}
    rom_words: ClassVar = {  # AN2606, STM32L4Rxxx: 60 MHz from MSI, here from HSI16
        0x40021000: 0x03000563, 0x4002100C: 0x1000F12, 0x40021008: 0x3, 0x40022000: 0x603,
    }  # fmt: skip
    pwr_cr2, pwr_cr5 = 0x40007004, 0x40007080

    def uart_clock(self) -> tuple[int, int]:
        return {0x40008000: (0x4002105C, 0), 0x40013800: (0x40021060, 14), 0x40004400: (0x40021058, 17)}[self.uart]

    def has_clock(self, address: int) -> bool:
        if 0x40007000 <= address < 0x40007400:
            return bool(self.words.get(0x40021058, 0) >> 28 & 1)
        return super().has_clock(address)

    def _pll(self, words: Words) -> tuple[int, int, int]:
        assert bits(words, self.rcc_pllcfgr, 1, 0) == 2, "the PLL runs from HSI16"
        pll_input_hz = 16 * MHZ // (bits(words, self.rcc_pllcfgr, 7, 4) + 1)
        vco_hz = pll_input_hz * bits(words, self.rcc_pllcfgr, 14, 8)
        return pll_input_hz, vco_hz, vco_hz // (2 * (bits(words, self.rcc_pllcfgr, 26, 25) + 1))

    def core_hz(self, words: Words) -> int:
        is_pll = bits(words, self.rcc_cfgr, 1, 0) == self.pll_switch
        return (self._pll(words)[2] if is_pll else 4 * MHZ) // ahb_divider(bits(words, self.rcc_cfgr, 7, 4))

    def most_hz(self, words: Words) -> int:
        has_boost = bits(words, self.pwr_cr5, 8, 8) == 0
        return min(120 if has_boost else 80, 20 * (1 + bits(words, self.flash_acr, 3, 0))) * MHZ

    def uart_hz(self, words: Words) -> int:
        shift = {0x40013800: 0, 0x40004400: 2, 0x40008000: 10}[self.uart]
        pclk_hz = self.core_hz(words) // apb_divider(bits(words, self.rcc_cfgr, 10, 8))
        return {0: pclk_hz, 1: self.core_hz(words), 2: 16 * MHZ}[bits(words, 0x40021088, shift + 1, shift)]

    def baud(self, words: Words) -> float:
        if self.uart != 0x40008000:
            return super().baud(words)
        divider = bits(words, self.uart + 0xC, 19, 0)
        assert divider >= 0x300, "LPUART_BRR's least value"
        return 256 * self.uart_hz(words) / divider

    def check_limits(self, words: Words) -> None:
        pll_input_hz, vco_hz, output_hz = self._pll(words)
        assert 2_660_000 <= pll_input_hz <= 8 * MHZ
        assert 64 * MHZ <= vco_hz <= 344 * MHZ
        assert output_hz <= 120 * MHZ
        assert 8 <= bits(words, self.rcc_pllcfgr, 14, 8) <= 127
        assert bits(words, self.rcc_pllcfgr, 24, 24) == 1, "PLLREN"
        assert bits(words, self.flash_acr, 10, 8) == 7, "prefetch and both caches are on"


class Stm32H7(UsartV2):
    """STM32H743 (RM0433); `revision` is what DBGMCU_IDC has above the chip's number."""

    reset_words: ClassVar = {
        0x58024400: 0x5, 0x58024428: 0x02020200, 0x5802442C: 0x01FF0000, 0x58024430: 0x01010280,
        0x5802480C: 0x6, 0x58024818: 0x4000, 0x52002000: 0x37, 0xE000ED80: 0xF00FE019,
    } | {0x58020000 + 0x400 * port: 0xFFFFFFFF for port in range(11)}  # fmt: skip
    gpio, gpio_clocks = 0x58020000, 0x580244E0
    rcc_cr, rcc_cfgr = 0x58024400, 0x58024410
    rcc_d1cfgr, rcc_d2cfgr, rcc_d3cfgr = 0x58024418, 0x5802441C, 0x58024420
    rcc_pllckselr, rcc_pllcfgr, rcc_pll1divr = 0x58024428, 0x5802442C, 0x58024430
    pwr_csr1, pwr_cr3, pwr_d3cr, flash_acr = 0x58024804, 0x5802480C, 0x58024818, 0x52002000
    idc, axi_targ7_fn_mod, dcisw, ccr = 0x5C001000, 0x51008108, 0xE000EF60, 0xE000ED14
    switch, pll_switch = (3, 3), 3
    ready: ClassVar = {24: 25}
    interrupts_of_uarts: ClassVar = {0x40011000: 37, 0x40004400: 38, 0x40004800: 39}
    runs_at_reset: ClassVar = {0: 2}
    pll_registers: ClassVar = {0x58024428: 0x3F3, 0x5802442C: 0xF, 0x58024430: 0xFFFFFFFF}
    rom_words: ClassVar = {  # PLL1 at 60 MHz, though AN2606 speaks of HSI alone: it must not matter
        0x58024400: 0x03000005, 0x58024410: 0x3, 0x58024428: 0x02020080, 0x58024430: 0x01010E3B,
    }  # fmt: skip

    def __init__(self, board: Board, *, wakes: bool = True, revision: int = 0x2003) -> None:
        super().__init__(board, wakes=wakes)
        self.words[self.idc] = revision << 16 | 0x450

    def uart_clock(self) -> tuple[int, int]:
        return {0x40004800: (0x580244E8, 18), 0x40004400: (0x580244E8, 17), 0x40011000: (0x580244F0, 4)}[self.uart]

    def read(self, address: int) -> int:
        word = super().read(address)
        if address in (self.pwr_csr1, self.pwr_d3cr) and self.wakes:
            word |= 1 << 13  # ACTVOSRDY, VOSRDY
        return word

    def _pll(self, words: Words) -> tuple[int, int, int]:
        assert bits(words, self.rcc_pllckselr, 1, 0) == 0, "the PLL runs from HSI"
        pll_input_hz = 64 * MHZ // bits(words, self.rcc_pllckselr, 9, 4)
        vco_hz = pll_input_hz * (bits(words, self.rcc_pll1divr, 8, 0) + 1)
        return pll_input_hz, vco_hz, vco_hz // (bits(words, self.rcc_pll1divr, 15, 9) + 1)

    def core_hz(self, words: Words) -> int:
        is_pll = bits(words, self.rcc_cfgr, 2, 0) == self.pll_switch
        return (self._pll(words)[2] if is_pll else 64 * MHZ) // ahb_divider(bits(words, self.rcc_d1cfgr, 11, 8))

    def _axi_hz(self, words: Words) -> int:
        return self.core_hz(words) // ahb_divider(bits(words, self.rcc_d1cfgr, 3, 0))

    def most_hz(self, words: Words) -> int:
        """RM0433, table of wait states: by voltage scale, wait states and programming delay, for the AXI clock."""
        latency, delay = bits(words, self.flash_acr, 3, 0), bits(words, self.flash_acr, 5, 4)
        if bits(words, self.pwr_d3cr, 15, 14) == 3:
            by_latency, by_delay, most_core_mhz = (70, 140, 210, 225), (70, 185, 225, 225), 400
        else:
            by_latency, by_delay, most_core_mhz = (45, 90, 135, 180, 225), (45, 135, 225, 225), 200
        most_axi_mhz = min(by_latency[min(latency, len(by_latency) - 1)], by_delay[delay], most_core_mhz // 2)
        return min(most_core_mhz, most_axi_mhz * ahb_divider(bits(words, self.rcc_d1cfgr, 3, 0))) * MHZ

    def uart_hz(self, words: Words) -> int:
        high, low = (5, 3) if self.uart >= 0x40010000 else (2, 0)
        pclk_hz = self._axi_hz(words) // apb_divider(bits(words, self.rcc_d2cfgr, 6, 4))
        return {0: pclk_hz, 3: 64 * MHZ}[bits(words, 0x58024454, high, low)]

    def check_limits(self, words: Words) -> None:
        pll_input_hz, vco_hz, output_hz = self._pll(words)
        least, most = ((1, 2), (2, 4), (4, 8), (8, 16))[bits(words, self.rcc_pllcfgr, 3, 2)]
        assert least * MHZ <= pll_input_hz <= most * MHZ
        assert bits(words, self.rcc_pllcfgr, 1, 0) == 0, "the wide VCO, no fraction"
        assert 192 * MHZ <= vco_hz <= 836 * MHZ
        assert output_hz <= 400 * MHZ
        assert bits(words, self.rcc_pll1divr, 15, 9) % 2 == 1, "PLL1's P is even"
        assert bits(words, self.rcc_pllcfgr, 16, 16) == 1, "DIVP1EN"
        axi_hz = self._axi_hz(words)
        assert axi_hz <= 200 * MHZ
        for address, high, low in (
            (self.rcc_d1cfgr, 6, 4), (self.rcc_d2cfgr, 6, 4), (self.rcc_d2cfgr, 10, 8), (self.rcc_d3cfgr, 6, 4)
        ):  # fmt: skip
            assert axi_hz // apb_divider(bits(words, address, high, low)) <= 100 * MHZ
        assert bits(words, self.pwr_cr3, 2, 0) == 2, "the LDO supplies the core"
        assert bits(words, self.ccr, 17, 16) == 3, "both caches are on"


CHIPS: Mapping[str, type[Stm32]] = {
    "stm32f1": Stm32F1,
    "stm32f4": Stm32F4,
    "stm32g0": Stm32G0,
    "stm32l4": Stm32L4,
    "stm32h7": Stm32H7,
}


def chip_of(board: Board) -> Stm32:
    """The chip of a board, as after power-on."""
    assert board.driver is not None
    return CHIPS[board.driver.family](board)
