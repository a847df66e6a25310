"""What both kinds of heat map do with their pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    import os

    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from gpuheat.outputs.description import Description
    from gpuheat.outputs.files import OutputFolder
    from gpuheat.outputs.style import PictureStyle

__all__ = ["Drawable"]


class Drawable(ABC):
    """A heat map that knows how to draw itself.

    Attributes
    ----------
    heat
        (h, w) float32 in [0, 1], or in [-1, 1] where it is signed.
    background
        (H, W, 3) uint8 BGR, or None. Pictures have its size.
    usual_colormap, usual_tone, usual_alpha
        How its kind of heat map is drawn unless asked otherwise.
    signed
        Whether 0 is the middle of the colour map.
    """

    if TYPE_CHECKING:  # no property of this class, which would be a field's default in the dataclasses

        @property
        def heat(self) -> NDArray[np.float32]: ...

    background: NDArray[np.uint8] | None
    usual_colormap: ClassVar[str]
    usual_tone: ClassVar[str] = "linear"
    usual_alpha: ClassVar[float | Literal["value"]]
    signed: ClassVar[bool] = False

    @property
    def backdrop(self) -> NDArray[np.uint8] | None:
        """The background as it lies under the heat."""
        return self.background

    @classmethod
    def style(
        cls, colormap: str | None = None, tone: str | None = None, alpha: float | Literal["value"] | None = None
    ) -> PictureStyle:
        """A style, with what is usual for this kind of heat map where nothing is given."""
        from gpuheat.outputs.style import PictureStyle

        return PictureStyle(
            cls.usual_colormap if colormap is None else colormap,
            cls.usual_tone if tone is None else tone,
            cls.usual_alpha if alpha is None else alpha,
        )

    def render(
        self, colormap: str | None = None, tone: str | None = None, alpha: float | Literal["value"] | None = None
    ) -> NDArray[np.uint8]:
        """The heat over the background, (H, W, 3) uint8 BGR; the heat alone where there is no background.

        Parameters
        ----------
        colormap
            Name of an OpenCV or matplotlib colour map; None is jet for motion, turbo for fixations, coolwarm for a
            comparison.
        tone
            ``"linear"``, ``"sqrt"``, ``"log"`` or ``"percentile:P"``, the value that maps to 100 %. None is linear,
            for a comparison percentile:99.
        alpha
            Opacity of the heat, or ``"value"``: transparent where nothing was. None is 0.4 for motion, else
            ``"value"``.

        Raises
        ------
        OptionError
            If one of them is not among what it may be.
        """
        from gpuheat.outputs.picture import colorize, overlay

        style, backdrop = self.style(colormap, tone, alpha), self.backdrop
        if backdrop is None:
            return colorize(self.heat, style, signed=self.signed)
        return overlay(self.heat, backdrop, style, signed=self.signed)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        colormap: str | None = None,
        tone: str | None = None,
        alpha: float | Literal["value"] | None = None,
        colorbar: bool = True,
        **picture: Any,
    ) -> Axes:
        """Draw the heat over the background with matplotlib, with a colour bar in the heat map's unit.

        Parameters
        ----------
        ax
            Where it is drawn; None is a new figure of pyplot, which is used for nothing else.
        colormap, tone, alpha
            As for :meth:`render`.
        colorbar
            Whether there is one.
        picture
            For :meth:`matplotlib.axes.Axes.imshow`, such as ``cmap``, ``norm``, ``vmax`` or ``interpolation``.

        Returns
        -------
        ax
            The axes, in px of the picture. The last of their images holds the heat in the unit of the colour bar.

        Raises
        ------
        OptionError
            If colormap, tone or alpha is not among what it may be.
        """
        from gpuheat.outputs.plot import new_axes, plot_heat

        style = self.style(colormap, tone, alpha)
        axes = new_axes(8, 5) if ax is None else ax
        description = self.describe()
        plot_heat(axes, self.heat, self.backdrop, style, description, signed=self.signed, colorbar=colorbar, **picture)
        return axes

    def save(self, folder: str | os.PathLike[str], style: PictureStyle | None = None, *, report: bool = True) -> None:
        """Write the result's files, all or none; see :meth:`write`.

        Parameters
        ----------
        folder
            Made where it is missing. Files of the same names are replaced.
        style
            How the pictures are drawn; as is usual for this kind of heat map unless given.
        report
            Whether ``report.html`` is among them.
        """
        from gpuheat.outputs.files import OutputFolder

        with OutputFolder(folder) as out:
            chosen = style or self.style()
            if report:
                self.write_report(out, chosen)
            self.write(out, chosen)

    @abstractmethod
    def write(self, out: OutputFolder, style: PictureStyle) -> None:
        """Write the result's files into a folder that is open for writing."""

    def write_report(self, out: OutputFolder, style: PictureStyle) -> None:  # noqa: B027  not every kind has one
        """Write ``report.html``, where this kind of result has one."""

    @abstractmethod
    def describe(self) -> Description:
        """What stands beside its pictures."""

    def _repr_png_(self) -> bytes:
        """The overlay, for notebooks, which keep it: a large one is made smaller."""
        from gpuheat.outputs.card import PREVIEW
        from gpuheat.outputs.picture import encode_png, shrunk

        return encode_png(shrunk(self.render(), PREVIEW))

    def _repr_html_(self) -> str:
        """The overlay and the numbers that matter, for notebooks."""
        from gpuheat.outputs.card import html_card
        from gpuheat.outputs.difference import signed_ticks
        from gpuheat.outputs.picture import resize_heat

        style, description, picture = self.style(), self.describe(), self.render()
        labels = ["0", f"{description.full:.3g}"]
        if self.signed:
            heat = resize_heat(self.heat, *picture.shape[:2], signed=True)
            ticks = signed_ticks(heat, style.tone, description.full)
            labels = [label for place, label in ticks if place in (0, 0.5, 1)]
        return html_card(description, picture, style.colormap, labels)
