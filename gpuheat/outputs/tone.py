"""Tone: which place on the colour map a share of the maximum gets.

============  ==============================================  ==============================================
tone          colour of a share v of the maximum              what for
============  ==============================================  ==============================================
linear        v                                               the heat map as it was measured
sqrt          sqrt(v)                                         lifts the middle
log           log(1 + 100 v) / log(101)                       lifts the faintest: 1 % gets 15 % of the colours
percentile:P  min(1, v / the P-th percentile of what is > 0)  one hot spot no longer hides the rest
============  ==============================================  ==============================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpuheat.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ToneCurve", "check_tone", "tone_curve"]

LOG_GAIN = np.float32(100.0)
"""How steeply ``log`` starts: below a hundredth of the maximum it is nearly straight, above it bends."""
LOG_TOP = np.log1p(LOG_GAIN)


@dataclass(frozen=True)
class ToneCurve:
    """A tone fitted to one heat map.

    Attributes
    ----------
    kind
        ``linear``, ``sqrt``, ``log`` or ``percentile``.
    saturation
        The smallest share of the maximum, in (0, 1], that gets the hottest colour; 1 except for ``percentile``.
    """

    kind: str
    saturation: float = 1.0

    def __call__(self, share: NDArray[np.float32]) -> NDArray[np.float32]:
        """The places in [0, 1] on the colour map of shares of the maximum in [0, 1], float32 both."""
        toned: NDArray[np.float32] = share
        if self.kind == "sqrt":
            toned = np.sqrt(share)
        elif self.kind == "log":
            toned = np.log1p(share * LOG_GAIN) / LOG_TOP
            toned = np.minimum(toned, np.float32(1.0))  # rounding may exceed 1
        elif self.kind == "percentile":
            saturation = np.float32(self.saturation)
            toned = np.minimum(share, saturation)
            toned = toned / saturation
        return toned

    def inverse(self, place: NDArray[np.float32]) -> NDArray[np.float32]:
        """The smallest shares of the maximum that have these places on the colour map."""
        share: NDArray[np.float32] = place * np.float32(self.saturation)
        if self.kind == "sqrt":
            share = np.square(place)
        elif self.kind == "log":
            share = np.expm1(place * LOG_TOP) / LOG_GAIN
        return share


def check_tone(tone: str) -> str:
    """The tone in its one spelling; `OptionError` if there is none of that name."""
    kind, percentile = _parse(tone)
    return kind if percentile is None else f"{kind}:{percentile:.12g}"


def tone_curve(tone: str, heat: NDArray[np.float32]) -> ToneCurve:
    """The curve of a tone for a heat map.

    Only ``percentile`` looks at the heat map. A map without any value above zero has no percentile; its
    curve is then that of ``linear``, and the map stays zero.

    Parameters
    ----------
    tone
        ``"linear"``, ``"sqrt"``, ``"log"`` or ``"percentile:P"`` with 0 < P <= 100.
    heat
        float32 in [0, 1], any shape.

    Raises
    ------
    OptionError
        If there is no such tone.

    Examples
    --------
    >>> heat = np.array([0, 0.25, 1], np.float32)
    >>> tone_curve("sqrt", heat)(heat).tolist()
    [0.0, 0.5, 1.0]
    """
    kind, percentile = _parse(tone)
    if percentile is None:
        return ToneCurve(kind)
    positive = heat[heat > 0]  # a copy, which may be put in another order
    return ToneCurve(kind, float(np.percentile(positive, percentile, overwrite_input=True)) if positive.size else 1.0)


def _parse(tone: str) -> tuple[str, float | None]:
    kind, colon, number = tone.lower().partition(":")
    if kind in ("linear", "sqrt", "log") and not colon:
        return kind, None
    if kind == "percentile":
        try:
            percentile = float(number)
        except ValueError:
            percentile = 0.0
        if 0.0 < percentile <= 100.0:
            return kind, percentile
        raise OptionError(f"tone percentile:P needs a number P above 0 and up to 100, got {tone!r}; try percentile:99")
    raise OptionError(f"tone must be linear, sqrt, log or percentile:P (such as percentile:99), got {tone!r}")
