"""The main job: ONNX model + calibration data + board -> integer graph, plan and C files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import inf
from pathlib import Path
from typing import TypeVar, Unpack, cast

import numpy as np
import onnx

from mcuq.after.after import After
from mcuq.after.anomaly import learned_from, needs_data
from mcuq.after.twins import Twin, twin_of
from mcuq.boards.facts import Board
from mcuq.boards.find import load_board
from mcuq.dataset import (
    Dataset,
    Sample,
    Source,
    Spooled,
    from_arrays,
    from_generator,
    from_source,
    held_back_part,
    is_pair,
    is_read_once,
    is_source,
    open_dataset,
    other_part,
)
from mcuq.dataset.samples import InputSpec
from mcuq.dataset.sequences import Sequences, open_sequences
from mcuq.dataset.windows import Windows
from mcuq.described import Described
from mcuq.emit.after import AfterFiles, after_names
from mcuq.emit.after import files_of as after_files_of
from mcuq.emit.arena import Sharer, arena_files, arena_names
from mcuq.emit.front_end import files_of
from mcuq.emit.front_end_files import FrontEndFiles, front_end_names
from mcuq.emit.identifiers import file_identifier, is_of_the_library
from mcuq.emit.listing import ListedLayer, Listing, files_crc
from mcuq.emit.model import emit
from mcuq.emit.weights import OK, STATUSES, blob_source, start_function, status_of, weights_file
from mcuq.errors import ArtifactError, BoardError, DataError, ModelError
from mcuq.front_end.feed import AnyFrontEnd, fed, reach_notes
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.graph.rows import of_shape
from mcuq.graph.simulate import quantize_inputs, simulate
from mcuq.graph.states import BEFORE, STATE, Calls, state_bytes, wire_graph
from mcuq.graph.tensor import Array, Tensor
from mcuq.importer import Model, dynamic_layers, import_model, model_path
from mcuq.lower import INLINE, Goal, Placement, Program, Solver, Stepped, alternatives, check_section
from mcuq.lower.copied import LEAST_USES, copied_bytes_of, copies_of, with_copied_weights
from mcuq.lower.fast import Keys, choose_fast, least_bytes
from mcuq.lower.memories import RamUse
from mcuq.onnx_io.provenance import NOTES, OPTIONS, note, noted, provenance
from mcuq.options import Asked, Options, options_of
from mcuq.passes import optimize as simplify
from mcuq.passes.never_nan import never_nan
from mcuq.passes.split_heads import split_heads
from mcuq.passes.stream import check_stream, stream
from mcuq.plan import Plan, Stepper, may_take, plan_pushed, plan_rows, plan_split, plan_within
from mcuq.plan.arena_map import NO_MAP, ArenaMap, map_arena
from mcuq.plan.arena_part import ArenaPart
from mcuq.plan.fit import STACK_BYTES, ArenaTooLarge, DoesNotFit, check_bound, check_fit, check_front_end, split_error
from mcuq.plan.least_fit import check_least_fit
from mcuq.plan.rooms import rooms_of
from mcuq.quantize import (
    UNKNOWN_ORIGIN,
    UNPRUNED,
    CalibrationMethod,
    GivenQuantization,
    Origin,
    Pruned,
    Range,
    Scheme,
    check_accumulators,
    collect,
    computed_in_floats,
    constant_notes,
    float_tensors,
    given_quantization,
    input_specs,
    insert_conversions,
    judge_fixed,
    prune_graph,
    quality_notes,
    quantize_graph,
    quantize_on_samples,
    scaled_tensors,
    scheme_name,
    sqnr_text,
    synthetic_dataset,
    trained_outputs,
    trained_twin,
    widened,
)
from mcuq.quantize.added_masks import check_real_masks, notes_of_masks
from mcuq.quantize.calls import calls_with_states, synthetic_calls
from mcuq.quantize.large_tables import large_table_notes
from mcuq.quantize.long_sums import long_sum_notes
from mcuq.quantize.notes import listed, lost_notes, narrowing_notes, scheme_notes
from mcuq.quantize.progress import Progress, silent
from mcuq.quantize.states import for_states

B = TypeVar("B", Board, Board | None)


@dataclass(frozen=True, eq=False)
class Part:
    """Of the samples that are `data`, those that are held back to judge by, or all others."""

    data: Data
    held_back: bool


Data = str | Path | Array | Mapping[str, Array] | tuple[Array | Mapping[str, Array], Array]
Calibration = Data | Source | Part


@dataclass(frozen=True, eq=False, repr=False)
class CompiledModel(Described):
    """A quantized model with its C.

    `graph` is the int8 graph, `onnx_model` the float model with fixed shapes (serialized), `files` the C file and
    header by name, `listing` what these hold. `origin` says where scales are from. `pruned` says what was taken out of
    the graph as no output depends on it. `optimize` is what kernels were chosen and compilers told for, `arena_map`
    what lies where in the arena, and when; `max_ram_bytes` what it was to take at most. `placement` is where constants
    went, and working memory, `blob` what is in ID.weights.bin. `names` are its names in C. `memories` are those
    that the arena was asked to lie in, `solver` what found the places in it. `front_end` makes its input of sound or
    images, by files beside ID.c, as `after` has what is done with its outputs.
    """

    name: str
    board: Board
    graph: Graph
    onnx_model: bytes
    files: Mapping[str, str]
    listing: Listing
    arena_bytes: int
    constant_bytes: int
    origin: Origin = UNKNOWN_ORIGIN
    pruned: Pruned = UNPRUNED
    optimize: Goal = "balanced"
    arena_map: ArenaMap = NO_MAP
    max_ram_bytes: int | None = None
    placement: Placement = INLINE
    blob: bytes | None = None
    names: frozenset[str] = frozenset()
    memories: tuple[RamUse, ...] = ()
    solver: Solver = "search"
    front_end: AnyFrontEnd | None = None
    after: After | None = None

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return self.graph.macs()

    @property
    def stack_bytes(self) -> int:
        """Stack that an inference takes at most, as the header says it."""
        return self.listing.stack_bytes

    @property
    def coded_layers(self) -> tuple[tuple[Layer, ListedLayer], ...]:
        """The layers that have code, each with what the C has of it; views have none, nor has what is in its place."""
        layers = list(self.graph.layers())
        return tuple((layers[listed.index], listed) for listed in self.listing.layers)

    @property
    def arenas(self) -> tuple[ArenaPart, ...]:
        """The parts of the arena, in the order in which ID_run_in takes them; one where it is not split."""
        return self.listing.arenas or (ArenaPart("", 0, self.arena_bytes),)

    def array_of(self, part: ArenaPart) -> str:
        """The C array that is a part of the model's working memory in ID_run."""
        return self.placement.arena or f"{self.name}_{part.pointer}"

    def array_with(self, port: str) -> str:
        """The C array in which an input or output has its own place."""
        pointer = self.listing.places.get(port, "arena")
        return self.array_of(next(part for part in self.arenas if part.pointer == pointer))

    @property
    def board_ram(self) -> str:
        """What the board calls its main memory."""
        return self.board.memory.ram_name if self.board.memory else "ram"

    @property
    def wire(self) -> Graph:
        """What passes in and out at a call, as inputs and outputs of a graph (graph/states.py)."""
        return wire_graph(self.graph)

    @property
    def accessors(self) -> Mapping[str, str]:
        """The C function that gives the place of each input and output of `wire` in the model's own memory."""
        state = dict.fromkeys((BEFORE, STATE), f"{self.name}_state") if self.graph.states else {}
        return {**self.listing.accessors, **state}

    def calls(self) -> Calls:
        """The simulator of one stream of calls, from its beginning on."""
        return Calls(self.graph, self.listing.digest)

    @property
    def start(self) -> str:
        """The C function of `sources` that is to be called first, as it gives the model its weights; "" if none."""
        return start_function(self.name) if self.blob is not None else ""

    @property
    def sources(self) -> Mapping[str, str]:
        """The files, and the blob as C of mcuq's own (emit/weights.py), for programs that hold it. Raises ArtifactError
        where the C refuses it."""
        if self.blob is None:
            return self.files
        status = status_of(self.blob, bytes.fromhex(self.listing.weights_head))
        if status != OK:
            name, text = STATUSES[status]
            raise ArtifactError(
                f"{weights_file(self.name)}: {self.name}.c refuses it, {self.name.upper()}_{name}: {text}; compile the "
                "model again"
            )
        return {**self.files, **blob_source(self.name, self.blob)}

    @property
    def is_pushed(self) -> bool:
        """Whether its input comes row by row."""
        return self.listing.push is not None

    @property
    def is_stepped(self) -> bool:
        """Whether an inference goes by steps."""
        return self.listing.steps is not None

    def front_end_files(self) -> FrontEndFiles | None:
        """What is emitted for the front end, if there is one."""
        if self.front_end is None:
            return None
        return files_of(
            self.front_end, self.graph, self.listing, self.name, self.board.cpu.features, self.blob is not None
        )

    def twin(self) -> Twin | None:
        """What is done with the outputs, if anything, from the beginning of a stream on."""
        return None if self.after is None else twin_of(self.after, self.graph)

    def after_files(self) -> AfterFiles | None:
        """What is emitted for it."""
        twin = self.twin()
        if twin is None:
            return None
        return after_files_of(twin, self.graph, self.listing, self.name, self.names)

    def heard(self, data: Calibration) -> Calibration:
        """Data as it is; of sound or images the codes that the front end's C gives the network, as real values."""
        tensor = self.graph.tensors[self.graph.given_inputs[0]]
        return with_features(data, self.graph, self.front_end, self.name, tensor)

    def as_given(self, batch: Mapping[str, Array]) -> Mapping[str, Array]:
        """Inputs (samples, *shape) of the graph, in the order in which the C takes them."""
        if self.listing.push is None:
            return batch
        given = self.graph.inputs[0]
        values, name = batch[given], given
        for layer in self.graph.layers():
            if name != self.listing.push.tensor and layer.inputs[0].name == name:
                values, name = layer.op.simulate(layer, [values]), layer.output.name
        return {given: values}

    def from_given(self, batch: Mapping[str, Array]) -> dict[str, Array]:
        """What `as_given` gives this for; shapes are the graph's all the same."""
        places = {name: np.arange(x[0].size).reshape(1, *self.graph.tensors[name].shape) for name, x in batch.items()}
        found = {}
        for name, order in self.as_given(places).items():
            found[name] = np.empty_like(batch[name]).reshape(len(batch[name]), -1)
            found[name][:, order.reshape(-1)] = batch[name].reshape(len(batch[name]), -1)
        return {name: x.reshape(-1, *self.graph.tensors[name].shape) for name, x in found.items()}

    def checked_listing(self) -> Listing:
        """What the files hold. Raises ArtifactError where they are not as mcuq wrote them."""
        if files_crc(self.files[f"{self.name}.h"], self.files[f"{self.name}.c"]) != self.listing.files_crc:
            raise ArtifactError(
                f"{self.name}.c, {self.name}.h: were changed after mcuq wrote them; compile the model again"
            )
        if self.front_end is not None:
            self._check_pair(front_end_names(self.name), self.listing.front_end_crc)
        if self.after is not None:
            self._check_pair(after_names(self.name), self.listing.after_crc)
        if self.blob is not None:
            _ = self.sources
        return self.listing

    def _check_pair(self, names: tuple[str, str], crc: int) -> None:
        header, source = names
        if files_crc(self.files[header], self.files[source]) != crc:
            raise ArtifactError(f"{header}, {source}: were changed after mcuq wrote them; compile the model again")

    def described(self) -> tuple[str, dict[str, str]]:
        """For `repr` and notebooks."""
        facts = {
            "board": self.board.name,
            "layers": f"{len(self.graph.nodes)}",
            "MACs": f"{self.macs:,}",
            "constants": f"{self.constant_bytes:,} bytes",
            "arena": f"{self.arena_bytes:,} bytes",
            "ranges": self.origin.ranges,
        }
        if self.origin.judgement is not None:
            facts["SQNR"] = ", ".join(sqnr_text(quality.sqnr_db) for quality in self.origin.judgement.outputs)
        return f"CompiledModel {self.name}", facts


@dataclass(frozen=True, eq=False)
class QuantizedModel:
    """A float graph and what quantization made of it, node by node under the same names, before channels are pruned.

    `onnx_model` and `origin` as in CompiledModel, as `after` is, which has learned of calibration data.
    """

    float_graph: Graph
    graph: Graph
    onnx_model: bytes
    origin: Origin
    after: After | None = None


def compile_model(
    path: Model,
    board: str | Board = "cortex-m4",
    calibration: Calibration | None = None,
    name: str | None = None,
    progress: Progress = silent,
    **asked: Unpack[Asked],
) -> CompiledModel:
    """Quantize an ONNX or TensorFlow Lite model, from a file or in memory, and emit C for a board.

    `calibration` is what `open_dataset` reads, or NumPy arrays in the model's layout with a leading sample
    dimension, or what `from_generator` takes, read once; without it ranges are guessed from the statistics of
    BatchNormalizations and made-up inputs. A model that came quantized keeps its scales and integers, and needs data
    only for what it has no scales of. `name` begins every C symbol (default: the file's). `asked` are the fields of
    mcuq.options.Options, scheme, method and recovery also by their names, `outputs` and `fix_inputs`.
    Raises McuqError for whatever the user can mend.
    """
    return compile_as(path, board, calibration, options_of(**asked), name, progress)


def compile_as(
    path: Model,
    board: str | Board,
    calibration: Calibration | None,
    options: Options,
    name: str | None = None,
    progress: Progress = silent,
) -> CompiledModel:
    """As `compile_model`, with all that is asked in one value."""
    board = load_board(board) if isinstance(board, str) else board
    model_id = model_identifier(name, model_path(path))
    quantized = quantize_as(path, calibration, options, progress, board)
    return _compile_or_say(quantized, board, model_id, options)


def quantize_model(path: Model, calibration: Calibration | None = None, **asked: Unpack[Asked]) -> QuantizedModel:
    """The first half of `compile_model`, for no board; how it does on held-back samples is told only if asked."""
    asked.setdefault("judged", False)
    return quantize_as(path, calibration, options_of(**asked))


def float_graph_of(path: Model, options: Options) -> Graph:
    """What quantize_as quantizes, as far as its inputs and what came quantized go."""
    imported, _ = import_model(path, options.shapes, options.selected)
    graph = simplify(imported)
    return insert_conversions(graph, for_states(graph, options.scheme))


def needs_calibration(path: Model, options: Options) -> bool:
    """Whether the model leaves ranges to find: it did not come quantized, or not in all of it."""
    graph = float_graph_of(path, options)
    scheme = for_states(graph, options.scheme)
    return not given_quantization(graph).is_quantized or bool(scaled_tensors(graph, float_tensors(graph, scheme)))


def quantize_as(
    path: Model,
    calibration: Calibration | None,
    options: Options,
    progress: Progress = silent,
    board: Board | None = None,
) -> QuantizedModel:
    """Read an ONNX model and quantize it. `progress(phase, steps)` returns what is called after each of its steps.

    What cannot fit `board`, pruned or not, is refused before data is read. Raises McuqError for whatever the user can
    mend.
    """
    method = options.method
    imported, onnx_model = import_model(path, options.shapes, options.selected)
    graph = simplify(imported)
    scheme = for_states(graph, options.scheme)
    if options.front_end is not None:  # it has a mean and a deviation for each feature, and gives codes of one scale
        scheme = replace(scheme, input_scale="per-tensor")
    graph = insert_conversions(graph, scheme)
    in_floats = computed_in_floats(graph, scheme)
    graph, missing = never_nan(graph, in_floats)
    missing += notes_of_masks(graph, in_floats)
    memory = _memory_of(board, options.weights)
    arrives = options.push or options.stream is not None
    check_least_fit(graph.name, graph, scheme, memory, options.prune, arrives)
    if calibration is not None:
        calibration = with_features(calibration, graph, options.front_end, graph.name)
    without = float_tensors(graph, scheme)
    given = given_quantization(graph)
    notes = tuple(noted(onnx_model, NOTES).splitlines())
    notes += quantization_notes(given, dynamic_layers(onnx_model)) + scheme_notes(graph, scheme) + missing
    data: Iterable[Sample] | None = None
    if not scaled_tensors(graph, without):
        integer = quantize_graph(graph, {}, scheme)
        judgement = None
        if calibration is not None and options.judged and not given.is_quantized:
            data = calibration_samples(graph, calibration)
            judgement = judge_fixed(graph, integer, data)
            notes += quality_notes(judgement.outputs, judgement.judged_on)
        origin = Origin("given" if given.is_quantized else "unneeded", notes=notes, judgement=judgement)
    elif calibration is None:
        ranges, statistics, constants = _guessed_ranges(imported, graph, onnx_model, method, scheme)
        notes += constant_notes(graph, constants, made_up=True)
        # What quantization errs by on made-up inputs says nothing of real ones: biases stay.
        integer = quantize_graph(graph, ranges, scheme)
        origin = Origin("guessed", batch_normalizations=statistics, notes=notes)
    else:
        data = calibration_samples(graph, calibration)
        check_real_masks(graph, data)
        quantized = quantize_on_samples(graph, data, method, scheme, options.recovery, progress, options.judged)
        graph, integer = quantized.float_graph, quantized.graph
        notes += quantized.notes
        origin = Origin("calibrated", quantized.samples, notes=notes, judgement=quantized.judgement)
    check_accumulators(integer)
    later = (
        *lost_notes(given.lost, graph, integer),
        *narrowing_notes(graph, integer),
        *long_sum_notes(graph, integer, scheme),
        *large_table_notes(integer),
    )
    origin = replace(origin, notes=(*origin.notes, *later))
    note(onnx_model, OPTIONS, _options_text(options, origin))
    if options.after is not None and calibration is not None and data is None:
        data = calibration_samples(graph, calibration)
    after = with_learned(options.after, integer, data)
    return QuantizedModel(graph, integer, onnx_model.SerializeToString(deterministic=True), origin, after)


def with_learned(after: After | None, graph: Graph, samples: Iterable[Sample] | None) -> After | None:
    """What is done behind a quantized graph, with what it is to learn of calibration data, if there are some."""
    if after is None or samples is None or not needs_data(after):
        return after

    def calls(samples: Iterator[Sample]) -> Iterator[tuple[Mapping[str, Array], Mapping[str, Array]]]:
        while some := list(islice(samples, LEARNED_AT_ONCE)):
            codes = quantize_inputs(graph, {name: np.stack([own[name] for own in some]) for name in graph.inputs})
            yield codes, simulate(graph, codes)

    return replace(after, learned=learned_from(after, graph, calls(iter(samples))))


# So many samples are simulated at a time.
LEARNED_AT_ONCE = 32


def with_features(
    data: Calibration,
    graph: Graph,
    front: AnyFrontEnd | None,
    name: str,
    tensor: Tensor | None = None,
) -> Calibration:
    """Data as it is; of files that the front end takes, if there is one, what it gives a model's input: see `fed`."""
    if front is None:
        return data
    if isinstance(data, Part):
        return replace(data, data=cast(Data, with_features(data.data, graph, front, name, tensor)))
    return cast(Calibration, fed(data, graph, front, name, tensor))


# What may fit where something else does not.
_SMALLER: tuple[Goal, ...] = ("ram", "size")


def compile_quantized(
    quantized: QuantizedModel,
    board: Board,
    name: str,
    prune: bool = True,
    optimize: Goal = "balanced",
    max_ram_bytes: int | None = None,
    weights: Placement = INLINE,
) -> CompiledModel:
    """The quantized model's C for a board. Raises BoardError where it does not fit, or its arena `max_ram_bytes`, with
    what would do."""
    options = Options(prune=prune, optimize=optimize, max_ram_bytes=max_ram_bytes, weights=weights)
    return _compile_or_say(quantized, board, name, options)


def _compile_or_say(quantized: QuantizedModel, board: Board, name: str, options: Options) -> CompiledModel:
    """As `compile_for`; the error of what does not fit says what would do."""
    try:
        return compile_for(quantized, board, name, options)
    except DoesNotFit as error:
        for goal in _SMALLER:
            if goal == options.optimize:
                continue
            try:
                smaller = compile_for(quantized, board, name, replace(options, optimize=goal))
            except DoesNotFit:
                continue
            made = smaller.front_end_files()
            beside = STACK_BYTES + (made.state_bytes if made else 0)
            needed = smaller.arena_bytes + (0 if isinstance(error, ArenaTooLarge) else beside)
            raise error.unless(f"--optimize {goal}", f"{needed:,} bytes of RAM") from None
        raise


def compile_for(quantized: QuantizedModel, board: Board, name: str, options: Options) -> CompiledModel:
    """The same as `options` say of pruning, goal, RAM, weights and rows. Raises DoesNotFit where it does not fit,
    ModelError where the input is to come row by row and cannot."""
    graph, pruned = prune_graph(quantized.graph) if options.prune else (quantized.graph, UNPRUNED)
    known = _Known(quantized.onnx_model, quantized.origin, pruned)
    if options.stream is not None:
        windowed, graph = graph, stream(graph, options.stream)
        notes = (*known.origin.notes, *_stream_notes(graph, check_stream(windowed, graph)))
        known = replace(known, origin=replace(known.origin, notes=notes))
    aim = Aim(
        options.optimize,
        options.max_ram_bytes,
        options.weights,
        options.push,
        options.memories,
        options.step,
        options.solver,
    )
    return with_after(with_front_end(_assemble(graph, board, name, known, aim), options.front_end), quantized.after)


def with_front_end(model: CompiledModel, front: AnyFrontEnd | None) -> CompiledModel:
    """The model with the C that feeds it, for None as it is. Raises ModelError where that cannot be, DoesNotFit where
    the board has no room for both."""
    if front is None:
        return model
    model = replace(model, front_end=front)
    made = model.front_end_files()
    assert made is not None
    main = sum(part.size_bytes for part in model.arenas if not part.memory)
    needs = main, model.listing.state_bytes, STACK_BYTES
    check_front_end(model.name, needs, (made.state_bytes, made.table_bytes), model.constant_bytes, model.board)
    header, source = (made.files[file] for file in front_end_names(model.name))
    listing = replace(model.listing, front_end_crc=files_crc(header, source))
    found = () if model.origin.ranges == "guessed" else reach_notes(model.graph, front)
    notes = tuple(dict.fromkeys((*model.origin.notes, *found)))
    origin = replace(model.origin, notes=notes)
    return replace(model, files={**model.files, **made.files}, listing=listing, origin=origin)


def with_after(model: CompiledModel, after: After | None) -> CompiledModel:
    """The model with the C behind it, for None as it is. Raises ModelError where it does not give what that reads."""
    if after is None:
        return model
    model = replace(model, after=after)
    made = model.after_files()
    assert made is not None
    header, source = (made.files[file] for file in after_names(model.name))
    listing = replace(model.listing, after_crc=files_crc(header, source))
    return replace(model, files={**model.files, **made.files}, listing=listing)


def _stream_notes(graph: Graph, is_checked: bool) -> Iterator[str]:
    """What a user who streams should know."""
    assert graph.stream is not None
    if not is_checked:
        yield "--stream: too many calls fill a window for outputs to be compared with those of whole windows"
    if graph.macs() >= graph.stream.macs:
        first = next(layer.where for layer in graph.layers() if layer.name in graph.stream.whole)
        yield (
            f"--stream: all layers compute the whole window in each call, from {first} on, which needs all of its "
            "input: frames are held, and no work is saved"
        )


def quantization_notes(given: GivenQuantization, dynamic: Sequence[str]) -> tuple[str, ...]:
    """What a user who gives a quantized model should know; nothing where all of it is kept."""
    notes = []
    if given.requantized:
        notes.append(
            f"weights of {listed(given.requantized)} have a zero point that leaves them no int8 about zero: they are "
            "rounded anew, to int8 without zero point; quantize weights symmetrically to keep them"
        )
    if dynamic:
        notes.append(
            f"{listed(dynamic)} ask for activation ranges found at run time: their weights are kept, their ranges are "
            "those of the calibration data"
        )
    elif given.activations and given.calibrated:
        notes.append(f"the model gives no scale for {listed(given.calibrated)}: found as for a float model")
    return tuple(notes)


_ENDLESS_BYTES = 2**32


def _memory_of(board: B, weights: Placement) -> B:
    """The board as what a model is to fit: constants that are elsewhere take none of its flash."""
    if not weights.is_elsewhere or board is None or board.memory is None:
        return board
    return replace(board, memory=replace(board.memory, flash_bytes=_ENDLESS_BYTES))


def assemble(
    graph: Graph,
    board: Board,
    name: str,
    onnx_model: bytes,
    origin: Origin = UNKNOWN_ORIGIN,
    pruned: Pruned = UNPRUNED,
    optimize: Goal = "balanced",
) -> CompiledModel:
    """The compiled model of an int8 graph: kernels, memory plan and C. Raises BoardError where it does not fit."""
    return _assemble(graph, board, name, _Known(onnx_model, origin, pruned), Aim(optimize))


@dataclass(frozen=True)
class _Known:
    """What is known of a graph: fields of CompiledModel."""

    onnx_model: bytes
    origin: Origin
    pruned: Pruned


@dataclass(frozen=True)
class Aim:
    """What is asked of the C: fields of CompiledModel, whether its input comes row by row, the board's memories for its
    arena, whether it goes by steps, and what finds the places in it."""

    optimize: Goal = "balanced"
    max_ram_bytes: int | None = None
    weights: Placement = INLINE
    push: bool = False
    memories: tuple[RamUse, ...] = ()
    step: Stepped | None = None
    solver: Solver = "search"


def assemble_for(graph: Graph, board: Board, name: str, aim: Aim) -> CompiledModel:
    """The same for any aim, without an ONNX model. Raises ArenaTooLarge where the arena does not fit it, ModelError
    where the input is to come row by row and cannot."""
    return _assemble(graph, board, name, _Known(b"", UNKNOWN_ORIGIN, UNPRUNED), aim)


_Found = TypeVar("_Found", tuple[Program, Plan], tuple[Program, Plan] | None)


class _Planner:
    """Kernels and memory of graphs, as is asked for a board; `rooms` are what the arena may lie in."""

    def __init__(self, board: Board, aim: Aim) -> None:
        self._features = board.cpu.features
        self._aim = aim
        self._stepper = None if aim.step is None else Stepper(board.cpu.features, board.cpu.core, aim.step)
        self.rooms = rooms_of(board, aim.memories)

    def plan(self, graph: Graph) -> tuple[Program, Plan]:
        """With the arena in one memory: the smallest for as much work as the goal allows, or the fastest within the
        bound; the smallest of all where none is."""
        most_bytes = self._aim.max_ram_bytes
        programs = self._programs(graph)
        if most_bytes is None:
            return _smallest(
                [self._with_copies(program, self._planned) for program in programs if self._may_take(program)]
            )
        found = [self._with_copies(program, self._within) for program in programs]
        fitting = [i for i, own in enumerate(found) if own[1].arena_bytes <= most_bytes]
        if not fitting:
            return _smallest(found)
        return found[min(fitting, key=lambda i: programs[i].more + found[i][1].more)]

    def is_to_be_split(self, plan: Plan) -> bool:
        """Whether memories are named, or there are several and the main one has no room for it all."""
        fits_main = any(not room.memory and room.size_bytes >= plan.arena_bytes for room in self.rooms)
        return bool(self._aim.memories) or (len(self.rooms) > 1 and not fits_main)

    def split(self, graph: Graph) -> tuple[Program, Plan] | None:
        """The smallest with an arena in parts, one a room: of the programs that its goal allows, or of the others."""
        asked = self.rooms, self._aim.push, self._aim.max_ram_bytes, self._stepper
        programs = self._programs(graph)
        for kind in (True, False):
            found = [
                self._with_copies(own, lambda program: plan_split(program, self._features, *asked))
                for own in programs
                if self._may_take(own) == kind
            ]
            in_parts = [own for own in found if own is not None]
            if in_parts:
                return _smallest(in_parts)
        return None

    def _with_copies(self, program: Program, planned: Callable[[Program], _Found]) -> _Found:
        """What `planned` makes of a program that copies weights, where it is to. Layers that do run whole; where the
        arena then has no room, or the input comes row by row, only those copy that would anyway, or none."""
        most_bytes = self._aim.weights.copied_bytes
        if most_bytes and not self._aim.push:
            copying = planned(with_copied_weights(program, most_bytes))
            if copying is not None and copying[1].arena_bytes <= self._most_room():
                return copying
        found = planned(program)
        if found is None or not most_bytes:
            return found
        by_rows = [found[0].steps[i].layer.output.name for i in found[1].by_rows]
        copying = planned(with_copied_weights(program, most_bytes, by_rows))
        return copying if copying is not None and copying[1].arena_bytes <= self._most_room() else found

    def _most_room(self) -> float:
        """Bytes that the arena may take."""
        bound = self._aim.max_ram_bytes
        return min(inf if bound is None else bound, sum(room.size_bytes for room in self.rooms) or inf)

    def _within(self, program: Program) -> tuple[Program, Plan]:
        most_bytes = self._aim.max_ram_bytes
        assert most_bytes is not None
        return plan_within(program, self._features, most_bytes, self._aim.push, self._stepper)

    def _programs(self, graph: Graph) -> list[Program]:
        found = alternatives(graph, self._features, self._aim.optimize, self._aim.push)
        return [replace(program, solver=self._aim.solver) for program in found]

    def _may_take(self, program: Program) -> bool:
        return may_take(program, self._features, self._aim.push)

    def _planned(self, program: Program) -> tuple[Program, Plan]:
        if self._aim.push:
            return plan_pushed(program, self._features)
        # Where there is no room for whole layers in the main memory, rows are worth any flash.
        main = [room.size_bytes - state_bytes(program.graph) for room in self.rooms if not room.memory]
        return plan_rows(program, self._features, self._stepper, max(main, default=inf))


def _smallest(found: Sequence[tuple[Program, Plan]]) -> tuple[Program, Plan]:
    return min(found, key=lambda own: own[1].arena_bytes)


def _assemble(graph: Graph, board: Board, name: str, known: _Known, aim: Aim) -> CompiledModel:
    planner = _Planner(board, aim)
    optimize, max_ram_bytes, weights = aim.optimize, aim.max_ram_bytes, aim.weights
    if aim.push and aim.step is not None:
        raise ModelError(
            f"model '{name}': --step: does not go with --push, where what is computed of a row is a step; leave out "
            "one of the two"
        )
    if weights.copied_bytes and optimize == "size":
        raise ModelError(
            f"model '{name}': --copy-weights: does not go with --optimize size, whose functions are told where weights "
            "lie; leave out one of the two"
        )
    for option, is_asked in (("--push", aim.push), ("--step", aim.step is not None)):
        if graph.states and is_asked:
            raise ModelError(
                f"model '{name}': {option}: does not go with states, which an inference takes whole; leave out one of "
                "the two"
            )
    check_section(weights, board.name, board.cpu.target == "native")
    program, plan = planner.plan(graph)
    heads = split_heads(graph)
    if heads is not graph and (max_ram_bytes is None or plan.arena_bytes > max_ram_bytes):
        by_heads = planner.plan(heads)
        if by_heads[1].arena_bytes < plan.arena_bytes:
            graph, (program, plan) = heads, by_heads
    if max_ram_bytes is not None:
        check_bound(name, plan, max_ram_bytes)
    if planner.is_to_be_split(plan):
        in_parts = planner.split(graph)
        if in_parts is None:
            raise split_error(name, program, plan, planner.rooms, max_ram_bytes)
        program, plan = in_parts
    check_fit(name, program, plan, _memory_of(board, weights))
    made_for = [f"optimize {optimize}", *(["push"] if aim.push else []), *_steps_text(aim.step), f"for {board.name}"]
    if max_ram_bytes is not None:
        made_for.insert(1, f"an arena of {max_ram_bytes:,} bytes at most")
    if aim.memories:
        made_for.insert(1, f"memory {','.join(use.text for use in aim.memories)}")
    if weights.copied_bytes:
        _check_copies(name, program, weights.copied_bytes)
        made_for.insert(1, f"copies of weights of {weights.copied_bytes:,} bytes at most")
    placed = replace(program, placement=weights)
    if weights.fast is not None:
        placed = replace(placed, fast=_fast_of(program, plan, board, weights.fast, weights.is_external))
        made_for.insert(1, f"fast weights {weights.fast.text}")
    emitted = emit(placed, plan, name, provenance(known.onnx_model, made_for))
    return CompiledModel(
        name,
        board,
        graph,
        known.onnx_model,
        emitted.files,
        emitted.listing,
        plan.arena_bytes,
        program.constant_bytes,
        known.origin,
        known.pruned,
        optimize,
        map_arena(program, plan),
        max_ram_bytes,
        weights,
        emitted.blob,
        emitted.names,
        aim.memories,
        aim.solver,
    )


def _fast_of(program: Program, plan: Plan, board: Board, use: RamUse, is_external: bool) -> Keys:
    """The constants that are to be copied into the memory that is named, as far as the arena leaves it free."""
    if is_external:
        raise ModelError(
            f"fast weights '{use.text}': are copied from the program, and with --weights external constants are in a "
            f"file; load that into {use.memory} as it is, or leave out --weights external"
        )
    (room,) = rooms_of(board, [replace(use, most_bytes=None)])
    free = room.size_bytes - sum(part.size_bytes for part in plan.arenas if part.memory == room.memory)
    most_bytes = free if use.most_bytes is None else min(free, use.most_bytes)
    keys = choose_fast(program, most_bytes)
    if not keys:
        raise ModelError(f"fast weights '{use.text}': {_why_none(least_bytes(program), most_bytes, free, use.memory)}")
    return keys


def _check_copies(name: str, program: Program, most_bytes: int) -> None:
    """Raise ModelError where no layer copies its weights."""
    if copies_of(program):
        return
    least = min(filter(None, map(copied_bytes_of, program.steps)), default=0)
    if not least:
        why = (
            f"no layer uses each of its weights {LEAST_USES} times or more by a kernel that reads copies; leave it out"
        )
    elif least > most_bytes:
        why = f"the weights that are used often enough have {least:,} bytes a layer, or more; allow as many"
    else:
        why = "there is no RAM for copies beside the arena; allow fewer bytes of weights, or more RAM, or leave it out"
    raise ModelError(f"model '{name}': --copy-weights {most_bytes}: {why}")


def _why_none(least: int, most_bytes: int, free: int, memory: str) -> str:
    """Why the constants of no layer are chosen, the smallest layer's being `least` bytes, and what would help."""
    if least == 0:
        return "no layer of the model has constants; leave out --fast-weights"
    why = f"{most_bytes:,} bytes hold the constants of no layer; the arena leaves {free:,} of {memory}"
    if free < least:
        return (
            f"{why}, and the smallest layer's are {least:,}: name another memory for the one or the other (--memory), "
            "or leave out --fast-weights"
        )
    return f"{why}: allow more of them, {least:,} at least, or leave out --fast-weights"


def _steps_text(step: Stepped | None) -> list[str]:
    if step is None:
        return []
    return ["step" if step.longest is None else f"steps of {step.longest:,} cycles at most"]


def _options_text(options: Options, origin: Origin) -> str:
    """What the integers depend on beside the file."""
    text = [f"scheme {scheme_name(options.scheme)}"]
    if origin.ranges == "calibrated":
        done = [
            key.replace("_", " ")
            for key in ("bias_correction", "equalization", "headroom")
            if getattr(options.recovery, key)
        ]
        text += [f"{origin.samples} samples by {options.method}", f"rounding {options.recovery.rounding}", *done]
    else:
        text.append(f"ranges {origin.ranges}")
    return ", ".join([*text, *options.selected.text()])


def with_goal(model: CompiledModel, optimize: Goal) -> CompiledModel:
    """The same int8 graph for the same board, optimized for another goal. Raises BoardError where it does not fit it,
    or its arena not the model's `max_ram_bytes`."""
    return model if optimize == model.optimize else _again(model, optimize, model.placement)


def with_placement(model: CompiledModel, placement: Placement) -> CompiledModel:
    """The same model with its constants and working memory in other places. Raises BoardError where it does not fit its
    board."""
    return model if placement == model.placement else _again(model, model.optimize, placement)


def share_arena(models: Sequence[CompiledModel], arena: str = "shared_arena") -> tuple[CompiledModel, ...]:
    """The models with one array for their working memory, as large as the largest of them needs it: `arena` names the
    array and the two files of it, which each of the models has. They run one at a time.

    Raises ModelError where names of C clash, an input is pushed or an inference goes by steps, BoardError where boards
    differ.
    """
    if len(models) < 2:
        raise ModelError(f"arena '{arena}': is to be shared by several models, {len(models)} given")
    _check_identifier(f"arena '{arena}'", arena, "arena")
    for model in models:
        if model.is_pushed:
            raise ModelError(
                f"arena '{arena}': model '{model.name}' takes its input row by row and keeps rows in the arena between "
                "pushes; compile it without --push to share"
            )
        if model.listing.arenas:
            raise ModelError(
                f"arena '{arena}': the arena of model '{model.name}' lies in "
                f"{' and '.join(part.memory or model.board_ram for part in model.arenas)}; one that is shared lies in "
                "one memory: compile it for less RAM, or without --memory"
            )
        if model.is_stepped:
            raise ModelError(
                f"arena '{arena}': model '{model.name}' goes by steps and keeps half an inference in the arena between "
                "them; compile it without --step to share"
            )
        if model.board.name != models[0].board.name:
            raise BoardError(
                f"arena '{arena}': is shared by '{models[0].name}' for {models[0].board.name} and '{model.name}' for "
                f"{model.board.name}; compile all for one board"
            )
    shared = [with_placement(model, replace(model.placement, arena=arena)) for model in models]
    check_names(shared, arena)
    files = arena_files(arena, [Sharer(m.name, m.arena_bytes, m.stack_bytes) for m in shared])
    return tuple(replace(model, files={**model.files, **files}) for model in shared)


def check_names(models: Sequence[CompiledModel], arena: str) -> None:
    """Raise ModelError where two models, or one and the arena, have a name in common, whatever the case: macros are in
    capitals, and so may be files."""
    owner = dict.fromkeys(arena_names(arena), f"arena '{arena}'")
    for model in models:
        what = f"model '{model.name}'"
        for name in sorted({model.name.lower(), *model.names}):
            if name in owner:
                raise ModelError(f"{what} and {owner[name]}: both have '{name}' in C; give another name: --name")
            owner[name] = what


def _again(model: CompiledModel, optimize: Goal, placement: Placement) -> CompiledModel:
    steps = model.listing.steps
    step = None if steps is None else Stepped(steps.asked)
    aim = Aim(optimize, model.max_ram_bytes, placement, model.is_pushed, model.memories, step, model.solver)
    known = _Known(model.onnx_model, model.origin, model.pruned)
    assembled = _assemble(model.graph, model.board, model.name, known, aim)
    return with_after(with_front_end(assembled, model.front_end), model.after)


def check_features(model: CompiledModel, board: Board) -> None:
    """Raise BoardError where the model's C uses what the CPU of another board lacks."""
    missing = sorted(model.board.cpu.features - board.cpu.features)
    if missing:
        raise BoardError(
            f"model '{model.name}' is compiled for {model.board.name} and uses {', '.join(missing)}, which "
            f"{board.name} does not have; compile it again with --board {board.name}"
        )
    rams = {ram.name: ram.size_bytes for ram in board.memory.more} if board.memory else {}
    for part in model.arenas:
        if part.memory and rams.get(part.memory, 0) < part.size_bytes:
            raise BoardError(
                f"model '{model.name}' is compiled for {model.board.name} and has {part.size_bytes:,} bytes of its "
                f"arena in {part.memory}, of which {board.name} has {rams.get(part.memory, 0):,}; compile it "
                f"again with --board {board.name}"
            )
    fast = model.listing.fast
    if fast is None:
        return
    if board.memory is None or fast.memory not in {ram.name for ram in board.memory.rams}:
        raise BoardError(
            f"model '{model.name}' is compiled for {model.board.name} and has constants in {fast.memory}, which "
            f"{board.name} does not have; compile it again with --board {board.name}"
        )
    beside = sum(part.size_bytes for part in model.arenas if part.memory == fast.memory)
    room = rams.get(fast.memory, board.memory.ram_bytes)
    if beside + -beside % 8 + fast.size_bytes > room:
        raise BoardError(
            f"model '{model.name}' is compiled for {model.board.name} and has {fast.size_bytes:,} bytes of constants "
            f"beside {beside:,} of its arena in {fast.memory}, of which {board.name} has {room:,}; compile it again "
            f"with --board {board.name}"
        )


def on_board(model: CompiledModel, board: str | Board | None) -> CompiledModel:
    """The same C on another board, by its name; as it is for None. Raises BoardError where that lacks a CPU feature."""
    if board is None:
        return model
    other = load_board(board) if isinstance(board, str) else board
    check_features(model, other)
    return replace(model, board=other)


def dataset_for(graph: Graph, data: Calibration, labels: Array | None = None) -> Dataset:
    """Samples for the graph's inputs: a file or folder, arrays with `labels`, (arrays, labels), what makes samples and
    is read here, or a part of these."""
    return _dataset(input_specs(graph), data, labels)


def _dataset(specs: Sequence[InputSpec], data: Calibration, labels: Array | None) -> Dataset:
    if isinstance(data, Part):
        return (held_back_part if data.held_back else other_part)(_dataset(specs, data.data, labels))
    if is_source(data):
        return from_source(data, specs, labels)
    return open_dataset(data, specs) if isinstance(data, str | Path) else from_arrays(cast(Array, data), specs, labels)


def calls_for(graph: Graph, data: Calibration, labels: Array | None = None) -> Dataset | Sequences:
    """What `dataset_for` gives; for a graph with states sequences of calls, or a part of these, and of one that streams
    windows too, each of which is as many calls as fill it."""
    if graph.stream is not None:
        return _calls_of_stream(graph, data, labels)
    if not graph.states:
        return dataset_for(graph, data, labels)
    if labels is not None:
        raise DataError("labels: are those of samples, and data for a model with states has sequences; leave them out")
    if isinstance(data, Part):
        whole = calls_for(graph, data.data)
        assert isinstance(whole, Sequences)
        return whole.part(data.held_back)
    return open_sequences(data, input_specs(graph))


def _calls_of_stream(graph: Graph, data: Calibration, labels: Array | None) -> Sequences:
    """Windows of the model's input as the calls that fill them, or sequences of calls."""
    own = graph.stream
    assert own is not None
    (spec,) = input_specs(graph)
    window = replace(spec, shape=of_shape(spec.shape, own.axis, own.window))
    try:
        return Windows((spec,), (), windows=_dataset((window,), data, labels), stream=own)
    except DataError:
        if isinstance(data, Part) or labels is not None:
            raise
        try:
            return open_sequences(data, (spec,))
        except DataError:
            pass
        raise


def calibration_samples(graph: Graph, data: Calibration) -> Iterable[Sample]:
    """Samples for the graph's inputs from whatever may be given as calibration data; the y of (x, y) is not read. Of
    states they have what these become along sequences."""
    specs = input_specs(graph)
    if graph.states:
        calls = calls_for(graph, data)
        assert isinstance(calls, Sequences)
        return calls_with_states(graph, calls)
    if is_pair(data, specs):
        data = cast(tuple[Array, Array], data)[0]
    if not is_source(data):
        return dataset_for(graph, data)
    samples = from_generator(data, specs)
    return Spooled(specs, samples) if is_read_once(data) else samples


def _guessed_ranges(
    imported: Graph, graph: Graph, onnx_model: onnx.ModelProto, method: CalibrationMethod, scheme: Scheme
) -> tuple[dict[str, Range], int, dict[str, float]]:
    """Ranges without data, the number of BatchNormalizations that helped, and the values of tensors that had one
    throughout; `graph` is `imported` simplified."""
    without = float_tensors(graph, scheme)
    trained = {} if graph.states else trained_outputs(onnx_model, imported)
    if trained:
        twin, samples = trained_twin(imported, trained)
        twin = insert_conversions(simplify(twin), scheme)
        twin, _ = never_nan(twin, computed_in_floats(twin, scheme))
        # Passes look at values too: what is 1 or 0 in the one may not be in the other.
        if scaled_tensors(twin) == scaled_tensors(graph):
            collectors = collect(twin, samples, without=without)
            ranges = widened(twin, collectors.ranges(CalibrationMethod("minmax")))
            return ranges, len(trained), collectors.constants()
    samples = calls_with_states(graph, synthetic_calls(graph)) if graph.states else synthetic_dataset(graph)
    collectors = collect(graph, samples, averaging=method.averaging, without=without)
    return collectors.ranges(method), 0, collectors.constants()


def model_identifier(name: str | None, path: Path) -> str:
    """The C identifier of the model: `name` as it is, or the file's name made into one."""
    if name is None:
        return file_identifier(path.stem, "model").lower()
    _check_identifier(f"--name '{name}'", name, "model")
    return name


def _check_identifier(what: str, name: str, fallback: str) -> None:
    """Raise ModelError where no C file and array can have the name."""
    other = file_identifier(name, fallback).lower()
    if is_of_the_library(name):
        raise ModelError(f"{what}: is the name of a header or function of the C library; use another, as in '{other}'")
    if file_identifier(name) != name:
        raise ModelError(
            f"{what}: is no C identifier of 40 characters at most; use letters, digits and single underscores, as in "
            f"'{other}'"
        )
