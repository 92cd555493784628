"""Firmware for Espressif's chips: an ESP-IDF project with the model's C, firmware/main.c and firmware/esp_idf/board.c,
which ESP-IDF builds (its licence is Apache-2.0; it is run as a program)."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile

from mcuq.boards.facts import Board
from mcuq.boards.toml_table import pin_numbers
from mcuq.build.firmware import Firmware
from mcuq.build.firmware_source import firmware_sources, model_macros, useful_payload_bytes
from mcuq.build.several import as_several
from mcuq.compile import CompiledModel
from mcuq.errors import BoardError, BuildError, DeviceError
from mcuq.resources import resource_dir
from mcuq.system.tool import run_program
from mcuq.system.work_folder import work_folder

STACK_BYTES = 8192  # TASK_STACK_BYTES of firmware/esp_idf/board.c
MOST_S = 1200.0  # the first build compiles all of ESP-IDF
_PROJECT = "mcuq_firmware"
_ERASED = b"\xff"
_FILES = ("main.c", "stack.c")
_FOLDERS = ("model", "protocol")

_PROJECT_CMAKE = f"""\
cmake_minimum_required(VERSION 3.16)
include($ENV{{IDF_PATH}}/tools/cmake/project.cmake)
project({_PROJECT})
"""

# -include: mcuq_config.h before each file, as in mcuq's own builds.
_MAIN_CMAKE = """\
idf_component_register(SRCS {sources}
                       INCLUDE_DIRS ".")
target_compile_options(${{COMPONENT_LIB}} PRIVATE -O2 "SHELL:-include ${{CMAKE_CURRENT_LIST_DIR}}/mcuq_config.h")
"""

# No word of ESP-IDF's own on the UART that mcuq speaks on; no watchdog over a model that computes for long; any fault
# resets the chip; the core at its fastest.
_SDKCONFIG = """\
CONFIG_ESP_CONSOLE_NONE=y
CONFIG_ESP_CONSOLE_SECONDARY_NONE=y
CONFIG_BOOTLOADER_LOG_LEVEL_NONE=y
CONFIG_LOG_DEFAULT_LEVEL_NONE=y
CONFIG_ESP_SYSTEM_PANIC_SILENT_REBOOT=y
CONFIG_ESP_TASK_WDT_EN=n
CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ_{mhz}=y
CONFIG_COMPILER_OPTIMIZATION_PERF=y
CONFIG_PARTITION_TABLE_SINGLE_APP_LARGE=y
CONFIG_ESPTOOLPY_FLASHSIZE_4MB=y
"""


def is_esp_idf(board: Board) -> bool:
    """Whether ESP-IDF builds the board's firmware: esptool writes it, and mcuq has no driver for it."""
    return board.driver is None and board.flashing is not None and board.flashing.facts.is_esp_idf


def idf_project(
    model: CompiledModel | Sequence[CompiledModel], board: Board | None = None
) -> Mapping[str, str | bytes]:
    """Path -> text of the ESP-IDF project that runs the model, or several that share an arena, on the board.

    Raises BoardError where the board is none of ESP-IDF's or lacks a feature that the model's C uses.
    """
    models = as_several(model)
    board = board or models[0].board
    for each in models:
        _check(each, board)
    firmware = resource_dir("firmware")
    sources = dict(firmware_sources(models, keeps_input=True))
    includes = {f"{each.name}.c" for each in models}
    files: dict[str, str | bytes] = {**sources, "mcuq_config.h": _config(models, board)}
    for path in [*(firmware / name for name in _FILES), *firmware.glob("*.h"), firmware / "esp_idf" / "board.c"]:
        files[path.name] = path.read_bytes()
    for folder in _FOLDERS:
        for path in sorted((firmware / folder).glob("*.[ch]")):
            files[f"{folder}/{path.name}"] = path.read_bytes()
    files["kernels/mcuq_math.h"] = (firmware / "kernels" / "mcuq_math.h").read_bytes()
    compiled = sorted(name for name in files if name.endswith(".c") and name not in includes)
    main = _MAIN_CMAKE.format(sources=" ".join(f'"{name}"' for name in compiled))
    assert board.clock_hz is not None
    return {
        "CMakeLists.txt": _PROJECT_CMAKE,
        "sdkconfig.defaults": _SDKCONFIG.format(mhz=board.clock_hz // 1_000_000),
        "main/CMakeLists.txt": main,
        **{f"main/{name}": text for name, text in sorted(files.items())},
    }


def build_idf_firmware(model: CompiledModel | Sequence[CompiledModel], board: Board | None = None) -> Firmware:
    """Have ESP-IDF build the project; the image begins at the start of the flash: bootloader, partitions, program.

    Raises BoardError as idf_project does, BuildError where ESP-IDF is not there or refuses the project.
    """
    models = as_several(model)
    board = board or models[0].board
    project = idf_project(models, board)
    tool = _idf_tool()
    assert board.flashing is not None
    chip = str(dict(board.flashing.options).get("chip", "esp32c3"))
    with work_folder() as folder:
        for path, text in project.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(text.encode() if isinstance(text, str) else text)
        _run([tool, "-C", str(folder), "-B", str(folder / "build"), f"-DIDF_TARGET={chip}", "build"], folder)
        image = _merged(folder / "build")
        elf = (folder / "build" / f"{_PROJECT}.elf").read_bytes()
    program = ELFFile(io.BytesIO(elf))
    return Firmware(
        board=board,
        elf=elf,
        image=image,
        address=int(dict(board.flashing.options).get("offset", 0)),
        entry=program.header["e_entry"],
        build=_build_text(),
        ram_bytes=sum(s["p_memsz"] for s in program.iter_segments("PT_LOAD") if s["p_flags"] & P_FLAGS.PF_W),
        stack_bytes=STACK_BYTES,
        payload_bytes=useful_payload_bytes(models),
        window_bytes=0,
    )


def _check(model: CompiledModel, board: Board) -> None:
    if not is_esp_idf(board) or board.uart is None or board.clock_hz is None:
        raise BoardError(
            f"board '{board.name}' is not built by ESP-IDF; its file needs [uart], clock_hz and [flash] method "
            "'esptool', and no [firmware]"
        )
    missing = sorted(model.board.cpu.features - board.cpu.features)
    if missing:
        raise BoardError(
            f"model '{model.name}' is compiled for {model.board.name} and uses {', '.join(missing)}, which "
            f"{board.name} does not have; compile it again with --board {board.name}"
        )


def _config(models: Sequence[CompiledModel], board: Board) -> str:
    """Reception is polled from ESP-IDF's own buffer, so that no window is needed."""
    assert board.uart is not None and board.uart.tx is not None and board.uart.rx is not None
    macros = {
        "MCUQ_BOARD_NAME": json.dumps(board.name, ensure_ascii=False),
        "MCUQ_BUILD_TEXT": json.dumps(_build_text()),
        "MCUQ_IS_EMULATED": "0",
        "MCUQ_CLOCK_HZ": f"{board.clock_hz}u",
        "MCUQ_PAYLOAD_BYTES": str(useful_payload_bytes(models)),
        "MCUQ_WINDOW_BYTES": "0",
        "MCUQ_UART_BAUD": str(board.uart.baud),
        "MCUQ_UART_TX_PIN": str(pin_numbers(board.uart.tx)[1]),
        "MCUQ_UART_RX_PIN": str(pin_numbers(board.uart.rx)[1]),
        **model_macros(models),
    }
    return "".join(f"#define {name} {value}\n" for name, value in macros.items())


def _build_text() -> str:
    return f"ESP-IDF {os.environ.get('ESP_IDF_VERSION', '')}".strip() + " -O2"


def _idf_tool() -> str:
    tool = shutil.which("idf.py")
    if tool is None or not os.environ.get("IDF_PATH"):
        raise BuildError(
            "ESP-IDF: is not there (idf.py in PATH and IDF_PATH are missing); install ESP-IDF 5.0 or later "
            "(docs.espressif.com, 'Get Started') and run its export script in this shell: . $HOME/esp/esp-idf/export.sh"
        )
    return tool


def _run(command: list[str], folder: Path) -> None:
    try:
        run_program(command, "ESP-IDF: idf.py build", MOST_S)
    except DeviceError as error:  # the end of its sentence, if it took too long, is about boards
        raise BuildError(str(error).replace(str(folder), "").partition("; unplug")[0]) from error


def _merged(build: Path) -> bytes:
    """The files of flasher_args.json at their offsets, as `esptool merge_bin` puts them; gaps as erased flash."""
    arguments = json.loads((build / "flasher_args.json").read_text(encoding="utf-8"))
    image = bytearray()
    for offset, name in sorted((int(offset, 0), name) for offset, name in arguments["flash_files"].items()):
        part = (build / name).read_bytes()
        if offset < len(image):
            raise BuildError(
                f"ESP-IDF: {name} at {offset:#x} overlaps the file before it, which ends at {len(image):#x}"
            )
        image += _ERASED * (offset - len(image)) + part
    return bytes(image)
