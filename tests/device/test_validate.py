"""mcuq validate: reports, differences, refusals; on a device model, and on the firmware's own C."""

from __future__ import annotations

import json
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import serial.tools.list_ports
from click.testing import CliRunner, Result
from device_model import COUNTS_CYCLES, EMULATED, KEEPS_INPUT, DeviceModel, ModelLink, Network, on_pty, toy
from golden.graphs import digits, tiny
from host_model import build_host_firmware, running
from model_network import network_of, payload_for
from selections import quick
from support import model_of, random_inputs

import mcuq
from mcuq.artifact import save
from mcuq.boards.find import load_board
from mcuq.build.firmware import build_firmware
from mcuq.cli import main
from mcuq.compile import CompiledModel
from mcuq.device.recorder import Replay
from mcuq.device.session import Session
from mcuq.emit.listing import files_crc
from mcuq.errors import ArtifactError, DeviceError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array
from mcuq.ops.add import Add
from mcuq.ops.tanh import Tanh
from mcuq.quantize import quantize_graph
from mcuq.resources import resource_dir
from mcuq.validate import Mismatch
from mcuq.validate.device import DeviceReport, LayerCycles, validate_device
from mcuq.validate.expected import Expected
from mcuq.validate.layer_by_layer import LayerMismatch

TRANSCRIPTS = Path(__file__).parent / "transcripts"
TEST_DATA = resource_dir("examples") / "digits" / "digits_test.npz"
GIVEN = "mcuq flash build/tiny --port model"
MEND = f"{GIVEN} --board paper"  # the model is for a CPU, which says no way to flash it


@pytest.fixture(scope="module")
def tiny_model() -> CompiledModel:
    return model_of(tiny(), name="tiny")


@pytest.fixture(scope="module")
def folder(tiny_model: CompiledModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compiled") / "tiny"
    save(tiny_model, path)
    return path


def batches(model: CompiledModel, *sizes: int) -> Iterator[Mapping[str, Array]]:
    for seed, size in enumerate(sizes):
        yield random_inputs(model.graph, size, seed)


def device_of(network: Network, **settings: Any) -> DeviceModel:
    return DeviceModel(network, payload_bytes=payload_for(network), **settings)


def validate(model: CompiledModel, device: DeviceModel, *sizes: int) -> DeviceReport:
    link = ModelLink(device)
    with Expected(model.graph, batches(model, *sizes)) as samples:
        return validate_device(model, Session(link, link.clock), samples, GIVEN)


def refusal(model: CompiledModel, device: DeviceModel) -> str:
    with pytest.raises(DeviceError) as caught:
        validate(model, device, 1)
    return str(caught.value)


# Reports


@pytest.mark.parametrize("window_bytes", [0, 400])
def test_every_output_byte_of_every_sample_is_compared(tiny_model: CompiledModel, window_bytes: int) -> None:
    report = validate(tiny_model, device_of(network_of(tiny_model), window_bytes=window_bytes), 3, 2)
    assert report.bit_exact
    assert (report.samples, report.exact_samples, report.compared_bytes, report.mismatches) == (5, 5, 15, 0)
    assert (report.first_mismatch, report.first_layer, report.weights_intact) == (None, None, True)
    assert (report.board, report.build, report.port) == ("paper", "paper -O2", "model")
    assert (report.repeats, report.starts) == (0, 0)


def test_a_report_has_cycles_marks_and_bytes_on_the_wire(tiny_model: CompiledModel) -> None:
    network = network_of(tiny_model)
    report = validate(tiny_model, device_of(network), 4)
    # Two inferences under paint come first.
    base = 1000 * len(network.layers)
    assert (report.cycles, report.cycles_min, report.cycles_max) == (base + 4, base + 3, base + 6)
    assert report.layers[0] == LayerCycles("conv", "Conv2d", 1000)
    assert [layer.cycles for layer in report.layers] == [1000 + n for n in range(len(network.layers))]
    assert report.stack_bytes == 312
    assert 0 < report.arena_bytes <= tiny_model.arena_bytes
    assert (report.clock_hz, report.emulated) == (16_000_000, False)
    # 72 input and 3 output bytes; type, sequence, CRC, COBS and delimiter, and of the answer status and cycles.
    assert (report.sent_bytes, report.received_bytes) == (72 + 8, 3 + 5 + 8)


def test_the_arena_mark_is_exact(tiny_model: CompiledModel) -> None:
    # The last byte of the arena may hold either paint's value after a run, never both.
    network = network_of(tiny_model)
    report = validate(tiny_model, device_of(network), 1)
    assert report.arena_bytes == tiny_model.arena_bytes


def test_a_device_without_a_cycle_counter_reports_no_cycles(tiny_model: CompiledModel) -> None:
    report = validate(tiny_model, device_of(network_of(tiny_model), flags=0), 2)
    assert (report.cycles, report.cycles_min, report.cycles_max, report.layers) == (None, None, None, ())
    assert report.bit_exact


def test_an_emulated_board_says_so(tiny_model: CompiledModel) -> None:
    assert validate(tiny_model, device_of(network_of(tiny_model), flags=COUNTS_CYCLES | EMULATED), 1).emulated


def test_a_model_longer_than_a_frame(tiny_model: CompiledModel) -> None:
    device = DeviceModel(network_of(tiny_model), payload_bytes=70, flags=KEEPS_INPUT)
    assert validate(tiny_model, device, 3).bit_exact


def test_no_sample_is_not_bit_exact(tiny_model: CompiledModel) -> None:
    report = validate(tiny_model, device_of(network_of(tiny_model)))
    assert (report.samples, report.bit_exact, report.arena_bytes) == (0, False, 0)


# Differences


def layer_names(model: CompiledModel) -> list[str]:
    return [layer.name for layer, _ in model.coded_layers]


def test_the_first_layer_that_differs_is_named(tiny_model: CompiledModel) -> None:
    for name in layer_names(tiny_model):
        layer = next(layer for layer in tiny_model.graph.layers() if layer.name == name)
        element = layer.output.elements - 1
        network = network_of(tiny_model, {name: (element, 5), "softmax": (2, 1)})
        report = validate(tiny_model, device_of(network), 2)
        assert not report.bit_exact
        found = report.first_layer
        assert found is not None and found.layer == name, found
        assert found.op == type(layer.op).__name__
        if name != "softmax":
            assert found.index == element
            assert (found.got - found.want) % 256 == 5
        assert report.weights_intact


def test_the_first_output_byte_that_differs_is_told(tiny_model: CompiledModel) -> None:
    report = validate(tiny_model, device_of(network_of(tiny_model, {"softmax": (1, 7)})), 3)
    want = int(simulate(tiny_model.graph, random_inputs(tiny_model.graph, 3))["y"][0].reshape(-1)[1])
    got = (want + 7 + 128) % 256 - 128
    assert report.first_mismatch == Mismatch(0, "y", 1, want, got)
    assert report.first_layer == LayerMismatch("softmax", "Softmax", 1, want, got)
    assert (report.samples, report.exact_samples, report.compared_bytes, report.mismatches) == (3, 0, 9, 3)
    assert str(report.first_layer) == f"Softmax 'softmax', element 1: want {want}, got {got}"


def test_a_difference_in_a_later_output_names_that_output() -> None:
    builder = GraphBuilder("net")
    total = builder.add(Add(), [builder.input("a", (1, 3)), builder.input("b", (1, 3))], "total", "sum")
    builder.outputs += [builder.add(Tanh(), [total], "curve", "tanh"), total]
    graph = quantize_graph(builder.graph(), dict.fromkeys(("a", "b", "total", "curve"), (-1.0, 1.0)))
    model = model_of(graph, name="net")
    assert validate(model, device_of(network_of(model)), 4).bit_exact

    class WrongTotal(DeviceModel):
        def output(self) -> bytes:
            return super().output()[:-1] + b"\x85"

    network = network_of(model)
    report = validate(model, WrongTotal(network, payload_bytes=payload_for(network)), 1)
    assert report.first_mismatch == Mismatch(0, "total", 2, -128, -123)
    assert report.first_layer is None


def test_a_difference_that_does_not_come_again_is_told(tiny_model: CompiledModel) -> None:
    class Once(DeviceModel):
        """Gives one wrong output byte in its fourth inference."""

        def infer(self, body: bytes) -> tuple[int, bytes]:
            status, answer = super().infer(body)
            return status, answer[:-1] + bytes([answer[-1] ^ 1]) if self.inferences == 4 else answer

    network = network_of(tiny_model)
    report = validate(tiny_model, Once(network, payload_bytes=payload_for(network)), 3)
    assert (report.mismatches, report.first_layer) == (1, None)
    assert report.first_mismatch is not None and report.first_mismatch.sample == 1


def test_constants_that_change_during_the_run_are_told(tiny_model: CompiledModel) -> None:
    class Worn(DeviceModel):
        def infer(self, body: bytes) -> tuple[int, bytes]:
            if self.inferences == 3:
                self.network = replace(network_of(tiny_model, {"dense": (0, 9)}), constants=b"worn")
            return super().infer(body)

    network = network_of(tiny_model)
    report = validate(tiny_model, Worn(network, payload_bytes=payload_for(network)), 4)
    assert not report.weights_intact
    assert report.first_layer is not None and report.first_layer.layer == "dense"


@pytest.mark.parametrize("when", ["resets_at", "resets_after"])
def test_a_reset_at_every_request_of_a_validation_changes_nothing(tiny_model: CompiledModel, when: str) -> None:
    def device() -> DeviceModel:
        return device_of(network_of(tiny_model, {"mean": (0, 3)}), window_bytes=300)

    good = device()
    want = validate(tiny_model, good, 3)
    assert want.first_layer is not None and want.first_layer.layer == "mean"
    for number in range(len(good.requests)):
        other = device()
        setattr(other, when, frozenset([number]))
        got = validate(tiny_model, other, 3)
        same = {"cycles", "cycles_min", "cycles_max", "sent_bytes", "received_bytes", "repeats", "starts"}
        assert got.starts == 1
        assert replace(got, **{name: getattr(want, name) for name in same}) == want, number


# Refusals


def test_a_device_with_another_model_is_refused_with_the_command_that_mends_it(tiny_model: CompiledModel) -> None:
    digest = tiny_model.listing.digest
    assert refusal(tiny_model, DeviceModel(toy())) == (
        f"model: device runs model 'toy' 0badcafe, this build is 'tiny' {digest:08x}; flash it: {MEND}"
    )


def test_a_device_in_its_loader_is_refused_with_the_command_that_mends_it(tiny_model: CompiledModel) -> None:
    class Loader(DeviceModel):
        def hello(self) -> bytes:
            return struct.pack("<BBHHBBI5IH", 1, 1, 64, 0, 0, 0, 9, 1, 2, 3, 0, 0, 0) + b"\1b\0\0"

    assert refusal(tiny_model, Loader()) == (
        f"model: the device is in its loader and runs no model; flash it: {GIVEN} --board b"
    )


def test_constants_that_differ_at_the_start_are_an_error(tiny_model: CompiledModel) -> None:
    network = replace(network_of(tiny_model), constants=b"other")
    assert refusal(tiny_model, device_of(network)) == (
        "model: the model's constants in the device's memory are not those of tiny.c; flash it again: " + MEND
    )


@pytest.mark.parametrize(
    ("failed", "names"), [(1, "CRC"), (6, "COBS, ARITHMETIC"), (8 | 4, "ARITHMETIC"), (8, None), (17, "CRC, bit 4")]
)
def test_a_device_whose_self_test_fails_is_refused(tiny_model: CompiledModel, failed: int, names: str | None) -> None:
    class Failing(DeviceModel):
        def carry_out(self, type_: int, sequence: int, body: bytes) -> tuple[int, bytes]:
            return (10, struct.pack("<I", failed)) if type_ == 3 else super().carry_out(type_, sequence, body)

    network = network_of(tiny_model)
    device = Failing(network, payload_bytes=payload_for(network))
    if names is None:
        assert validate(tiny_model, device, 1).bit_exact
        return
    assert refusal(tiny_model, device) == (
        f"model: the device's self-test failed: {names}; its firmware is damaged, or the chip; flash it again: {MEND}"
    )


def test_another_number_of_layers_is_refused(tiny_model: CompiledModel) -> None:
    network = network_of(tiny_model)
    network.layers = network.layers[1:]
    assert refusal(tiny_model, device_of(network)) == (
        f"model: device counts {len(network.layers)} layers, this build has {len(network.layers) + 1}; flash it: {MEND}"
    )


@pytest.mark.parametrize("file", ["tiny.h", "tiny.c"])
def test_files_that_mcuq_did_not_write_are_refused(tiny_model: CompiledModel, file: str) -> None:
    changed = replace(tiny_model, files={**tiny_model.files, file: tiny_model.files[file].replace("1", "2", 1)})
    assert changed.files[file] != tiny_model.files[file]
    with pytest.raises(ArtifactError) as caught:
        validate(changed, DeviceModel(toy()), 1)
    assert str(caught.value) == "tiny.c, tiny.h: were changed after mcuq wrote them; compile the model again"


# The command


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def test_the_command_reports_for_people(tiny_model: CompiledModel, folder: Path) -> None:
    with on_pty(device_of(network_of(tiny_model))) as port:
        result = call("validate", folder, "--port", port)
    assert result.exit_code == 0, result.output
    network = network_of(tiny_model)
    base = 1000 * len(network.layers)
    assert result.stdout.splitlines() == [
        f"tiny on paper at {port} (paper -O2)",
        f"  cycles   {base + 6:>10,} an inference in the median ({base + 3:,} to {base + 10:,}), "
        f"{(base + 6) / 16_000:.3f} ms",
        "  stack           312 bytes",
        f"  arena    {tiny_model.arena_bytes:>10,} bytes",
        "  line             96 bytes an inference: 80 bytes to the device, 16 back",
        "  bit-exact: 24 of 24 output bytes equal, 8 samples",
    ]


def test_the_command_reports_as_json(tiny_model: CompiledModel, folder: Path) -> None:
    with on_pty(device_of(network_of(tiny_model))) as port:
        result = call("validate", folder, "--port", port, "--samples", 5, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert {"samples", "mismatches", "cycles", "stack_bytes", "arena_bytes"} <= found.keys()
    assert (found["samples"], found["mismatches"], found["bit_exact"], found["port"]) == (5, 0, True, port)
    assert found["layers"][0] == {"name": "conv", "op": "Conv2d", "cycles": 1000}


def test_the_command_takes_data(tiny_model: CompiledModel, folder: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.zeros((70, *tiny_model.graph.tensors["x"].shape), np.float32))
    with on_pty(device_of(network_of(tiny_model), window_bytes=400)) as port:
        for count in (66, 64, 1):
            result = call(
                "validate", folder, "--port", port, "--data", tmp_path / "x.npz", "--samples", count, "--json"
            )
            assert json.loads(result.stdout)["samples"] == count


def test_a_difference_exits_with_3_and_names_the_layer(tiny_model: CompiledModel, folder: Path) -> None:
    with on_pty(device_of(network_of(tiny_model, {"mean": (1, 100)}))) as port:
        result = call("validate", folder, "--port", port)
    assert result.exit_code == 3
    assert re.search(r"  NOT bit-exact: \d+ of 24 output bytes equal, 8 samples\n", result.stdout)
    assert re.search(r"warning: \S+: first difference: sample \d, output 'y', element \d: want ", result.stderr)
    assert re.search(r"warning: \S+: first layer that differs: AveragePool '.*', element 1: want ", result.stderr)


def test_an_error_exits_with_1_and_names_the_command_that_mends_it(folder: Path) -> None:
    with on_pty(DeviceModel(toy())) as port:
        result = call("validate", folder, "--port", port, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["hint"] == f"flash it: mcuq flash {folder} --port {port} --board paper"
    assert result.stderr.startswith(f"error: {port}: device runs model 'toy' 0badcafe, this build is 'tiny' ")
    assert result.stderr.endswith(f"; flash it: mcuq flash {folder} --port {port} --board paper\n")


def test_a_fleet_reports_each_device_on_its_own(tiny_model: CompiledModel, folder: Path) -> None:
    good = [on_pty(device_of(network_of(tiny_model), board=f"board {n}", window_bytes=n * 200)) for n in range(2)]
    wrong = device_of(network_of(tiny_model, {"softmax": (1, 60)}), board="board 2")
    with good[0] as a, good[1] as b, on_pty(wrong) as c, on_pty(DeviceModel(toy())) as d:
        ports = [option for port in (a, b, c, d) for option in ("--port", port)]
        result = call("validate", folder, *ports, "--json")
        people = call("validate", folder, *ports)
        fine = call("validate", folder, *ports[:4], "--json")
    assert result.exit_code == 3
    found = json.loads(result.stdout)
    assert [device["port"] for device in found["devices"]] == [a, b, c, d]
    assert [device.get("board") for device in found["devices"]] == ["board 0", "board 1", "board 2", None]
    assert [device.get("mismatches") for device in found["devices"]] == [0, 0, found["mismatches"], None]
    assert found["mismatches"] > 0
    assert (found["samples"], found["failed"]) == (24, 1)
    assert found["devices"][2]["first_layer"]["layer"] == "softmax"
    assert found["devices"][3]["error"].startswith(f"{d}: device runs model 'toy'")
    assert people.exit_code == 3
    assert f"tiny at {d}: failed\n" in people.stdout
    assert f"tiny on board 1 at {b} (paper -O2)\n" in people.stdout
    assert (fine.exit_code, json.loads(fine.stdout)["mismatches"]) == (0, 0)


def test_auto_is_the_port_of_the_board_that_is_plugged_in(
    tiny_model: CompiledModel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with on_pty(device_of(network_of(tiny_model))) as port:
        found = [
            SimpleNamespace(device="/dev/ttyS0", description="n/a", vid=None, pid=None),
            SimpleNamespace(device=port, description="ST-Link", vid=0x0483, pid=0x374B),
        ]
        monkeypatch.setattr(serial.tools.list_ports, "comports", lambda: found)
        result = call("validate", folder, "--port", "auto", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["port"] == port


def test_the_board_that_was_flashed_is_said_in_the_command_that_mends(folder: Path, monkeypatch: Any) -> None:
    """--board: what `auto` looks for, the rate of the line, and what is flashed again."""
    with on_pty(DeviceModel(toy())) as port:
        nucleo = SimpleNamespace(device=port, description="ST-Link", vid=0x0483, pid=0x374B)
        monkeypatch.setattr(serial.tools.list_ports, "comports", lambda: [nucleo])
        result = call("validate", folder, "--port", "auto", "--board", "nucleo-f446re")
        none = call("validate", folder, "--port", "auto", "--board", "nrf52840-dk")
    assert result.exit_code == 1
    assert result.stderr.endswith(f"; flash it: mcuq flash {folder} --port {port} --board nucleo-f446re\n")
    assert none.exit_code == 1
    assert none.stderr == (
        "error: --port auto: no board found; looked for the USB ids of: nrf52840-dk; ports of this computer: "
        f"{port} (0483:374b); plug the board in, or give --port\n"
    )


def test_a_board_without_the_models_cpu_features_is_refused(folder: Path) -> None:
    result = call("validate", folder, "--port", "nowhere", "--board", "nucleo-g071rb")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: model 'tiny' is compiled for cortex-m4 and uses dsp, fpu, which nucleo-g071rb does not have; "
        "compile it again with --board nucleo-g071rb\n"
    )


def test_python_validates_as_the_command_does(
    tiny_model: CompiledModel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.linspace(-4, 4, 3 * tiny_model.graph.tensors["x"].elements).reshape(3, *tiny_model.graph.tensors["x"].shape)
    with on_pty(device_of(network_of(tiny_model))) as port:
        report = mcuq.validate(mcuq.load(folder), port, x.astype(np.float32), samples=2)
        made_up = mcuq.validate(tiny_model, port)
    assert isinstance(report, mcuq.DeviceReport)
    assert (report.samples, report.bit_exact, report.port) == (2, True, port)
    assert (made_up.samples, made_up.bit_exact) == (8, True)
    assert repr(report) == f"<DeviceReport: board paper, port {port}, samples 2, bit-exact yes, cycles 9,003>"
    with on_pty(device_of(network_of(tiny_model, {"mean": (1, 100)}))) as port:
        assert not mcuq.validate(tiny_model, port).bit_exact
    with on_pty(DeviceModel(toy())) as port, pytest.raises(mcuq.McuqError) as caught:
        mcuq.validate(tiny_model, port, board="nucleo-f446re")
    assert str(caught.value).endswith(f"; flash it: mcuq flash DIR --port {port} --board nucleo-f446re")


def test_record_is_for_one_port(folder: Path) -> None:
    result = call("validate", folder, "--port", "a", "--port", "b", "--record", "t.txt")
    assert result.exit_code == 2
    assert "--record is for one --port" in result.stderr


def test_a_recorded_validation_replays(tiny_model: CompiledModel, folder: Path, tmp_path: Path) -> None:
    transcript = tmp_path / "t.txt"
    with on_pty(device_of(network_of(tiny_model), window_bytes=300)) as port:
        result = call("validate", folder, "--port", port, "--samples", 3, "--record", transcript)
    assert result.exit_code == 0
    assert replayed(tiny_model, transcript, 3).bit_exact


def replayed(model: CompiledModel, transcript: Path, samples: int) -> DeviceReport:
    from mcuq.validate.inputs import int8_inputs

    link = Replay(transcript)
    with Expected(model.graph, int8_inputs(model, None, samples)[1]) as expected:
        report = validate_device(model, Session(link, link.clock), expected, GIVEN)
    assert link.is_at_end
    return report


def test_the_transcript_of_an_emulated_board_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    # mcuq validate build/digits --port PORT --samples 4 --record tests/device/transcripts/digits-mps2-an386.txt,
    # of the golden graph digits(). The board has the C of that day: its digest and its constants are taken as right.
    model = model_of(digits(), name="digits")
    transcript = TRANSCRIPTS / "digits-mps2-an386.txt"
    link = Replay(transcript)
    session = Session(link, link.clock)
    info, failed, constants = session.hello(), session.self_test(), session.checksum()
    assert not failed
    arrays = {"all": constants.n_bytes}
    listing = replace(model.listing, digest=info.digest, constants_crc=constants.crc, arrays=arrays)
    report = replayed(replace(model, listing=listing), transcript, 4)
    assert report.bit_exact
    assert (report.board, report.samples, report.compared_bytes, report.emulated) == ("mps2-an386", 4, 40, True)
    assert (report.sent_bytes, report.received_bytes) == (64 + 8, 10 + 5 + 8)
    assert (report.arena_bytes, report.stack_bytes) == (3200, 652)
    assert [layer.op for layer in report.layers][:4] == ["Conv2d", "Conv2d", "Conv2d", "Add"]
    assert sum(layer.cycles for layer in report.layers) <= (report.cycles_max or 0)


# As a terminal starts it: where tests run in the background, SIGINT is ignored and would be by the command too.
INTERRUPTED = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from mcuq.cli import main; main()"
)


def test_ctrl_c_ends_the_command_and_leaves_the_port_usable(
    tiny_model: CompiledModel, folder: Path, tmp_path: Path
) -> None:
    class Stopping(DeviceModel):
        """Answers no inference after the fifth, so that the command waits."""

        def feed(self, data: bytes) -> bytes:
            answer = super().feed(data)
            if self.inferences == 5:
                reached.set()
            return b"" if self.inferences > 5 and self.stops else answer

        stops = True

    import threading

    reached = threading.Event()
    network = network_of(tiny_model)
    for ports in (1, 2):
        device = Stopping(network, payload_bytes=payload_for(network))
        reached.clear()
        with on_pty(device) as port, on_pty(device_of(network)) as other:
            options = ["--port", port, *(["--port", other] if ports == 2 else [])]
            process = subprocess.Popen(
                [sys.executable, "-c", INTERRUPTED, "validate", str(folder), *options],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            assert reached.wait(60)
            process.send_signal(signal.SIGINT)
            out, said = process.communicate(timeout=60)
            assert process.returncode == 130, said
            assert (out, said.strip()) == (b"", b"interrupted")
            device.stops = False
            assert call("validate", folder, "--port", port).exit_code == 0


# The firmware's own C, at a pseudo-terminal


@pytest.mark.parametrize(
    ("payload_bytes", "window_bytes", "keeps_input"),
    quick([(64, 512, True), (1024, 0, False), (192, 1024, True), (64, 0, False)]),
)
def test_the_firmware_validates_at_a_pseudo_terminal(
    tiny_model: CompiledModel, folder: Path, tmp_path: Path, payload_bytes: int, window_bytes: int, keeps_input: bool
) -> None:
    program = build_host_firmware(tiny_model, tmp_path, payload_bytes, window_bytes, keeps_input)
    with running(program) as (port, _):
        result = call("validate", folder, "--port", port, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["samples"], found["mismatches"]) == (8, 0)
    assert found["arena_bytes"] == tiny_model.arena_bytes
    assert 0 < found["cycles_min"] <= found["cycles"] <= found["cycles_max"]
    assert [layer["name"] for layer in found["layers"]] == layer_names(tiny_model)
    assert found["stack_bytes"] > 0


def test_the_firmware_of_digits_validates_on_its_data(tmp_path: Path) -> None:
    model = model_of(digits(), name="digits")
    save(model, tmp_path / "digits")
    program = build_host_firmware(model, tmp_path / "build", 192, 1024)
    with running(program) as (port, _):
        result = call("validate", tmp_path / "digits", "--port", port, "--data", TEST_DATA, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["samples"], found["mismatches"]) == (500, 0)
    # On a busy computer a request may be sent twice.
    assert (found["sent_bytes"], found["received_bytes"]) == (64 + 8, 10 + 5 + 8) or found["repeats"] > 0
    assert found["sent_bytes"] >= 64 + 8


def test_the_firmware_with_a_changed_layer_is_found_out(
    tiny_model: CompiledModel, folder: Path, tmp_path: Path
) -> None:
    def change(text: str) -> str:
        return re.sub(r"(/\* sum \*/\s+\w+\([^;]*(arena(?: \+ \d+)?)\);\n)", r"\1    (\2)[4] ^= 85;\n", text)

    with running(build_host_firmware(tiny_model, tmp_path, 192, change=change)) as (port, _):
        result = call("validate", folder, "--port", port, "--json")
    assert result.exit_code == 3
    found = json.loads(result.stdout)
    layer = found["first_layer"]
    assert (layer["layer"], layer["op"], layer["index"]) == ("sum", "Add", 4)
    assert layer["got"] == layer["want"] ^ 85
    assert found["weights_intact"]


@pytest.mark.parametrize(("payload_bytes", "keeps_input"), quick([(64, True), (1024, False), (64, False)]))
def test_an_output_that_the_firmware_writes_no_more_is_found_though_the_input_stays_the_same(
    tiny_model: CompiledModel, folder: Path, tmp_path: Path, payload_bytes: int, keeps_input: bool
) -> None:
    """By INFER and by RUN; the first two of three right runs are those that find the arena's high-water mark."""
    call_run_in = "    tiny_run_in(tiny_arena, input, output);\n"
    once = f"    static int runs;\n    const int8_t kept = output[1];\n{call_run_in}"
    once += "    if (runs++ > 2)\n        output[1] = kept;\n"
    ((name, x),) = random_inputs(tiny_model.graph, 1).items()
    np.savez(tmp_path / "same.npz", **{name: np.repeat(x.astype(np.float32) / 100, 4, axis=0)})

    def change(text: str) -> str:
        return text.replace(call_run_in, once)

    program = build_host_firmware(tiny_model, tmp_path, payload_bytes, 0, keeps_input, change)
    with running(program) as (port, _):
        result = call("validate", folder, "--port", port, "--data", tmp_path / "same.npz", "--json")
    found = json.loads(result.stdout)
    assert (found["samples"], found["exact_samples"], found["first_mismatch"]["index"]) == (4, 1, 1)


def test_the_firmware_with_a_changed_weight_is_refused(tiny_model: CompiledModel, folder: Path, tmp_path: Path) -> None:
    text = tiny_model.files["tiny.c"]
    first = re.search(r"(static const int8_t \w+_weight\[\d+\] MCUQ_WEIGHTS = \{\n    )(-?\d+)", text)
    assert first is not None
    spoiled = text.replace(first[0], f"{first[1]}{int(first[2]) ^ 1}")
    listing = replace(tiny_model.listing, files_crc=files_crc(tiny_model.files["tiny.h"], spoiled))
    changed = replace(tiny_model, files={**tiny_model.files, "tiny.c": spoiled}, listing=listing)
    with running(build_host_firmware(changed, tmp_path, 192)) as (port, _):
        result = call("validate", folder, "--port", port)
    assert result.exit_code == 1
    assert "the model's constants in the device's memory are not those of tiny.c; flash it again" in result.stderr


# Firmware without a board


@pytest.mark.parametrize("name", ["firmware.elf", "firmware.bin"])
def test_firmware_is_built_into_a_file(name: str, folder: Path, tmp_path: Path) -> None:
    target = ["--board", "nucleo-f446re"]
    path = tmp_path / name
    result = call("flash", folder, *target, "--output", path)
    assert result.exit_code == 0, result.output
    firmware = build_firmware(mcuq.load(folder), load_board("nucleo-f446re"))
    assert path.read_bytes() == (firmware.elf if name.endswith(".elf") else firmware.image)
    size = len(firmware.image)
    assert result.stdout == f"{path}: {size:,} bytes for 0x08000000 of nucleo-f446re ({firmware.build})\n"
    found = json.loads(call("flash", folder, *target, "-o", path, "--json").stdout)
    assert found == {"file": str(path), "bytes": size, "address": 0x08000000, "build": firmware.build}


def test_flash_wants_a_port_or_a_file(folder: Path) -> None:
    for arguments in ([], ["--port", "x", "--output", "y"]):
        result = call("flash", folder, *arguments)
        assert result.exit_code == 2
        assert "Error: give --port PORT, or --output FILE for the firmware alone\n" in result.stderr


@pytest.mark.parametrize("method", [[], ["--method", "pyocd"]])
def test_a_cpu_without_a_driver_cannot_be_flashed_whatever_the_method(method: list[str], folder: Path) -> None:
    result = call("flash", folder, "--port", "x", *method)
    assert result.exit_code == 1
    assert result.stderr == (
        "error: board 'cortex-m4' is a CPU without a driver, so that no firmware can be built for it; use a board with "
        "a [firmware] table (mcuq boards lists them)\n"
    )
