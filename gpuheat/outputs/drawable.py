"""What both kinds of heat map do with their pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    import os

    import numpy as np
    from numpy.typing import NDArray

    from gpuheat.outputs.files import OutputFolder
    from gpuheat.outputs.style import PictureStyle

__all__ = ["Drawable"]


class Drawable(ABC):
    """A heat map that knows how to draw itself.

    Attributes
    ----------
    heat
        (h, w) float32 in [0, 1].
    background
        (H, W, 3) uint8 BGR, or None. Pictures have its size.
    usual_colormap, usual_alpha
        How its kind of heat map is drawn unless asked otherwise.
    """

    heat: NDArray[np.float32]
    background: NDArray[np.uint8] | None
    usual_colormap: ClassVar[str]
    usual_alpha: ClassVar[float | Literal["value"]]

    @classmethod
    def style(
        cls, colormap: str | None = None, tone: str = "linear", alpha: float | Literal["value"] | None = None
    ) -> PictureStyle:
        """A style, with what is usual for this kind of heat map where nothing is given."""
        from gpuheat.outputs.style import PictureStyle

        return PictureStyle(
            cls.usual_colormap if colormap is None else colormap, tone, cls.usual_alpha if alpha is None else alpha
        )

    def render(
        self, colormap: str | None = None, tone: str = "linear", alpha: float | Literal["value"] | None = None
    ) -> NDArray[np.uint8]:
        """The heat over the background, (H, W, 3) uint8 BGR; the heat alone where there is no background.

        Parameters
        ----------
        colormap
            Name of an OpenCV or matplotlib colour map; None is jet for motion, turbo for fixations.
        tone
            ``"linear"``, ``"sqrt"``, ``"log"`` or ``"percentile:P"``, the value that maps to 100 %.
        alpha
            Opacity of the heat, or ``"value"``: transparent where nothing was. None is 0.4 for motion,
            ``"value"`` for fixations.

        Raises
        ------
        OptionError
            If one of them is not among what it may be.
        """
        from gpuheat.outputs.picture import colorize, overlay

        style = self.style(colormap, tone, alpha)
        return colorize(self.heat, style) if self.background is None else overlay(self.heat, self.background, style)

    def save(self, folder: str | os.PathLike[str], style: PictureStyle | None = None) -> None:
        """Write the result's files, all or none; see :meth:`write`.

        Parameters
        ----------
        folder
            Made where it is missing. Files of the same names are replaced.
        style
            How the pictures are drawn; as is usual for this kind of heat map unless given.
        """
        from gpuheat.outputs.files import OutputFolder

        with OutputFolder(folder) as out:
            self.write(out, style or self.style())

    @abstractmethod
    def write(self, out: OutputFolder, style: PictureStyle) -> None:
        """Write the result's files into a folder that is open for writing."""

    def _repr_png_(self) -> bytes:
        """The overlay, for notebooks."""
        from gpuheat.outputs.picture import encode_png

        return encode_png(self.render())
