"""Images of every kind, written with Pillow and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from gpuheat.errors import InputError
from gpuheat.inputs.image import read_image, read_mask

RGB = np.random.default_rng(3).integers(0, 256, (5, 8, 3), np.uint8)


def on_white(rgba: np.ndarray) -> np.ndarray:
    """BGR, in exact arithmetic."""
    alpha = rgba[..., 3:].astype(float) / 255
    return (rgba[..., :3] * alpha + 255 * (1 - alpha))[..., ::-1]


@pytest.mark.parametrize("name", ["rgb.png", "rgb.bmp", "rgb.tiff", "画像 ü.png"])
def test_colours_come_as_bgr(tmp_path: Path, name: str) -> None:
    Image.fromarray(RGB).save(tmp_path / name)
    np.testing.assert_array_equal(read_image(tmp_path / name), RGB[..., ::-1])


def test_grey_and_one_bit_become_bgr(tmp_path: Path) -> None:
    Image.fromarray(RGB[..., 0]).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), RGB[..., [0, 0, 0]])
    Image.fromarray(RGB[..., 0] > 127).save(tmp_path / "bit.png")
    np.testing.assert_array_equal(read_image(str(tmp_path / "bit.png")), np.where(RGB[..., [0, 0, 0]] > 127, 255, 0))


def test_of_16_bits_the_upper_8_are_kept(tmp_path: Path) -> None:
    Image.fromarray(RGB[..., 0].astype(np.uint16) * 256 + 77).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png"), RGB[..., [0, 0, 0]])


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    image = Image.fromarray(RGB).quantize(7)
    image.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_image(tmp_path / "palette.png"), np.asarray(image.convert("RGB"))[..., ::-1])


@pytest.mark.parametrize("name", ["rgba.png", "rgba.tiff"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_transparency_is_laid_on_white(tmp_path: Path, name: str, orientation: int) -> None:
    rgba = np.dstack([RGB, np.linspace(0, 255, 40).astype(np.uint8).reshape(5, 8)])
    image = Image.fromarray(rgba)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / name, exif=exif)
    upright = np.rot90(rgba, -1) if orientation == 6 else rgba
    np.testing.assert_allclose(read_image(tmp_path / name), on_white(upright), atol=1)


def test_a_transparent_palette_colour_is_white(tmp_path: Path) -> None:
    image = Image.new("P", (3, 2), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((0, 0), 0)
    image.save(tmp_path / "palette.png", transparency=0)
    picture = read_image(tmp_path / "palette.png")
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert picture[1, 1].tolist() == [60, 50, 40]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_upright(tmp_path: Path, orientation: int) -> None:
    blocks = np.kron(RGB[:3, :4], np.ones((16, 16, 1), np.uint8))  # large blocks survive JPEG
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(blocks).save(tmp_path / "photo.jpg", exif=exif, quality=95, subsampling=0)
    with Image.open(tmp_path / "photo.jpg") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))[..., ::-1]
    picture = read_image(tmp_path / "photo.jpg")
    assert picture.shape == ((48, 64, 3) if orientation < 5 else (64, 48, 3))
    np.testing.assert_allclose(picture, expected, atol=3)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_mask_is_true_where_any_colour_is_not_zero(tmp_path: Path, depth: type[np.generic]) -> None:
    grey = np.array([[0, 1, 0], [255, 0, 2]], depth)
    Image.fromarray(grey).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), grey != 0)


def test_transparency_does_not_matter_to_a_mask(tmp_path: Path) -> None:
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0] = (0, 0, 9, 0)
    rgba[1, 1, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), [[True, False], [False, False]])


@pytest.mark.parametrize("read", [read_image, read_mask])
def test_errors_name_the_file_and_the_cause_and_print_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], read: object
) -> None:
    assert callable(read)
    Image.fromarray(RGB).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:60])
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "empty.png").write_bytes(b"")
    causes = {
        "missing.png": "No such file",
        "": "Is a directory",
        "cut.png": "damaged",
        "text.png": "not in a format",
        "empty.png": "empty",
    }
    for name, cause in causes.items():
        with pytest.raises(InputError, match=cause) as caught:
            read(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
    assert capfd.readouterr() == ("", "")
