"""Runs functions that wait for other programs side by side, so that Ctrl-C ends all of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from mcuq.system.interrupt import before_interrupts
from mcuq.system.process import kill_running

_AGAIN_S = 0.05  # how often programs are killed that a thread has started meanwhile


def in_parallel(*functions: Callable[[], Any]) -> list[Any]:
    """What each of them returns, in order. Where one raises, the others end first; where this thread is interrupted,
    what they run is killed."""
    with ThreadPoolExecutor(max_workers=max(len(functions), 1)) as pool:
        futures: list[Future[Any]] = []
        try:
            with before_interrupts():  # a thread that is started is one of the futures
                futures.extend(pool.submit(function) for function in functions)
            wait(futures)
        except BaseException:
            for future in futures:
                future.cancel()
            while wait(futures, _AGAIN_S).not_done:
                kill_running()
            raise
    return [future.result() for future in futures]
