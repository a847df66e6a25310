"""Ctrl-C reaches all processes of a terminal: on this machine it is the command that ends, and ends its workers."""

from __future__ import annotations

import signal
from typing import Any

from distributed import WorkerPlugin

__all__ = ["IgnoreInterrupts"]


class IgnoreInterrupts(WorkerPlugin):
    """Has the workers leave Ctrl-C to the process that made them."""

    name = "gpuheat-interrupts"

    def setup(self, worker: Any) -> None:
        """Called in each worker, a process of its own, when it begins."""
        del worker
        signal.signal(signal.SIGINT, signal.SIG_IGN)
