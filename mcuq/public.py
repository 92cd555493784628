"""What `import mcuq` offers, gathered here and imported when first asked for: it brings all libraries with it."""

from mcuq.api import Run, Simulation, boards, compare, diagnose, run, simulate, validate
from mcuq.artifact import load, load_all, save, save_all, save_qdq
from mcuq.boards.facts import Board
from mcuq.build.footprint import Choice, Footprint
from mcuq.build.footprint import measure_footprint as footprint
from mcuq.compile import CompiledModel, share_arena
from mcuq.compile import compile_model as compile
from mcuq.demo import run_demo as demo
from mcuq.errors import McuqError
from mcuq.quantize import CalibrationMethod, LayerScheme, Recovery, Scheme
from mcuq.report.inspect import Inspection
from mcuq.report.inspect import inspect_model as inspect
from mcuq.report.profile import Profile
from mcuq.report.profile import profile_model as profile
from mcuq.validate import AccuracyReport, BitsReport
from mcuq.validate.device import DeviceReport
from mcuq.version import __version__

__all__ = [
    "AccuracyReport",
    "BitsReport",
    "Board",
    "CalibrationMethod",
    "Choice",
    "CompiledModel",
    "DeviceReport",
    "Footprint",
    "Inspection",
    "LayerScheme",
    "McuqError",
    "Profile",
    "Recovery",
    "Run",
    "Scheme",
    "Simulation",
    "__version__",
    "boards",
    "compare",
    "compile",
    "demo",
    "diagnose",
    "footprint",
    "inspect",
    "load",
    "load_all",
    "profile",
    "run",
    "save",
    "save_all",
    "save_qdq",
    "share_arena",
    "simulate",
    "validate",
]
