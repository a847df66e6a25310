"""What is measured: cases, their contenders, and how fast they are meant to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.kernels.blur import Blurring
    from benchmarks.kernels.histogram import Counting
    from benchmarks.kernels.motion import Comparing
    from benchmarks.results import Measured
    from gpuheat import Backend

__all__ = [
    "NONE",
    "SIZES",
    "Case",
    "Clock",
    "Machine",
    "NotMeasuredError",
    "Planned",
    "Setting",
    "Target",
    "Work",
    "Yardsticks",
    "input_sets",
]

Clock = Literal["device", "back to back", "host"]
"""``"device"``: events around calls that queue up behind a kernel that waits, so that the device never waits for
the host. ``"back to back"``: events around calls as fast as the host makes them. ``"host"``: the host's clock, until
the device is done."""

SIZES: Final = {"8k": (4320, 7680), "4k": (2160, 3840), "1080p": (1080, 1920), "720p": (720, 1280), "360p": (360, 640)}
"""Height and width of frames, px."""


class NotMeasuredError(Exception):
    """A contender is left out: it is not installed, or it takes too long."""


class Machine(Protocol):
    """What computes, and its clock: the host's processors, or a GPU."""

    arrays: Any
    """The module whose arrays lie in its memory: NumPy or CuPy."""
    cache_bytes: int
    one_by_one: bool
    """Whether contenders are made and measured one after the other, and not in turn: its memory is small."""
    has_events: bool
    """Whether its clock knows when what was asked for is done."""

    def to_host(self, array: Any) -> NDArray[Any]:
        """A NumPy array of one of its own."""

    def free(self) -> None:
        """Give back the memory that nothing uses any more."""

    def measure(
        self, contenders: Mapping[str, Callable[[int], object]], clock: Clock, sets: int, runs: int
    ) -> dict[str, Measured | Exception]:
        """Time each ``runs`` times, after warming up; each call is told a number, counted on.

        An error of a contender takes the place of its times, and does not stop the others.
        """


class Yardsticks(Protocol):
    """What the backends are held against on a machine: peers, ready to be made, and aims."""

    def motion(self, comparing: Comparing) -> Mapping[str, Callable[[], Work]]:
        """Other ways to count motion."""

    def histogram(self, counting: Counting) -> Mapping[str, Callable[[], Work]]:
        """Other ways to count points."""

    def blur(self, blurring: Blurring) -> Mapping[str, Callable[[], Work]]:
        """Other ways to blur."""

    def aim(self, operation: str, kind: str) -> Target:
        """How fast ours are meant to be.

        ``operation`` is "motion", of which ``kind`` is the layout, "histogram", of which it is how the points lie, or
        "blur", of which it is the sigma.
        """


@dataclass(frozen=True)
class Setting:
    """What takes part.

    ``sizes`` are names of SIZES, the main one first, and so are ``points``, how many, and ``blurs``, (sigma, height,
    width). ``layouts`` are names of LAYOUTS in benchmarks.kernels.motion, the main one first. A batch has at most
    ``pairs`` pairs of frames and ``batch_bytes``. ``thorough``: what makes an operation harder is tried in every
    variety, and not in the main one alone.
    """

    suite: str
    backends: Sequence[Backend]
    yardsticks: Yardsticks
    thorough: bool
    layouts: Sequence[str]
    sizes: Sequence[str]
    pairs: int
    batch_bytes: int
    points: Sequence[int]
    blurs: Sequence[tuple[float, int, int]]


@dataclass(frozen=True)
class Target:
    """How fast our own contenders are meant to be.

    ``share`` is that of the copy bandwidth measured in the same run; ``times`` says how many times as fast as peers.
    It is meant for the backend of this name alone, if there is one.
    """

    share: float | None = None
    times: Mapping[str, float] = field(default_factory=dict)
    backend: str | None = None


NONE: Final = Target()


@dataclass(frozen=True)
class Work:
    """One contender, ready to run.

    ``run`` does the work once, on the input set of that number (counted on for ever). ``difference`` makes a run of
    its own and returns how far it is from the reference. More than ``allowed`` is an error of our own contenders;
    that of a peer is only reported. ``finish`` waits until what was run is done, where it may still be under way.
    """

    run: Callable[[int], object]
    difference: Callable[[], float]
    allowed: float = 0.0
    finish: Callable[[], object] = lambda: None


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

    suite: str
    name: str
    make: Callable[[Any], Case]
    floor: str = ""
    target: Target = NONE
    clock: Clock = "device"
    needs: tuple[str, ...] = ()
    """Modules without which it is left out."""


def input_sets(nbytes: int, cache: int) -> int:
    """How many sets of inputs to go round, so that none is still in the cache when its turn comes again."""
    return max(2, -(-4 * cache // max(1, nbytes)))
