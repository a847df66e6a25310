"""What is measured: cases, their contenders, and how fast they are meant to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.gpu.device import Device
    from gpuheat import Backend

__all__ = ["NONE", "SIZES", "Case", "Clock", "Planned", "Setting", "Target", "Work", "input_sets"]

Clock = Literal["device", "back to back", "host"]
"""``"device"``: events around calls that queue up behind a kernel that waits, so that the device never waits for
the host. ``"back to back"``: events around calls as fast as the host makes them. ``"host"``: the host's clock, until
the device is done."""

SIZES: Final = {"4K": (2160, 3840), "1080p": (1080, 1920), "360p": (360, 640)}
"""Height and width of frames, px."""


@dataclass(frozen=True)
class Setting:
    """What takes part: CUDA backends, PyTorch where it can use the GPU, sizes in full or quick."""

    backends: Sequence[Backend]
    torch: Any | None
    quick: bool


@dataclass(frozen=True)
class Target:
    """How fast our own contenders are meant to be.

    ``share`` is that of the copy bandwidth measured in the same run; ``times`` says how many times as fast as peers.
    """

    share: float | None = None
    times: Mapping[str, float] = field(default_factory=dict)


NONE: Final = Target()


@dataclass(frozen=True)
class Work:
    """One contender, ready to run.

    ``run`` does the work once, on the input set of that number (counted on for ever). ``difference`` makes a run of
    its own and returns how far it is from the reference. More than ``allowed`` is an error of our own contenders;
    that of a peer is only reported.
    """

    run: Callable[[int], object]
    difference: Callable[[], float]
    allowed: float = 0.0


@dataclass(frozen=True)
class Case:
    """One thing to do, and who does it.

    ``floor`` are the bytes that any way of doing it has to read and write in the device's memory, ``all_passes``
    those of an operation of several passes if each goes to memory. ``items`` is how much there is of ``unit``.
    """

    items: int
    unit: str
    ours: Mapping[str, Callable[[], Work]]
    peers: Mapping[str, Callable[[], Work]]
    sets: int = 1
    floor: int | None = None
    all_passes: int | None = None


@dataclass(frozen=True)
class Planned:
    """A case to be made when its turn comes. ``floor`` says in words what its bytes are."""

    name: str
    make: Callable[[Device], Case]
    floor: str = ""
    target: Target = NONE
    clock: Clock = "device"
    needs: tuple[str, ...] = ()
    """Modules without which it is left out."""


def input_sets(nbytes: int, cache: int) -> int:
    """How many sets of inputs to go round, so that none is still in the cache when its turn comes again."""
    return max(2, -(-4 * cache // max(1, nbytes)))
