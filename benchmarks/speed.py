"""How fast the tool itself is: simulator inputs per second, and seconds of one compile.

    taskset -c 0 python benchmarks/speed.py

Wall-clock figures of this machine: for orientation, never asserted. `taskset` keeps it to one core.
"""

from __future__ import annotations

import time

from reference_cases import case

from mcuq.compile import compile_model
from mcuq.simulate import quantize_inputs, simulate

NETWORKS = ("kws", "ic", "vww", "sww", "mnist_cnn", "mnist_mlp")
SECONDS = 3.0


def main() -> None:
    """Print one row a network."""
    print("| network | compile, s | calibration inputs | simulator, inputs/s |\n|---|---|---|---|")
    for name in NETWORKS:
        data = case(name)
        start = time.perf_counter()
        model = compile_model(data.onnx, "cortex-m4", data.x_calibration)
        compile_s = time.perf_counter() - start
        (tensor,) = model.graph.inputs
        inputs = quantize_inputs(model.graph, {tensor: data.x[:200].reshape(-1, *model.graph.tensors[tensor].shape)})
        simulate(model.graph, inputs)
        done, start = 0, time.perf_counter()
        while time.perf_counter() - start < SECONDS:
            simulate(model.graph, inputs)
            done += len(inputs[tensor])
        rate = done / (time.perf_counter() - start)
        print(f"| {name} | {compile_s:.2f} | {len(data.x_calibration)} | {rate:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
