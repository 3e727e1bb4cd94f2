"""Small pictures: upright, small, silent about where they were taken; and no picture that is none."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from techtrack.tasks.files import pictures
from techtrack.tasks.files.pictures import TooManyPixels, UnreadableImage, read

NO_CAMERA = 0x010F
ORIENTATION = 0x0112


def made(form, size=(600, 400), mode="RGB", **more):
    content = BytesIO()
    Image.new(mode, size).save(content, form, **more)
    return content.getvalue()


def size_of(picture):
    with Image.open(BytesIO(picture.thumbnail)) as small:
        return small.format, small.size


def bomb(width, height):
    """A PNG of a few bytes that says that it is as large as this."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


class TestRead:
    @pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
    def test_makes_a_small_one_of(self, form):
        picture = read(made(form), media_type=f"image/{form.lower()}")
        assert (picture.width, picture.height) == (600, 400)
        assert size_of(picture) == ("WEBP", (480, 320))

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
    def test_takes_pictures_of_every_depth(self, mode):
        assert size_of(read(made("PNG", mode=mode), media_type="image/png")) == ("WEBP", (480, 320))

    def test_takes_pictures_for_printers(self):
        assert size_of(read(made("JPEG", mode="CMYK"), media_type="image/jpeg")) == ("WEBP", (480, 320))

    def test_leaves_what_is_small_as_small_as_it_is(self):
        assert size_of(read(made("PNG", (3, 2)), media_type="image/png")) == ("WEBP", (3, 2))

    def test_stands_a_picture_up_that_was_taken_sideways(self):
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        picture = read(made("JPEG", exif=exif), media_type="image/jpeg")
        assert (picture.width, picture.height) == (400, 600)
        assert size_of(picture) == ("WEBP", (320, 480))

    def test_says_nothing_of_the_camera(self):
        exif = Image.Exif()
        exif[NO_CAMERA] = "Camera of olga"
        content = made("JPEG", exif=exif)
        assert b"olga" in content
        assert b"olga" not in read(content, media_type="image/jpeg").thumbnail

    def test_takes_the_first_picture_of_a_film(self):
        frames = [Image.new("P", (20, 10), number) for number in range(1, 4)]
        film = made("GIF", (20, 10), "P", save_all=True, append_images=frames)
        assert read(film, media_type="image/gif").width == 20


class TestRefusal:
    @pytest.mark.parametrize(
        "size",
        [
            pytest.param((8_000, 8_000), id="more than is kept"),
            pytest.param((12_000, 9_000), id="more than the library likes"),
            pytest.param((60_000, 60_000), id="more than the library takes"),
        ],
    )
    def test_of_what_unfolds_to_gigabytes(self, size):
        with pytest.raises(TooManyPixels) as caught:
            read(bomb(*size), media_type="image/png")
        assert caught.value.faults[0].pointer == "/file"

    def test_before_anything_unfolds(self, monkeypatch):
        monkeypatch.setattr(pictures, "MOST_PIXELS", 100)
        monkeypatch.setattr(Image.Image, "thumbnail", lambda *_: pytest.fail("it was unfolded"))
        with pytest.raises(TooManyPixels):
            read(made("PNG"), media_type="image/png")

    @pytest.mark.parametrize(
        ("content", "kind"),
        [
            pytest.param(made("PNG")[:60], "image/png", id="cut short"),
            pytest.param(made("JPEG")[:400], "image/jpeg", id="a photograph cut short"),
            pytest.param(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png", id="a beginning alone"),
            pytest.param(b"GIF89a", "image/gif", id="a name alone"),
            pytest.param(b"RIFF\0\0\0\0WEBPVP8 ", "image/webp", id="a head alone"),
            pytest.param(made("PNG"), "image/jpeg", id="of another type than it says"),
        ],
    )
    def test_of_what_is_no_picture(self, content, kind):
        with pytest.raises(UnreadableImage) as caught:
            read(content, media_type=kind)
        assert caught.value.faults[0].pointer == "/file"
