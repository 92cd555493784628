"""Settings for the whole suite."""

from hypothesis import settings

# Shared machines stall now and then: a deadline would fail tests for that, and timings do not belong in tests.
settings.register_profile("mcuq", deadline=None, derandomize=True)
settings.load_profile("mcuq")
