"""What changed from one result to another.

Both are put into numbers that do not depend on how long was looked: for motion the share of the counted pairs of frames
in which the pixel moved, for fixations the share of all fixation time (or of all fixations, or gaze samples) that lies
in the bin. What was measured otherwise is refused by name.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gpuheat.backends import Backend, get_backend
from gpuheat.errors import InputError
from gpuheat.fixation.conversion import bin_centres
from gpuheat.fixation.heatmap import FixationHeatmap
from gpuheat.jobs.comparison import Comparison, Side
from gpuheat.jobs.results import read_result
from gpuheat.motion.conversion import pixel_centres
from gpuheat.motion.heatmap import MotionHeatmap
from gpuheat.motion.words import watched

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["compare"]

Heatmap = MotionHeatmap | FixationHeatmap

MOTION_ALIKE: Final = {
    "threshold": 25,
    "pixels": "bgr",
    "downscale": 1,
    "mask_sha256": None,
    "zones_mask": None,
    "blur": 0.0,
}
"""The settings of motion that have to agree, and what they are where nothing is said."""
FIXATIONS_ALIKE: Final = {"scale": 3.0, "equal_recordings": False, "zones_mask": None}
APART: Final = 1.05
"""Pairs of frames whose distances in time differ by more than this factor show motion differently."""
WHOLE: Final = {"duration": "fixation time", "count": "fixations", "gaze": "gaze samples"}


def compare(
    a: str | os.PathLike[str] | Heatmap,
    b: str | os.PathLike[str] | Heatmap,
    *,
    names: tuple[str, str] | None = None,
    backend: str | Backend = "auto",
) -> Comparison:
    """What changed from one heat map to another: before and after, or two groups.

    Parameters
    ----------
    a, b
        Heat maps of one kind, or the folders they were saved in.
    names
        What the two are called; None: as their folders, or as what they are of.
    backend
        Computes the blur, where there is one; see :func:`gpuheat.get_backend`.

    Returns
    -------
    comparison
        ``comparison.difference`` is b minus a, in percentage points: exactly zero for equal maps, and exactly the
        negative when the two change places.

    Raises
    ------
    InputError
        If the two cannot be compared: different kinds, sizes or settings, or nothing in one of them to take a share of;
        if a folder holds no result, or a damaged one.
    BackendUnavailableError
        If the backend cannot run here.

    Examples
    --------
    >>> from gpuheat import motion_heatmap
    >>> before = np.zeros((5, 4, 6), np.uint8)
    >>> after = before.copy()
    >>> after[1::2, 2, 3] = 255  # one pixel blinks, and moves in every pair
    >>> float(compare(motion_heatmap(before), motion_heatmap(after)).difference[2, 3])
    100.0
    """
    chosen = get_backend(backend)
    one, other = (_heatmap(source, chosen) for source in (a, b))
    called = _names((a, b), (one, other)) if names is None else names
    warnings = [
        f"{name}: {warning}"
        for name, heatmap in zip(called, (one, other), strict=True)
        for warning in heatmap.facts.get("warnings", ())
        if warning.startswith("incomplete")
    ]
    if isinstance(one, MotionHeatmap) and isinstance(other, MotionHeatmap):
        warnings += _check_motion(one, other, called)
        sides = [_motion_side(name, heatmap, chosen) for name, heatmap in zip(called, (one, other), strict=True)]
        kind, unit = "motion", "of the frames in motion"
        if one.settings["blur"]:
            unit += f", blurred with sigma {one.settings['blur']:g} px"
    elif isinstance(one, FixationHeatmap) and isinstance(other, FixationHeatmap):
        warnings += _check_fixations(one, other, called)
        sides = [_fixation_side(name, heatmap, chosen) for name, heatmap in zip(called, (one, other), strict=True)]
        kind, unit = WHOLE[one.unit], _fixation_unit(one)
    else:
        kinds = ["fixations" if isinstance(heatmap, FixationHeatmap) else "motion" for heatmap in (one, other)]
        raise InputError(
            f"only results of one kind can be compared: {called[0]} is of {kinds[0]}, {called[1]} of {kinds[1]}"
        )
    if sides[0].background is None and sides[1].background is None:
        warnings.append("neither result has a background: the difference is drawn on plain grey")
    shown = other if one.background is None else one
    return Comparison.between(
        *sides,
        kind=kind,
        unit=unit,
        extent=shown.describe().extent,
        centres=pixel_centres(shown) if isinstance(shown, MotionHeatmap) else bin_centres(shown),
        usual_of_sides=one.style(),
        backend=chosen.name,
        warnings=tuple(warnings),
    )


def _heatmap(source: Any, backend: Backend) -> Heatmap:
    if isinstance(source, MotionHeatmap | FixationHeatmap):
        return source
    if isinstance(source, str | os.PathLike):
        return read_result(source, backend)
    raise InputError(f"compare takes heat maps or the folders they were saved in, got {type(source).__name__}")


def _names(sources: tuple[Any, Any], heatmaps: tuple[Heatmap, Heatmap]) -> tuple[str, str]:
    """Short names for the two that tell them apart."""
    paths = [Path(source).absolute() if isinstance(source, str | os.PathLike) else None for source in sources]
    short = [
        heatmap.describe().title if path is None else path.name for path, heatmap in zip(paths, heatmaps, strict=True)
    ]
    if short[0] == short[1] and None not in paths and paths[0] != paths[1]:
        short = [os.fspath(source) for source in sources]
    if short[0] == short[1]:
        short = [f"{short[0]} (A)", f"{short[1]} (B)"]
    return short[0], short[1]


def _check_motion(one: MotionHeatmap, other: MotionHeatmap, names: tuple[str, str]) -> list[str]:
    """Refuse maps that measure different things; what may blur the comparison."""
    if one.counts.shape != other.counts.shape:
        sizes = tuple(f"{heatmap.counts.shape[1]} x {heatmap.counts.shape[0]} px" for heatmap in (one, other))
        raise _refusal(
            "the size of the counts", sizes, names, "they are of different pictures, or scaled down differently"
        )
    _check_alike(one.settings, other.settings, MOTION_ALIKE, names)
    for name, heatmap in zip(names, (one, other), strict=True):
        if not heatmap.counted.any():
            raise InputError(f"{name} has no counted pair of frames: there is no share to compare")
    warnings = []
    apart = [_seconds_between_frames(heatmap) for heatmap in (one, other)]
    known = all(apart)
    alike = known and max(apart) <= APART * min(apart)
    for setting, usual in (("every", 1), ("keyframes", False)):
        values = tuple(heatmap.settings.get(setting, usual) for heatmap in (one, other))
        if values[0] != values[1] and not alike:
            raise _refusal(setting, values, names)
    if known and not alike:
        warnings.append(
            f"frames are {apart[0]:.3g} s apart in {names[0]} and {apart[1]:.3g} s in {names[1]}: "
            "what moves slowly shows more in those further apart"
        )
    limits = [heatmap.settings["max_changed"] for heatmap in (one, other)]
    if limits[0] != limits[1]:
        warnings.append(f"max_changed is {limits[0]:g} in {names[0]} and {limits[1]:g} in {names[1]}")
    if one.decayed is not None or other.decayed is not None:
        warnings.append("the half-life is not compared: all motion weighs the same here")
    return warnings


def _check_fixations(one: FixationHeatmap, other: FixationHeatmap, names: tuple[str, str]) -> list[str]:
    """Refuse maps that measure different things; what may blur the comparison."""
    for what, values in (
        ("the size of the image", tuple(f"{m.grid.width:g} x {m.grid.height:g} px" for m in (one, other))),
        ("the number of bins", tuple(f"{m.grid.nx} x {m.grid.ny}" for m in (one, other))),
        ("what is added up", tuple(WHOLE[m.unit] for m in (one, other))),
    ):
        if values[0] != values[1]:
            raise _refusal(what, values, names)
    _check_alike(one.settings, other.settings, FIXATIONS_ALIKE, names)
    for name, heatmap in zip(names, (one, other), strict=True):
        if heatmap.total == 0:
            raise InputError(f"{name} holds no {WHOLE[heatmap.unit]}: there is no share to compare")
    return [
        f"{setting} is {one.settings.get(setting)} in {names[0]} and {other.settings.get(setting)} in {names[1]}"
        for setting in ("min_confidence", "unfixated_gaze")
        if one.settings.get(setting) != other.settings.get(setting)
    ]


def _check_alike(
    one: Mapping[str, Any], other: Mapping[str, Any], usual: Mapping[str, Any], names: tuple[str, str]
) -> None:
    for setting, value in usual.items():
        values = one.get(setting, value), other.get(setting, value)
        if values[0] != values[1]:
            raise _refusal(setting, values, names)


def _refusal(
    what: str, values: tuple[Any, ...], names: tuple[str, str], then: str = "run one of them again as the other"
) -> InputError:
    return InputError(
        f"only results of one measure can be compared: {what} is {values[0]} in {names[0]} and "
        f"{values[1]} in {names[1]}; {then}"
    )


def _seconds_between_frames(heatmap: MotionHeatmap) -> float:
    """The usual distance of two compared frames, s; 0 where that is not known."""
    if heatmap.times is None or len(heatmap.times) < 2:
        return 0.0
    return float(np.median(np.diff(np.sort(heatmap.times))))


def _motion_side(name: str, heatmap: MotionHeatmap, backend: Backend) -> Side:
    pairs = int(np.count_nonzero(heatmap.counted))
    share = (100.0 * heatmap.counts / pairs).astype(np.float32)  # of whole numbers, so that equal shares are equal
    at_a_time = 100 * float(heatmap.activity[heatmap.counted].mean())
    return Side(
        name=name,
        share=_blurred(share, heatmap.settings["blur"], backend),
        background=heatmap.background,
        amount=f"{pairs:,} frame pairs, {at_a_time:.3g} % of the {watched(heatmap)} in motion at a time",
        facts={"pairs_counted": pairs, "in_motion_at_a_time_percent": at_a_time, **_origin(heatmap)},
    )


def _fixation_side(name: str, heatmap: FixationHeatmap, backend: Backend) -> Side:
    values = heatmap.histogram if heatmap.balanced is None else heatmap.balanced
    seconds = {"duration_s": heatmap.total / 1e6} if heatmap.unit == "duration" else {}
    share = (100.0 * values / values.sum(dtype=np.float64)).astype(np.float32)
    return Side(
        name=name,
        share=_blurred(share, 0.01 * heatmap.settings["scale"] * max(heatmap.grid.shape), backend),
        background=heatmap.background,
        amount=heatmap.amount,
        facts={"points": heatmap.points, **seconds, "recordings": heatmap.recordings, **_origin(heatmap)},
    )


def _fixation_unit(heatmap: FixationHeatmap) -> str:
    whole = "a recording, on average," if heatmap.balanced is not None else f"all {WHOLE[heatmap.unit]}"
    width, height = heatmap.grid.width / heatmap.grid.nx, heatmap.grid.height / heatmap.grid.ny
    return f"of {whole} per bin of {width:.3g} x {height:.3g} px{', blurred' if heatmap.settings['scale'] else ''}"


def _origin(heatmap: Heatmap) -> dict[str, Any]:
    """What it was made of and how, for the summary."""
    known = {name: heatmap.facts[name] for name in ("gpuheat", "input", "inputs") if name in heatmap.facts}
    return known | {"settings": heatmap.settings}


def _blurred(share: NDArray[np.float32], sigma: float, backend: Backend) -> NDArray[np.float32]:
    if sigma == 0:
        return share
    return np.asarray(backend.to_host(backend.gaussian_blur(backend.asarray(share), sigma)), np.float32)
