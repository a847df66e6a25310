"""Exact heat maps: where things moved in a video, and where people looked on a picture.

Importing gpuheat loads nothing else; each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpuheat.backends import Backend as Backend
    from gpuheat.backends import available_backends as available_backends
    from gpuheat.backends import get_backend as get_backend
    from gpuheat.backends import register_backend as register_backend
    from gpuheat.errors import BackendUnavailableError as BackendUnavailableError
    from gpuheat.errors import DeviceMemoryError as DeviceMemoryError
    from gpuheat.errors import GpuheatError as GpuheatError
    from gpuheat.errors import IncompleteError as IncompleteError
    from gpuheat.errors import InputError as InputError
    from gpuheat.errors import OptionError as OptionError
    from gpuheat.fixation.counter import FixationCounter as FixationCounter
    from gpuheat.fixation.heatmap import FixationHeatmap as FixationHeatmap
    from gpuheat.grid import BinGrid as BinGrid
    from gpuheat.jobs.compare import compare as compare
    from gpuheat.jobs.comparison import Comparison as Comparison
    from gpuheat.jobs.fixation import fixation_heatmap as fixation_heatmap
    from gpuheat.jobs.motion import motion_heatmap as motion_heatmap
    from gpuheat.jobs.overlay_video import overlay_video as overlay_video
    from gpuheat.motion.counter import MotionCounter as MotionCounter
    from gpuheat.motion.heatmap import MotionHeatmap as MotionHeatmap
    from gpuheat.pixels import FrameLayout as FrameLayout
    from gpuheat.zones import Zone as Zone
    from gpuheat.zones import Zones as Zones

__version__ = "0.4.0"

_HOMES = {
    "Backend": "gpuheat.backends",
    "BackendUnavailableError": "gpuheat.errors",
    "BinGrid": "gpuheat.grid",
    "Comparison": "gpuheat.jobs.comparison",
    "DeviceMemoryError": "gpuheat.errors",
    "FixationCounter": "gpuheat.fixation.counter",
    "FixationHeatmap": "gpuheat.fixation.heatmap",
    "FrameLayout": "gpuheat.pixels",
    "GpuheatError": "gpuheat.errors",
    "IncompleteError": "gpuheat.errors",
    "InputError": "gpuheat.errors",
    "MotionCounter": "gpuheat.motion.counter",
    "MotionHeatmap": "gpuheat.motion.heatmap",
    "OptionError": "gpuheat.errors",
    "Zone": "gpuheat.zones",
    "Zones": "gpuheat.zones",
    "available_backends": "gpuheat.backends",
    "compare": "gpuheat.jobs.compare",
    "fixation_heatmap": "gpuheat.jobs.fixation",
    "get_backend": "gpuheat.backends",
    "motion_heatmap": "gpuheat.jobs.motion",
    "overlay_video": "gpuheat.jobs.overlay_video",
    "register_backend": "gpuheat.backends",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: Any = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
