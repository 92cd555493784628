"""Every scheme on a reference network: accuracy, flash, RAM and instructions, and whether its C is bit-exact.

    python benchmarks/schemes.py > docs/schemes_table.md

writes the table that docs/schemes.md refers to; names of networks behind it measure those instead of kws.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from reference_cases import Case, case

from mcuq.boards.find import load_board
from mcuq.build.footprint import measure_footprint
from mcuq.compile import CompiledModel, QuantizedModel, compile_quantized, dataset_for, quantize_model
from mcuq.quantize import NAMED, LayerScheme, Scheme
from mcuq.report.candidates import count_instructions
from mcuq.validate import check_bits, compare_with_float, integer_batches, probe_inputs

# What each row is called, and the scheme.
SCHEMES: dict[str, Scheme] = {
    **{name: Scheme(layer) for name, layer in NAMED.items()},
    "int8, one weight scale a layer": Scheme(per_channel=False),
    "int8, symmetric activations": Scheme(symmetric=True),
    "int8, power-of-two scales": Scheme(power_of_two=True),
    "int4 weights, int16 activations": Scheme(LayerScheme("int4", "int16")),
    "int4 weights, dynamic": Scheme(LayerScheme("int4", "float32")),
    "float16 weights, int8 activations": Scheme(LayerScheme("float16", "int8")),
    "int8, float32 fallback of all fully connected layers": Scheme(
        layers={"*dense*": LayerScheme("float32", "float32")}
    ),
    "int8, uint8 input, float output": Scheme(input="uint8", output="float32"),
    "int8, float input, int16 output": Scheme(input="float32", output="int16"),
}
EMULATED = ("cortex-m0", "cortex-m4", "cortex-m55")
# Test inputs that every machine runs, beside the made-up ones at both extremes.
SAMPLES = 2


def main(networks: Sequence[str]) -> None:
    """Print a page with a table a network."""
    print(f"# Every scheme on {', '.join(networks)}\n")
    print(
        "Made by `python benchmarks/schemes.py > docs/schemes_table.md`; [schemes.md](schemes.md) says what they are."
    )
    for network in networks:
        data = case(network)
        print()
        print(f"| {network} | top-1 % | agreement % | SQNR dB | flash | RAM | M instructions, Cortex-M4 | bit-exact |")
        print("|---|---|---|---|---|---|---|---|")
        for name, scheme in SCHEMES.items():
            print(f"| {name} | {_row(network, data, scheme)} |", flush=True)


def _row(network: str, data: Case, scheme: Scheme) -> str:
    quantized = quantize_model(data.onnx, data.x_calibration, scheme=scheme)
    dataset = dataset_for(quantized.graph, data.x, data.y)
    report = compare_with_float(quantized.graph, quantized.onnx_model, dataset)
    model = compile_quantized(quantized, load_board("cortex-m4"), network)
    instructions = count_instructions(model)
    assert report.accuracy is not None
    assert report.agreement is not None
    assert instructions is not None
    exact = [board for board in ("host", *EMULATED) if is_bit_exact(model_for(quantized, board), data)]
    return " | ".join(
        (
            f"{100 * report.accuracy:.2f}",
            f"{100 * report.agreement:.2f}",
            f"{report.sqnr_db:.1f}",
            f"{measure_footprint(model).flash_bytes:,}",
            f"{model.arena_bytes:,}",
            f"{instructions / 1e6:.2f}",
            "host, M0, M4, M55" if len(exact) == 1 + len(EMULATED) else ", ".join(exact) or "no",
        )
    )


def model_for(quantized: QuantizedModel, board: str) -> CompiledModel:
    """The quantized network for a board; "host" is this computer."""
    return compile_quantized(quantized, load_board(board), "network")


def is_bit_exact(model: CompiledModel, data: Case, samples: int = SAMPLES) -> bool:
    """Whether the first test inputs and the made-up ones give the simulator's bytes on the model's board."""
    inputs = next(iter(integer_batches(model.graph, dataset_for(model.graph, data.x[:samples]))))
    probes = {name: x[:3] for name, x in probe_inputs(model.graph).items()}  # both extremes, then random values
    return check_bits(model, iter([inputs, probes])).bit_exact


if __name__ == "__main__":
    main(sys.argv[1:] or ["kws"])
