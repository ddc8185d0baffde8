"""Taking in a picture: found out by content, decoded within bounds, and made anew, so that nothing of the file remains.

What comes out is WebP in two sizes, without metadata: no place, no device, no colour profile, no second frame.
"""

import asyncio
import io
import warnings
from typing import Final

import filetype  # type: ignore[import-untyped]
from PIL import Image, ImageOps

from server.errors import Invalid, TooMany

MAX_BYTES: Final = 8 * 1024 * 1024
"""Of the file that is given."""
MAX_PIXELS: Final = 24_000_000
"""Of the picture in it, by its header, before anything is decoded."""
MAX_SECONDS: Final = 5.0
LARGE, SMALL = 256, 64
"""Pixels along each side: a square, cut out of the middle."""

_FORMATS: Final = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/gif": "GIF"}
_WHAT: Final = "Give a JPEG, PNG, WebP or GIF picture."
_at_once = asyncio.Semaphore(2)


async def made_anew(given: bytes) -> tuple[bytes, bytes]:
    """A picture as WebP, large and small.

    Raises:
        Invalid: it is none of the four kinds, is damaged, too large, or takes too long.
        TooMany: others are being taken in, and the wait was too long.
    """
    if len(given) > MAX_BYTES:
        raise Invalid(f"The picture is larger than {MAX_BYTES // 1024 // 1024} MiB. Give a smaller one.")
    kind = filetype.guess_mime(given[:8192])
    if kind not in _FORMATS:
        raise Invalid(f"This is no picture that can be shown. {_WHAT}")
    try:
        async with asyncio.timeout(MAX_SECONDS):
            await _at_once.acquire()
    except TimeoutError:
        raise TooMany("Too many pictures are being taken in just now. Try again.") from None
    work = asyncio.get_running_loop().run_in_executor(None, _make, given, _FORMATS[kind])
    # Whoever waits gives up after a while; the place is free again when the work has really ended.
    work.add_done_callback(lambda _: _at_once.release())
    try:
        async with asyncio.timeout(MAX_SECONDS):
            return await asyncio.shield(work)
    except TimeoutError:
        work.add_done_callback(lambda done: done.exception())
        raise Invalid("The picture takes too long to read. Give a simpler one.") from None


def _make(given: bytes, format: str) -> tuple[bytes, bytes]:
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(given), formats=(format,)) as found:
            warnings.simplefilter("ignore")
            if found.width * found.height > MAX_PIXELS:
                raise Invalid(
                    f"The picture has more than {MAX_PIXELS // 1_000_000} million pixels. Give a smaller one."
                )
            if format == "JPEG":
                found.draft("RGB", (LARGE * 2, LARGE * 2))
            upright = ImageOps.exif_transpose(found.convert("RGBA") if format != "JPEG" else found)
            square = ImageOps.fit(upright.convert("RGBA"), (LARGE, LARGE), Image.Resampling.LANCZOS)
    except Invalid:
        raise
    except Exception:  # whatever a decoder makes of a file that was made to break it
        raise Invalid(f"The picture is damaged. {_WHAT}") from None
    return _encoded(square), _encoded(square.resize((SMALL, SMALL), Image.Resampling.LANCZOS))


def _encoded(square: Image.Image) -> bytes:
    """The pixels alone, on white, in a new image that has never heard of the file."""
    plain = Image.new("RGB", square.size, "white")
    plain.paste(square, mask=square.getchannel("A"))
    into = io.BytesIO()
    plain.save(into, "WEBP", quality=80, method=4)
    return into.getvalue()
