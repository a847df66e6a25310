"""The cluster: one on this machine, or one that is there already; and the tasks that are given to it."""

from __future__ import annotations

import logging
import time
from collections import defaultdict, deque
from contextlib import contextmanager, suppress
from inspect import Parameter, signature
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from gpuheat.backends import get_backend
from gpuheat.backends.cpu_loops import processors
from gpuheat.backends.cuda import CudaBackend
from gpuheat.errors import InputError, MissingPackageError, OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from distributed import Client

__all__ = ["SCHEDULER", "Errand", "Tasks", "connected", "usual_options", "wait_for_one"]

log = logging.getLogger("gpuheat")

RETRIES: Final = 2
"""How often a task is done again that ended with an error nobody expected. What a lost worker did is done again, too:
by Dask, until the same task was lost with ``distributed.scheduler.allowed-failures`` workers, 3 unless configured.
"""
REMEMBERED: Final = 64  # tasks
PATIENCE: Final = 5.0
"""s; nothing that takes less is done once more because it takes long."""
SLOW: Final = 4
"""So many times as long as usual is long."""
UNKNOWN: Final = 30.0
"""s; longer than this is long where none like it was done yet, which of what decodes nobody can say. It is shorter than
a worker waits for a file before it gives it up, see :class:`gpuheat.inputs.watch.Watch`.
"""
LOOK: Final = 0.2
"""s between two looks at how far the work is."""
WAIT: Final = "30s"
LOCAL: Final = "local"
SCHEDULER: Final = {"preload": ["gpuheat.jobs.dask.scheduler"]}
"""Options of a scheduler whose memory does not grow with the tasks it ever had."""


@contextmanager
def connected(address: str, backend: str) -> Iterator[Client]:
    """A client of the cluster at ``tcp://host:port``, or of ``"local"``, which is made here and ends with the block.

    That has one worker for each processor of this machine; where ``backend`` computes on a GPU, one for each of these.

    Raises
    ------
    MissingPackageError
        If Dask is not installed, or dask-cuda where it is needed.
    BackendUnavailableError
        If the backend cannot run here, where there is a worker to be.
    InputError
        If there is no scheduler at the address.
    """
    try:
        from distributed import Client, LocalCluster
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"a cluster needs dask and distributed ({error}): pip install 'gpuheat[dask]'"
        ) from error
    if address == LOCAL:
        from gpuheat.jobs.dask.interrupts import IgnoreInterrupts

        usual: dict[str, Any] = {
            "threads_per_worker": 1,
            "dashboard_address": ":0",
            "scheduler_kwargs": SCHEDULER,
        }
        on_gpus = isinstance(get_backend(backend), CudaBackend)
        made = _cuda_cluster()(**usual) if on_gpus else LocalCluster(n_workers=processors(), **usual)
        with made as cluster, Client(cluster) as client:
            client.register_plugin(IgnoreInterrupts())
            yield client
        return
    try:
        client = Client(address, timeout=WAIT)
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        raise InputError(
            f"there is no Dask scheduler at {address} ({error}): give tcp://host:8786, or local"
        ) from error
    with client:
        yield client


def _cuda_cluster() -> Any:
    """The class of a cluster on this machine that has a worker for each GPU."""
    try:
        from dask_cuda import LocalCUDACluster
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"a cluster of this machine's GPUs needs dask-cuda ({error}): pip install 'gpuheat[dask-cuda13]', "
            "or take the processors with --backend numba"
        ) from error
    return LocalCUDACluster


class Tasks:
    """Gives tasks to a cluster, and knows how long they take."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._took: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))

    @property
    def workers(self) -> int:
        """How many workers there are now."""
        return len(self._threads)

    @property
    def threads(self) -> int:
        """How many tasks they can do at the same time, at least 1."""
        return max(1, sum(self._threads.values()))

    @property
    def _threads(self) -> dict[str, int]:
        """How many each worker has."""
        return dict(self.client.nthreads())

    def submit(self, task: Any, *arguments: Any, first: bool = False) -> Any:
        """The future of a task; ``first``: before those that were given before, to free memory."""
        return self.client.submit(task, *arguments, pure=False, retries=RETRIES, priority=10 if first else 0)

    def submit_elsewhere(self, future: Any, task: Any, *arguments: Any) -> Any:
        """The future of a task done once more, by other workers than has it now; None where there are none."""
        there = {worker for worker, keys in self.client.processing().items() if future.key in keys}
        others = [worker for worker in self._threads if worker not in there]
        if not there or not others:
            return None
        return self.client.submit(task, *arguments, pure=False, retries=RETRIES, priority=10, workers=others)

    def took(self, kind: str, seconds: float) -> None:
        """Take note of how long a task of some kind took."""
        self._took[kind].append(seconds)

    def is_long(self, kind: str, seconds: float, *, decodes: bool) -> bool:
        """Whether this is much longer than those of its kind took lately."""
        took = self._took[kind]
        if not took:
            return not decodes and seconds > UNKNOWN
        return seconds > max(PATIENCE, SLOW * median(took))

    def help(self, errands: Sequence[Errand]) -> None:
        """Have those done once more that take too long, as far as there are threads with nothing to do."""
        late = [each for each in errands if each.is_late]
        if not late:
            return
        busy = self.client.processing()
        free = sum(max(0, threads - len(busy.get(worker, ()))) for worker, threads in self._threads.items())
        for each in late:
            if free > 0 and each.help():
                free -= 1

    def results(self, errands: Sequence[Errand], look: Callable[[int], None] = lambda _: None) -> list[Any]:
        """What all of them come to, waited for; ``look`` is called now and then with how many are done."""
        while pending := [each for each in errands if not each.look()]:
            look(len(errands) - len(pending))
            self.help(pending)
            wait_for_one(pending)
        look(len(errands))
        return list(self.client.gather([each.done for each in errands]))


class Errand:
    """Something to be done: by a task, and where that takes too long by another worker as well.

    What comes first counts. So a worker whose file hangs, or that stands still, is waited for no longer than needed;
    unless it also has what the task needs, and no other worker has: that has to wait until Dask gives the worker up.

    Parameters
    ----------
    tasks_of
        Those of the cluster.
    what
        It is, for the log.
    task, arguments, first
        As of :meth:`Tasks.submit`. It may be done twice, at the same time, to the same end.
    decodes
        Whether it may take any time: how long is long shows once one of its kind is done.

    Attributes
    ----------
    futures
        Of the tasks that are under way.
    done
        The future that counts; None before.
    """

    def __init__(
        self, tasks_of: Tasks, what: str, task: Any, *arguments: Any, first: bool = False, decodes: bool = False
    ) -> None:
        self._tasks = tasks_of
        self._what = what
        self._kind = task.__name__
        self._call = (task, *arguments)
        self._decodes = decodes
        self._since = [time.monotonic()]  # for each of the futures
        self.futures = [tasks_of.submit(task, *arguments, first=first)]
        self.done: Any = None

    def look(self) -> bool:
        """Whether it is done."""
        for future, since in zip(self.futures, self._since, strict=True):
            if future.status == "finished":
                self._tasks.took(self._kind, time.monotonic() - since)
                self.done = future
                break
        else:
            if self.futures and all(future.done() for future in self.futures):
                self.done = self.futures[0]
        if self.done is not None:
            self.futures, self._since, self._call = [], [], ()  # the other task is not wanted, nor what they needed
        return self.done is not None

    @property
    def is_late(self) -> bool:
        """Whether the only task takes too long where it is."""
        if len(self.futures) != 1:
            return False
        return self._tasks.is_long(self._kind, time.monotonic() - self._since[0], decodes=self._decodes)

    def help(self) -> bool:
        """Have it done by another worker as well; whether there is one."""
        future = self._tasks.submit_elsewhere(self.futures[0], *self._call)
        if future is not None:
            log.info("%s takes long, another worker does it as well", self._what)
            self.futures.append(future)
            self._since.append(time.monotonic())
        return future is not None


def wait_for_one(errands: Sequence[Errand]) -> None:
    """Wait until a task of one of these that are under way has ended, but not for long."""
    from distributed import wait

    if pending := [future for each in errands for future in each.futures if not future.done()]:
        with suppress(TimeoutError):
            wait(pending, timeout=LOOK, return_when="FIRST_COMPLETED")


def usual_options(call: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """All options of a call: these, and the usual values of the others.

    Raises
    ------
    OptionError
        If it has no option of some name.
    """
    known = {
        name: parameter.default
        for name, parameter in signature(call).parameters.items()
        if parameter.kind is Parameter.KEYWORD_ONLY
    }
    if unknown := sorted(options.keys() - known.keys()):
        raise OptionError(f"{call.__name__} has no option {', '.join(unknown)}")
    return known | options
