"""How fast the tool itself is: seconds of one compile, and inputs per second of the simulator and of the emitted C.

    taskset -c 0 python benchmarks/speed.py [NETWORK...]

Wall-clock figures of this machine: for orientation, never asserted. `taskset` keeps it to one core. The C is that for
any CPU (board `host`), compiled as mcuq does for this computer, without sanitizers; its time takes in reading the
inputs and writing the outputs through pipes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from reference_cases import case

from mcuq.build.host_program import HostModel, build_host
from mcuq.compile import CompiledModel, compile_model
from mcuq.graph.simulate import quantize_inputs, simulate
from mcuq.graph.tensor import Array

NETWORKS = ("kws", "ic", "vww", "sww", "mnist_cnn", "mnist_mlp")
SECONDS = 3.0


def main() -> None:
    """Print one row a network."""
    print("| network | compile, s | calibration inputs | simulator, inputs/s | C, inputs/s |\n|---|---|---|---|---|")
    for name in sys.argv[1:] or NETWORKS:
        data = case(name)
        start = time.perf_counter()
        model = compile_model(data.onnx, "host", data.x_calibration, name)
        compile_s = time.perf_counter() - start
        (tensor,) = model.graph.inputs
        inputs = quantize_inputs(model.graph, {tensor: data.x[:200].reshape(-1, *model.graph.tensors[tensor].shape)})
        rates = f"{simulated_rate(model, inputs[tensor]):,.0f} | {emitted_rate(model, inputs[tensor]):,.0f}"
        print(f"| {name} | {compile_s:.2f} | {len(data.x_calibration)} | {rates} |", flush=True)


def simulated_rate(model: CompiledModel, inputs: Array) -> float:
    """Inputs per second of the simulator."""
    (tensor,) = model.graph.inputs
    return rate(lambda: simulate(model.graph, {tensor: inputs}), len(inputs))


def emitted_rate(model: CompiledModel, inputs: Array) -> float:
    """Inputs per second of the model's C, one process for ten times the inputs."""
    tensors = model.graph.tensors
    sizes = [tuple(tensors[name].elements for name in names) for names in (model.graph.inputs, model.graph.outputs)]
    samples = [x.tobytes() for x in inputs] * 10
    with build_host(model.files, HostModel(model.name, *sizes), sanitize=False) as program:
        return rate(lambda: program.run(samples), len(samples))


def rate(run: Callable[[], object], inputs: int) -> float:
    """Inputs per second of a function that works through `inputs` of them."""
    run()
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        run()
        done += inputs
    return done / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
