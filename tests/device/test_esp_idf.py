"""ESP32-C3 through ESP-IDF, which is not installed here: the project that mcuq writes is compiled for the chip's CPU
against declarations of the drivers that it uses (tests/device/idf/), run on this computer, and built by a stand-in for
idf.py.
"""

from __future__ import annotations

import functools
import json
import os
import re
import select
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from support import random_inputs

from mcuq.artifact import save
from mcuq.boards.find import load_board
from mcuq.build.esp_idf import STACK_BYTES, build_idf_firmware, idf_project, is_esp_idf
from mcuq.build.firmware import build_firmware
from mcuq.cli import main
from mcuq.compile import CompiledModel, compile_model
from mcuq.device.flash import flash_method
from mcuq.device.messages import Role
from mcuq.device.session import Session
from mcuq.errors import BoardError, BuildError
from mcuq.graph.simulate import simulate
from mcuq.resources import resource_dir

BOARD = "esp32-c3-devkit"
IDF = Path(__file__).parent / "idf"
WARNINGS = ("-std=gnu17", "-Wall", "-Wextra", "-Werror")
SAMPLES = 4


@functools.cache
def digits(board: str = BOARD) -> CompiledModel:
    folder = resource_dir("examples") / "digits"
    return compile_model(
        str(folder / "digits.onnx"), load_board(board), str(folder / "digits_calibration.npz"), name="digits"
    )


def written(folder: Path) -> Path:
    """The project's folder."""
    for path, text in idf_project(digits()).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def sources(project: Path) -> list[str]:
    """What main/CMakeLists.txt says ESP-IDF shall compile."""
    text = (project / "main" / "CMakeLists.txt").read_text()
    found = re.search(r"SRCS ((?:\"[^\"]+\"\s*)+)", text)
    assert found is not None
    return re.findall(r"\"([^\"]+)\"", found[1])


def test_the_project_has_every_file_that_it_names_and_compiles_no_other(tmp_path: Path) -> None:
    project = written(tmp_path)
    files = {str(path.relative_to(project / "main")) for path in (project / "main").rglob("*.c")}
    assert set(sources(project)) == files - {"digits.c"}, "mcuq_joined.c includes the model's C"
    assert {"main.c", "stack.c", "board.c", "mcuq_joined.c", "protocol/session.c"} <= set(sources(project))
    assert "memory.c" not in files, "ESP-IDF brings a C library"
    assert 'idf_component_register(SRCS "board.c"' in (project / "main" / "CMakeLists.txt").read_text()
    top = (project / "CMakeLists.txt").read_text()
    assert "include($ENV{IDF_PATH}/tools/cmake/project.cmake)" in top
    assert "project(mcuq_firmware)" in top


def test_esp_idf_is_told_to_be_silent_fast_and_patient(tmp_path: Path) -> None:
    lines = (written(tmp_path) / "sdkconfig.defaults").read_text().splitlines()
    assert {
        "CONFIG_ESP_CONSOLE_NONE=y",
        "CONFIG_BOOTLOADER_LOG_LEVEL_NONE=y",
        "CONFIG_LOG_DEFAULT_LEVEL_NONE=y",
        "CONFIG_ESP_TASK_WDT_EN=n",
        "CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ_160=y",
        "CONFIG_ESP_SYSTEM_PANIC_SILENT_REBOOT=y",
    } <= set(lines)


def test_the_stack_that_the_task_has_is_the_one_that_mcuq_tells(tmp_path: Path) -> None:
    text = (written(tmp_path) / "main" / "board.c").read_text()
    assert f"#define TASK_STACK_BYTES {STACK_BYTES} " in text


def compile_each(project: Path, command: Sequence[str]) -> None:
    """Each file of the project to an object, as ESP-IDF does."""
    for name in sources(project):
        given = [*command, *WARNINGS, "-O2", "-c", "-I.", f"-I{IDF}", "-include", "mcuq_config.h", name, "-o", "out.o"]
        ended = subprocess.run(given, cwd=project / "main", capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr


def test_the_project_compiles_for_the_chips_cpu(tmp_path: Path) -> None:
    cpu = load_board(BOARD).cpu
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", cpu.target, f"-mcpu={cpu.zig_cpu}"]
    compile_each(written(tmp_path), zig)


@pytest.mark.toolchain
def test_the_project_compiles_for_the_chips_cpu_with_gcc_too(tmp_path: Path) -> None:
    """Debian's has no C library, so that it is told to do without."""
    cpu = load_board(BOARD).cpu
    compile_each(written(tmp_path), [cpu.gcc, *cpu.gcc_flags, "-ffreestanding"])


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project on this computer, ESP-IDF's functions by tests/device/idf/host.c."""
    project = written(tmp_path_factory.mktemp("idf"))
    compiler = ["cc"] if shutil.which("cc") else [sys.executable, "-m", "ziglang", "cc"]
    files = [*sources(project), str(IDF / "host.c")]
    given = [*compiler, *WARNINGS, "-O2", "-I.", f"-I{IDF}", "-include", "mcuq_config.h", *files, "-o", "firmware"]
    ended = subprocess.run(given, cwd=project / "main", capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return project / "main" / "firmware"


class PipeLink:
    """A mcuq.device Link to a program's stdin and stdout."""

    baud = 115_200
    name = "ESP-IDF's stand-in"

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._in, self._out = process.stdin, process.stdout

    def write(self, data: bytes) -> None:
        self._in.write(data)

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        if not select.select([self._out], [], [], timeout_s)[0]:
            return b""
        return os.read(self._out.fileno(), max_bytes)

    def close(self) -> None:
        pass


@pytest.fixture
def session(program: Path) -> Iterator[Session]:
    with subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        try:
            yield Session(PipeLink(process), time.monotonic)
        finally:
            process.kill()


def test_the_firmware_answers_with_the_simulators_bytes(session: Session) -> None:
    model = digits()
    inputs = random_inputs(model.graph, SAMPLES)
    (want,) = simulate(model.graph, inputs).values()
    (samples,) = inputs.values()
    info = session.hello()
    assert (info.role, info.board, info.clock_hz) == (Role.MODEL, BOARD, 160_000_000)
    assert (info.window_bytes, info.stack_bytes) == (0, STACK_BYTES)
    assert session.self_test() == 0
    answers = list(session.infer_all(x.tobytes() for x in samples))
    assert [answer.outputs for answer in answers] == [y.tobytes() for y in want]
    assert 0 < session.marks().stack_bytes < STACK_BYTES


def test_a_reset_starts_the_firmware_again(session: Session) -> None:
    session.hello()
    assert session.reset().board == BOARD
    assert session.self_test() == 0


def test_the_uart_is_asked_for_as_the_board_file_says(program: Path) -> None:
    ended = subprocess.run([str(program), "settings"], capture_output=True, text=True, timeout=30, check=False)
    assert ended.stdout == "115200 baud, TX 21, RX 20\n"


IDF_PY = """#!{python}
import json, pathlib, sys
arguments = sys.argv[1:]
pathlib.Path({log!r}).write_text(json.dumps(arguments))
project, build = pathlib.Path(arguments[1]), pathlib.Path(arguments[3])
assert (project / "main" / "mcuq_joined.c").is_file() and (project / "sdkconfig.defaults").is_file()
for name, text in {files!r}.items():
    (build / name).parent.mkdir(parents=True, exist_ok=True)
    (build / name).write_bytes(text)
if {fails!r}:
    sys.exit("main/mcuq_joined.c:1: error: no space left in " + str(project))
"""


class IdfPy:
    """A stand-in for idf.py in PATH that writes what a build writes."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        offsets: dict[str, str],
        elf: bytes = b"",
        fails: bool = False,
    ) -> None:
        self._log = folder / "log"
        files = {name: name.encode() * 3 for name in offsets.values()}
        files["flasher_args.json"] = json.dumps({"flash_files": offsets}).encode()
        files["mcuq_firmware.elf"] = elf
        tool = folder / "idf.py"
        tool.write_text(IDF_PY.format(python=sys.executable, log=str(self._log), files=files, fails=fails))
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
        monkeypatch.setenv("IDF_PATH", str(folder))
        monkeypatch.setenv("ESP_IDF_VERSION", "5.4")

    @property
    def arguments(self) -> list[str]:
        found: list[str] = json.loads(self._log.read_text())
        return found


OFFSETS = {"0x10000": "mcuq_firmware.bin", "0x0": "bootloader/bootloader.bin", "0x8000": "partition_table/table.bin"}


@functools.cache
def an_elf() -> bytes:
    """Any program for the CPU."""
    return build_firmware(digits("riscv32-virt")).elf


def test_the_image_is_what_esp_idf_built_at_its_offsets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = IdfPy(tmp_path, monkeypatch, OFFSETS, an_elf())
    firmware = build_idf_firmware(digits())
    _, project, _, build, *rest = tool.arguments
    assert Path(build).parent == Path(project)
    assert rest == ["-DIDF_TARGET=esp32c3", "build"]
    assert not Path(project).exists(), "nothing is left behind"
    parts = {0: "bootloader/bootloader.bin", 0x8000: "partition_table/table.bin", 0x10000: "mcuq_firmware.bin"}
    want = bytearray(b"\xff" * (0x10000 + 3 * len(parts[0x10000])))
    for at, name in parts.items():
        want[at : at + 3 * len(name)] = name.encode() * 3
    assert firmware.image == want
    assert (firmware.address, firmware.board.name, firmware.build) == (0, BOARD, "ESP-IDF 5.4 -O2")
    assert firmware.ram_bytes > 0
    assert (firmware.payload_bytes, firmware.window_bytes, firmware.stack_bytes) == (192, 0, STACK_BYTES)


def test_esptool_gets_that_image_at_the_start_of_the_flash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    IdfPy(tmp_path, monkeypatch, OFFSETS, an_elf())
    firmware = build_idf_firmware(digits())
    calls = []

    def run(command: Sequence[str], what: str, timeout_s: float) -> str:
        calls.append((list(command[:-1]), Path(command[-1]).read_bytes()))
        return ""

    monkeypatch.setattr("mcuq.device.flash.esptool.run_program", run)
    monkeypatch.setattr("mcuq.device.flash.esptool.program", lambda *names: ("esptool",))
    flash_method(firmware.board).flash(firmware, "/dev/ttyUSB0")
    given = ["--chip", "esp32c3", "--port", "/dev/ttyUSB0", "--baud", "460800", "write_flash", "0x0"]
    assert calls == [(["esptool", *given], firmware.image)]


def test_mcuq_flash_has_esp_idf_build_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    IdfPy(tmp_path, monkeypatch, OFFSETS, an_elf())
    images: list[bytes] = []

    def run(command: Sequence[str], what: str, timeout_s: float) -> str:
        images.append(Path(command[-1]).read_bytes())
        return ""

    monkeypatch.setattr("mcuq.device.flash.esptool.run_program", run)
    monkeypatch.setattr("mcuq.device.flash.esptool.program", lambda *names: ("esptool",))
    save(digits(), tmp_path / "model")
    given = ["flash", str(tmp_path / "model"), "--port", "/dev/ttyUSB0", "--json"]
    result = CliRunner().invoke(main, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert (facts["board"], facts["address"], facts["build"]) == (BOARD, 0, "ESP-IDF 5.4 -O2")
    assert [len(image) for image in images] == [facts["bytes"]]


def test_without_esp_idf_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("IDF_PATH", raising=False)
    with pytest.raises(BuildError) as error:
        build_idf_firmware(digits())
    assert str(error.value) == (
        "ESP-IDF: is not there (idf.py in PATH and IDF_PATH are missing); install ESP-IDF 5.0 or later "
        "(docs.espressif.com, 'Get Started') and run its export script in this shell: . $HOME/esp/esp-idf/export.sh"
    )


def test_a_build_that_fails_ends_with_its_last_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    IdfPy(tmp_path, monkeypatch, OFFSETS, fails=True)
    with pytest.raises(BuildError) as error:
        build_idf_firmware(digits())
    assert str(error.value) == (
        "ESP-IDF: idf.py build: ended with 1:\n  main/mcuq_joined.c:1: error: no space left in "
    ), "without the path of the temporary folder"


def test_a_build_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    IdfPy(tmp_path, monkeypatch, OFFSETS)
    (tmp_path / "idf.py").write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    monkeypatch.setattr("mcuq.build.esp_idf.MOST_S", 0.5)
    with pytest.raises(BuildError) as error:
        build_idf_firmware(digits())
    assert str(error.value) == "ESP-IDF: idf.py build: did not end within 0.5 s"


def test_files_that_overlap_in_the_flash_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    IdfPy(tmp_path, monkeypatch, {"0x0": "bootloader/bootloader.bin", "0x10": "app.bin"})
    with pytest.raises(BuildError) as error:
        build_idf_firmware(digits())
    assert str(error.value) == "ESP-IDF: app.bin at 0x10 overlaps the file before it, which ends at 0x4b"


def test_a_board_with_a_driver_of_mcuqs_own_is_refused() -> None:
    assert is_esp_idf(load_board(BOARD))
    assert not is_esp_idf(load_board("riscv32-virt"))
    with pytest.raises(BoardError) as error:
        idf_project(digits("riscv32-virt"))
    assert str(error.value) == (
        "board 'riscv32-virt' is not built by ESP-IDF; its file needs [uart], clock_hz and [flash] method 'esptool', "
        "and no [firmware]"
    )


def test_a_model_for_another_cpu_is_refused() -> None:
    with pytest.raises(BoardError) as error:
        idf_project(digits("cortex-m4"), load_board(BOARD))
    assert str(error.value) == (
        "model 'digits' is compiled for cortex-m4 and uses dsp, fpu, which esp32-c3-devkit does not have; compile it "
        "again with --board esp32-c3-devkit"
    )
