"""The warp functions of Numba's CUDA, for Numba's simulator of a GPU, which lacks them.

The simulator runs each thread of a block as a thread of the host. Those of a warp (32 neighbours; the last warp of a
block may have fewer) meet in each of these functions: each gives a value, waits for all lanes of the mask, and reads
what the others gave. A lane that cannot come any more, because it ended, waits for the block or in another warp
function, is an error that says where it is; so is what a GPU leaves undefined, as asking a lane that does not take
part; and so are types that Numba does not compile.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba.cuda.simulator import kernelapi

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LANES", "install"]

LANES: Final = 32
PATIENCE: Final = 1.0  # s, until the lanes that are missing are looked at
NUMBERS: Final = (np.int32, np.int64, np.float32, np.float64)

_making_a_warp = threading.Lock()


class _Meeting:
    """What the lanes that have come to one call of a function gave."""

    def __init__(self, function: str) -> None:
        self.function = function
        self.given: dict[int, Any] = {}


class _Warp:
    """The threads of a warp, and the calls that some of them wait in, by mask."""

    def __init__(self, first: int, lanes: int) -> None:
        self.first = first  # thread of the block
        self.lanes = lanes
        self.changed = threading.Condition()
        self.meetings: dict[int, _Meeting] = {}
        self.failure = ""  # of the first thread that gave up

    def meet(self, thread: Any, function: str, mask: Any, value: Any) -> dict[int, Any]:
        """What all lanes of the mask gave, by lane; those that the block does not have count as ended."""
        lane, mask = thread.thread_id - self.first, int(mask) & 0xFFFFFFFF
        expected = [other for other in range(self.lanes) if mask >> other & 1]
        if lane not in expected:
            raise RuntimeError(f"{function}: lane {lane} is not in its own mask {mask:#010x}")
        with self.changed:
            meeting = self.meetings.setdefault(mask, _Meeting(function))
            if meeting.function != function:
                raise RuntimeError(f"lane {lane} is in {function}, and others of its warp in {meeting.function}")
            meeting.given[lane] = value
            if len(meeting.given) == len(expected):
                del self.meetings[mask]
                self.changed.notify_all()
            while len(meeting.given) < len(expected):
                in_time = self.changed.wait(PATIENCE)
                if thread.abort:
                    raise RuntimeError(f"{function}: another thread failed")
                if not in_time and not self.failure:
                    missing = [other for other in expected if other not in meeting.given]
                    self.failure = self._looked_for(thread, meeting, missing)
                if self.failure:
                    raise RuntimeError(self.failure)
        return meeting.given

    def _looked_for(self, thread: Any, meeting: _Meeting, missing: list[int]) -> str:
        """Why one of the lanes cannot come any more; nothing if all of them can."""
        alive = {each.thread_id - self.first: each for each in _threads_of(thread._manager)}
        elsewhere = {
            lane: other.function for other in self.meetings.values() if other is not meeting for lane in other.given
        }
        for lane in missing:
            if lane not in alive:
                why = "has ended"
            elif alive[lane].syncthreads_blocked:
                why = f"waits for the block {_place(alive[lane])}"
            elif lane in elsewhere:
                why = f"waits in {elsewhere[lane]} {_place(alive[lane])}"
            else:
                continue
            return (
                f"lanes {sorted(meeting.given)} of the warp of thread {self.first} wait in {meeting.function} "
                f"{_place(thread)} for lane {lane}, which {why}"
            )
        return ""


def _threads_of(manager: Any) -> list[Any]:
    return [thread for thread in threading.enumerate() if getattr(thread, "_manager", None) is manager]


def _place(thread: Any) -> str:
    """Where a thread is in its kernel."""
    frame = sys._current_frames().get(thread.ident)
    while frame is not None and frame.f_globals["__name__"].startswith((__name__, "threading", "numba.")):
        frame = frame.f_back
    return "at its end" if frame is None else f"at {frame.f_code.co_filename}:{frame.f_lineno}"


def _meet(function: str, mask: Any, value: Any) -> tuple[int, dict[int, Any]]:
    """The lane, and what all lanes of the mask gave."""
    thread: Any = threading.current_thread()
    if not hasattr(thread, "warp"):
        thread.warp = _warp_of(thread)
    return thread.thread_id % LANES, thread.warp.meet(thread, function, mask, value)


def _warp_of(thread: Any) -> _Warp:
    block, first = thread._manager, thread.thread_id - thread.thread_id % LANES
    with _making_a_warp:
        if not hasattr(block, "warps"):
            block.warps = {}
        if first not in block.warps:
            block.warps[first] = _Warp(first, min(LANES, int(np.prod(block._block_dim)) - first))
        warp: _Warp = block.warps[first]
        return warp


def _check(function: str, value: Any, types: tuple[Any, ...]) -> None:
    if not isinstance(value, types):
        raise TypeError(f"{function} takes {', '.join(each.__name__ for each in types)}, got {type(value).__name__}")


def _bits(lanes: list[int]) -> np.int32:
    return np.uint32(sum(1 << lane for lane in lanes)).view(np.int32)


def _from_lane(function: str, given: dict[int, Any], lane: Any) -> Any:
    if int(lane) not in given:
        raise RuntimeError(f"{function}: lane {lane} does not take part, what it has is undefined")
    return given[int(lane)]


def ballot_sync(_module: Any, mask: Any, predicate: Any) -> np.int32:
    """A bit for each lane: 1 where the predicate is true."""
    _, given = _meet("ballot_sync", mask, bool(predicate))
    return _bits([lane for lane, true in given.items() if true])


def match_any_sync(_module: Any, mask: Any, value: Any) -> np.int32:
    """A bit for each lane: 1 where the value is the same as that of this lane."""
    _check("match_any_sync", value, NUMBERS)
    lane, given = _meet("match_any_sync", mask, value)
    return _bits([other for other, its in given.items() if its.tobytes() == given[lane].tobytes()])


def shfl_sync(_module: Any, mask: Any, value: Any, src_lane: Any) -> Any:
    """The value of a lane."""
    _check("shfl_sync", value, NUMBERS)
    _, given = _meet("shfl_sync", mask, value)
    return _from_lane("shfl_sync", given, src_lane)


def shfl_up_sync(_module: Any, mask: Any, value: Any, delta: Any) -> Any:
    """The value of the lane so far below; that of this lane where there is none."""
    _check("shfl_up_sync", value, NUMBERS)
    lane, given = _meet("shfl_up_sync", mask, value)
    return given[lane] if lane < delta else _from_lane("shfl_up_sync", given, lane - delta)


def install() -> None:
    """Give the simulator these functions, in this process."""
    functions: list[Callable[..., Any]] = [ballot_sync, match_any_sync, shfl_sync, shfl_up_sync]
    for function in functions:
        setattr(kernelapi.FakeCUDAModule, function.__name__, function)
