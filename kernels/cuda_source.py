"""The CUDA C of this folder, and the options that make one specialisation of it.

Each file holds one operation and is compiled once for every way it is used: the macros below decide what is
in the kernel, and KERNEL is its name, which tells them. Constants that Python knows too come from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from typing import Final, Literal

from gpuheat.kernels import geometry, grey

__all__ = ["OPTIONS", "Kernel", "blur", "every", "histogram", "motion", "picture_sums"]

OPTIONS: Final = ("-std=c++17",)
"""For the compiler, beside the macros."""

PixelFormat = Literal["gray8", "bgr24", "yuv420p", "nv12"]
Number = Literal["float", "double"]


@dataclass(frozen=True)
class Kernel:
    """One specialisation: the file, the kernel's name, and the macros it is compiled with."""

    file: str
    name: str
    macros: tuple[tuple[str, str | int], ...]

    @property
    def source(self) -> str:
        """The text of the file."""
        return files("gpuheat.kernels").joinpath(self.file).read_text()

    @property
    def options(self) -> tuple[str, ...]:
        """What the compiler is given beside the source."""
        return (*OPTIONS, f"-DKERNEL={self.name}", *(f"-D{name}={value}" for name, value in self.macros))


def motion(pixel_format: PixelFormat, alignment: int, *, decayed: bool) -> Kernel:
    """Compare frames; ``alignment`` is the width of a load in bytes (geometry.alignment)."""
    macros = (
        (f"FORMAT_{pixel_format.upper()}", 1),
        ("ALIGNMENT", alignment),
        ("DECAYED", int(decayed)),
        ("PIXELS", geometry.MOTION_PIXELS),
        ("THREADS", geometry.MOTION_THREADS),
        ("PAIRS", geometry.MOTION_PAIRS),
        ("BLOCKS", geometry.motion_blocks(pixel_format, alignment)),
        ("AHEAD", geometry.motion_ahead(pixel_format, alignment)),
        ("BLUE", grey.BLUE),
        ("GREEN", grey.GREEN),
        ("RED", grey.RED),
    )
    return Kernel("motion.cu", f"motion_{pixel_format}_align{alignment}{'_decayed' if decayed else ''}", macros)


def histogram(coordinates: Number, products: Number, alignment: int, *, weighted: bool, shared: bool) -> Kernel:
    """Add points to bins, private ones in shared memory or those in global memory.

    ``coordinates`` is the type of x and y, ``products`` that in which they are turned into bins.
    """
    macros = (
        ("COORDINATE", coordinates),
        ("PRODUCT_IS_DOUBLE", int(products == "double")),
        ("ALIGNMENT", alignment),
        ("WEIGHTED", int(weighted)),
        ("PRIVATE_BINS", int(shared)),
        ("POINTS", geometry.POINTS_AT_ONCE),
        ("HOT", geometry.HISTOGRAM_HOT),
    )
    name = f"histogram_{coordinates}_in_{products}_align{alignment}"
    return Kernel(
        "histogram.cu", name + ("_weighted" if weighted else "") + ("_shared" if shared else "_global"), macros
    )


def blur(along: Literal["rows", "columns", "both"]) -> Kernel:
    """One pass of the separable blur, or both at once."""
    tile = {
        "rows": geometry.BLUR_ROWS_TILE,
        "columns": geometry.BLUR_COLUMNS_TILE,
        "both": geometry.BLUR_BOTH_TILE,
    }[along]
    macros = (
        (f"ALONG_{along.upper()}", 1),
        ("THREADS_X", geometry.BLUR_THREADS[0]),
        ("THREADS_Y", geometry.BLUR_THREADS[1]),
        ("TILE_X", tile[0]),
        ("TILE_Y", tile[1]),
        ("ACROSS", geometry.BLUR_ACROSS),
        ("DOWN", geometry.BLUR_DOWN),
        ("TAPS", geometry.BLUR_TAPS),
    )
    return Kernel("blur.cu", f"blur_along_{along}", macros)


def picture_sums() -> Kernel:
    """Add up the bytes of planes."""
    return Kernel("picture_sums.cu", "picture_sums", (("THREADS", geometry.PICTURE_SUMS_THREADS),))


def every() -> list[Kernel]:
    """All specialisations there are."""
    formats: tuple[PixelFormat, ...] = ("gray8", "bgr24", "yuv420p", "nv12")
    numbers: tuple[tuple[Number, Number], ...] = (("float", "float"), ("float", "double"), ("double", "double"))
    return [
        *(motion(name, width, decayed=decayed) for name, width, decayed in product(formats, (16, 4, 1), (False, True))),
        *(
            histogram(coordinates, products, width, weighted=weighted, shared=shared)
            for (coordinates, products), width, weighted, shared in product(
                numbers, (16, 1), (False, True), (False, True)
            )
            if coordinates == products or not shared  # so many bins as need it do not fit into shared memory
        ),
        blur("rows"),
        blur("columns"),
        blur("both"),
        picture_sums(),
    ]
