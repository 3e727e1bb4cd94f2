"""Makes small pictures of large ones, and refuses what only looks like a picture, or would not fit into memory."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageOps

from techtrack.core.errors import Invalid

SIDE = 480
THUMBNAIL_TYPE = "image/webp"
# A few hundred kilobytes may unfold to gigabytes, four bytes a pixel. Telephones make 12 to 50 megapixels.
MOST_PIXELS = 50_000_000
_READERS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP"}
# One at a time in a process: that is what bounds the memory.
_turn = threading.Lock()


class UnreadableImage(Invalid):
    """The file begins like a picture and is none, or is cut short."""

    code = "unreadable_image"


class TooManyPixels(Invalid):
    """The picture is larger than is kept."""

    code = "too_many_pixels"


@dataclass(frozen=True, slots=True)
class Picture:
    """The size of a picture as it is seen, and a small one of it (WebP), which says nothing of where it was taken."""

    width: int
    height: int
    thumbnail: bytes


def read(content: bytes, *, media_type: str, pointer: str = "/file") -> Picture:
    """Decode a picture of one type; of several frames it is the first.

    Raises:
        UnreadableImage, TooManyPixels: see there.
    """
    with _turn:
        try:
            return _read(content, _READERS[media_type])
        except TooManyPixels as error:
            raise TooManyPixels(error.detail, pointer=pointer) from None
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise TooManyPixels(_TOO_MANY, pointer=pointer) from None
        # Its bytes are a stranger's: the library raises whatever it meets in them.
        except Exception as error:
            raise UnreadableImage("this picture cannot be read: it is broken, or cut short", pointer=pointer) from error


_TOO_MANY = f"a picture has {MOST_PIXELS // 1_000_000} million pixels at most"


def _read(content: bytes, reader: str) -> Picture:
    with Image.open(BytesIO(content), formats=[reader]) as image:
        # The head alone is read so far.
        if image.width * image.height > MOST_PIXELS:
            raise TooManyPixels(_TOO_MANY)
        width, height = image.size
        # The next two before anything is unfolded: a JPEG is then read at an eighth of its size, or so.
        image.draft(None, (SIDE, SIDE))
        small = image if image.mode in {"RGB", "RGBA", "L"} else image.convert("RGBA")
        small.thumbnail((SIDE, SIDE))
        turned = ImageOps.exif_transpose(small)
        if _lies(image):
            width, height = height, width
        written = BytesIO()
        turned.save(written, "WEBP", quality=80, exif=b"", icc_profile=None)
    return Picture(width, height, written.getvalue())


# EXIF 2.32, 4.6.4: orientations from 5 on swap rows and columns.
_ORIENTATION, _SIDEWAYS = 0x0112, 5


def _lies(image: Image.Image) -> bool:
    """Tell whether a camera was held sideways."""
    return int(image.getexif().get(_ORIENTATION, 1)) >= _SIDEWAYS
