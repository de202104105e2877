"""Turns what people upload into pictures that are safe, small and upright (STACK R10)."""

import io
import warnings
from dataclasses import dataclass
from threading import BoundedSemaphore

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from domain.pictures import (
    FORMATS,
    MAX_PIXELS,
    MIME_TYPES,
    WIDTHS,
    NotAPicture,
    TooLarge,
    check_bytes,
    widths_of,
)

Image.MAX_IMAGE_PIXELS = MAX_PIXELS

_ONE_AT_A_TIME = BoundedSemaphore(1)
"""One picture of 40 million pixels takes 160 MB while it is read: never two in a process."""
_PATIENCE = 60
_MOST_HIGH = 2400
_SAVING = {
    "image/avif": ("AVIF", {"quality": 55, "speed": 8}),
    "image/webp": ("WEBP", {"quality": 78, "method": 3}),
    "image/jpeg": ("JPEG", {"quality": 80, "optimize": True, "progressive": True}),
}


@dataclass(frozen=True, slots=True)
class Made:
    """A picture made anew: its format before, its size, and its files by width and type."""

    mime_type: str
    width: int
    height: int
    files: tuple[tuple[int, str, bytes], ...]


def make_picture(content: bytes) -> Made:
    """Check, turn, shrink and encode a picture anew; nothing of the old file is kept.

    Raises TooLarge, NotAPicture. Called with no transaction open: it takes a second or two.
    """
    check_bytes(len(content))
    if not _ONE_AT_A_TIME.acquire(timeout=_PATIENCE):
        raise NotAPicture("Other pictures are being made just now. Try again in a minute.")
    try:
        return _make(content)
    finally:
        _ONE_AT_A_TIME.release()


def _make(content: bytes) -> Made:
    try:
        mime_type, image = _read(content)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLarge(
            "That picture has more than 40 million pixels. Save it smaller first."
        ) from error
    except UnidentifiedImageError as error:
        raise NotAPicture("Choose a JPEG, PNG, WebP or AVIF picture.") from error
    # What a broken file makes a decoder raise is not written down anywhere.
    except Exception as error:
        raise NotAPicture("That file is damaged or incomplete. Try saving it again.") from error
    widths = widths_of(image.width)
    files: list[tuple[int, str, bytes]] = []
    for width in reversed(widths):
        if width < image.width:
            height = max(1, round(image.height * width / image.width))
            image_of_width = image.resize((width, height), Image.Resampling.LANCZOS)
        else:
            image_of_width = image
        files += [(width, kind, _encode(image_of_width, kind)) for kind in MIME_TYPES.values()]
    return Made(mime_type, image.width, image.height, tuple(files))


def _read(content: bytes) -> tuple[str, Image.Image]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(content), formats=FORMATS) as source:
            mime_type = Image.MIME[source.format or "JPEG"]
            if source.width * source.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            most = (WIDTHS[-1], _MOST_HIGH)
            # Turned by a quarter, width and height change places: shrink for either.
            box = (max(most), max(most))
            source.draft("RGB", box)
            source.load()
            orientation = source.getexif()
            image = _in_rgb(_smaller(source, max(most)))
            if orientation.get(0x0112, 1) != 1:
                image.getexif()[0x0112] = orientation[0x0112]
                image.thumbnail(box, Image.Resampling.LANCZOS)
                image = ImageOps.exif_transpose(image)
            image.thumbnail(most, Image.Resampling.LANCZOS)
            return mime_type, image


def _smaller(source: Image.Image, least: int) -> Image.Image:
    """Shrunk roughly, not below `least` pixels a side, before anything dear is done with it."""
    image = source
    if source.mode in ("1", "P", "PA"):
        image = source.convert("RGBA" if "transparency" in source.info else "RGB")
    factor = min(image.width, image.height) // least
    return image.reduce(factor) if factor > 1 else image


def _in_rgb(source: Image.Image) -> Image.Image:
    """In the colours of the web, with white where it is transparent."""
    profile = source.info.get("icc_profile")
    image: Image.Image = source
    if source.mode in ("RGBA", "LA", "PA") or "transparency" in source.info:
        clear = source.convert("RGBA")
        image = Image.new("RGB", clear.size, "white")
        image.paste(clear, mask=clear.getchannel("A"))
    if profile and image.mode in ("RGB", "CMYK"):
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            web = ImageCms.createProfile("sRGB")
            turned = ImageCms.profileToProfile(image, own, web, outputMode="RGB")
            image = turned if turned is not None else image
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken profile: the colours as they are
    return image.convert("RGB")


def _encode(image: Image.Image, mime_type: str) -> bytes:
    kind, options = _SAVING[mime_type]
    out = io.BytesIO()
    fresh = Image.new("RGB", image.size)
    fresh.paste(image)
    fresh.save(out, kind, **options)
    return out.getvalue()
