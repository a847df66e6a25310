"""How frames are counted, whatever they are frames of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from gpuheat.backends import Backend, get_backend
from gpuheat.backends.cpu_loops import processors
from gpuheat.backends.gaussian import check_sigma
from gpuheat.errors import OptionError
from gpuheat.inputs.container import MAX_PIXELS
from gpuheat.inputs.gpu_decoding import WHERE, Decoding
from gpuheat.inputs.zones import read_zones
from gpuheat.jobs.scene import Scene
from gpuheat.jobs.slicing import slicing_of
from gpuheat.jobs.tally import Counting
from gpuheat.options import whole_number

if TYPE_CHECKING:
    from fractions import Fraction

    from gpuheat.jobs.stretch import Stretch
    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["Recipe"]

LARGE: Final = 2**22  # px of a picture
MOST_JOBS: Final = 8


class Recipe:
    """The options of :func:`gpuheat.motion_heatmap` that do not speak of one source.

    Attributes
    ----------
    jobs
        How many decoders are to work side by side.
    max_pixels
        Of a picture, at most.
    decoding
        Where videos are decoded.
    keyframes
        Whether key frames alone are counted.
    scene
        The mask, the zones and the background, which has not seen a frame.

    Raises
    ------
    InputError
        If mask, zones or background cannot be read.
    OptionError
        If an option is outside its range.
    BackendUnavailableError
        If the backend cannot run here.
    """

    def __init__(
        self,
        *,
        threshold: Any,
        pixels: Any,
        half_life: Any,
        downscale: Any,
        mask: Any,
        max_changed: Any,
        background: Any,
        blur: float,
        backend: str | Backend,
        decode: Any,
        jobs: int | None,
        max_pixels: Any,
        keyframes: bool = False,
        zones: Any = None,
        slice: Any = None,  # noqa: A002
        slices: Any = None,
    ) -> None:
        check_sigma(blur)
        self.blur = blur
        self.backend = get_backend(backend)
        self._jobs = None if jobs is None else whole_number("jobs", jobs, 1, 1024)
        self.counting = Counting(threshold, pixels, half_life, max_changed, downscale, self.backend)
        self.max_pixels = whole_number("max_pixels", max_pixels, 1, MAX_PIXELS)
        self.decoding = _decoding(decode, self.counting)
        self.keyframes = keyframes
        self.scene = Scene(background, mask, downscale, None if zones is None else read_zones(zones))
        self._slices = slice, slices

    def jobs_for(self, width: int, height: int) -> int:
        """How many decoders are to work side by side on pictures of so many px."""
        if self._jobs is not None:
            return self._jobs
        jobs = min(processors(), MOST_JOBS) if self.backend.name in ("numpy", "numba") else 1
        # two decoders of large pictures are no faster than one with several threads, and take twice the memory
        return 1 if jobs == 2 and width * height > LARGE else jobs

    @property
    def cuts_evenly(self) -> bool:
        """Whether so many slices of the time are asked for as its length is needed for."""
        return self._slices[1] is not None

    def cut_into_slices(self, stretch: Stretch, length: Fraction | None) -> None:
        """Have the slices of the time counted that are asked for, if any; see :func:`slicing_of`."""
        self.counting = replace(self.counting, slicing=slicing_of(*self._slices, stretch, length))

    @property
    def decisive(self) -> dict[str, Any]:
        """The settings on which it depends what is seen and counted."""
        return self.counting.decisive | self.scene.decisive

    def settings_of(self, result: MotionHeatmap, stretch: Stretch) -> dict[str, Any]:
        """All settings of a result of this stretch."""
        slicing = self.counting.slicing
        how_read = {
            "keyframes": self.keyframes,
            "downscale": self.counting.downscale,
            "slice": None if slicing is None else float(slicing.steps.step),
        }
        return result.settings | stretch.settings | self.scene.settings | how_read

    @property
    def backend_facts(self) -> dict[str, str]:
        """What counts, for ``summary.json``."""
        return {"name": self.backend.name, "device": self.backend.device}


def _decoding(where: Any, counting: Counting) -> Decoding:
    if where not in WHERE:
        raise OptionError(f"decode must be one of {', '.join(WHERE)}, got {where!r}")
    host_reason = None
    if counting.pixels == "luma" or counting.downscale > 1:
        host_reason = "brightness and means of blocks are computed on the host"
    return Decoding(where, counting.backend, host_reason)
