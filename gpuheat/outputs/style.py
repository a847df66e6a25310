"""How a heat map is drawn, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpuheat.errors import OptionError
from gpuheat.outputs.colormap import lookup_table
from gpuheat.outputs.tone import check_tone

__all__ = ["PictureStyle"]


@dataclass(frozen=True)
class PictureStyle:
    """The colour map, the tone and the opacity of a heat map's pictures.

    Parameters
    ----------
    colormap
        Name of a colour map of OpenCV or matplotlib.
    tone
        ``"linear"``, ``"sqrt"``, ``"log"`` or ``"percentile:P"`` with 0 < P <= 100.
    alpha
        Opacity of the heat over the background: a number from 0 to 1 for every pixel alike, or ``"value"``
        for a heat that is clear where nothing was and grows denser with the value.

    Capitals in the names do not matter; they are kept in small letters.

    Raises
    ------
    OptionError
        If one of them is not among what it may be.

    Examples
    --------
    >>> PictureStyle("Turbo", alpha="value")
    PictureStyle(colormap='turbo', tone='linear', alpha='value')
    """

    colormap: str = "jet"
    tone: str = "linear"
    alpha: float | Literal["value"] = 0.4

    def __post_init__(self) -> None:
        lookup_table(self.colormap)
        object.__setattr__(self, "colormap", self.colormap.lower())
        object.__setattr__(self, "tone", check_tone(self.tone))
        object.__setattr__(self, "alpha", _checked_alpha(self.alpha))


def _checked_alpha(alpha: object) -> float | Literal["value"]:
    if isinstance(alpha, str) and alpha.lower() == "value":
        return "value"
    if isinstance(alpha, int | float) and 0.0 <= alpha <= 1.0:
        return float(alpha)
    raise OptionError(f'alpha must be a number from 0 to 1 or "value", got {alpha!r}')
