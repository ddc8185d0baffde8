"""Taking in pictures: four kinds by content, made anew without metadata; everything else and every bomb refused with words."""

import io
import struct
import zlib

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from server.errors import Invalid
from server.people import images

SECRET = b"secret place and device"


def picture(format: str, size: tuple[int, int] = (300, 200), **options: object) -> bytes:
    made = Image.new("RGBA" if format in ("PNG", "WEBP") else "RGB", size, "teal")
    made.putpixel((0, 0), (255, 0, 0, 255)[: len(made.getbands())])
    into = io.BytesIO()
    made.save(into, format, **options)
    return into.getvalue()


def with_metadata() -> bytes:
    exif = Image.Exif()
    exif[Base.Make] = SECRET.decode()
    exif[Base.Orientation] = 6
    exif.get_ifd(IFD.GPSInfo)[GPS.GPSProcessingMethod] = SECRET.decode()
    return picture("JPEG", exif=exif, comment=SECRET, icc_profile=SECRET * 10)


def png_that_claims(width: int, height: int) -> bytes:
    """A header that promises so many pixels, and next to nothing after it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF"])
async def test_each_kind_comes_out_as_webp_in_two_sizes(format: str) -> None:
    for given in (picture(format), picture(format, (1, 1)), picture(format, (16, 4000))):
        for made, side in zip(await images.made_anew(given), (images.LARGE, images.SMALL), strict=True):
            with Image.open(io.BytesIO(made)) as shown:
                assert (shown.format, shown.size, shown.mode) == ("WEBP", (side, side), "RGB")


@pytest.mark.catalogue("S13")
async def test_nothing_of_the_file_but_its_pixels_comes_out() -> None:
    given = with_metadata()
    assert SECRET in given
    for made in await images.made_anew(given):
        assert b"secret" not in made
        assert not any(word in made for word in (b"EXIF", b"Exif", b"XMP ", b"ICCP", b"GPS"))
        with Image.open(io.BytesIO(made)) as shown:
            assert not dict(shown.getexif())
            assert not set(shown.info) & {"exif", "icc_profile", "xmp", "comment"}
    assert await images.made_anew(given) == await images.made_anew(given)


@pytest.mark.catalogue("S13")
@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF"])
async def test_what_is_also_a_page_comes_out_as_a_picture_alone(format: str) -> None:
    script = b"<html><script>alert(document.domain)</script></html>"
    for given in (picture(format) + script, picture(format) + b"PK\x03\x04" + script):
        for made in await images.made_anew(given):
            assert made[:4] + made[8:12] == b"RIFFWEBP"
            assert b"script" not in made


async def test_a_moving_picture_stands_still() -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "green", "blue")]
    into = io.BytesIO()
    frames[0].save(into, "GIF", save_all=True, append_images=frames[1:])
    large, _ = await images.made_anew(into.getvalue())
    with Image.open(io.BytesIO(large)) as shown:
        assert getattr(shown, "n_frames", 1) == 1


@pytest.mark.parametrize(
    "given",
    [
        b"", b"GIF89a", b"\xff\xd8\xff\xe0", b"not a picture", b"<html><script>alert(1)</script></html>",
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', b"%PDF-1.4", b"BM" + bytes(60),
        b"II*\x00" + bytes(60), picture("PNG")[:60], picture("JPEG")[:200],
    ],
)  # fmt: skip
async def test_what_is_no_picture_is_refused_in_words(given: bytes) -> None:
    with pytest.raises(Invalid, match="JPEG, PNG, WebP or GIF"):
        await images.made_anew(given)


@pytest.mark.catalogue("S14")
async def test_bombs_are_refused_before_they_go_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for bomb in (png_that_claims(60_000, 60_000), png_that_claims(2**31 - 1, 2**31 - 1), png_that_claims(8000, 5001)):
        with pytest.raises(Invalid):
            await images.made_anew(bomb)
    with pytest.raises(Invalid, match="larger than 8 MiB"):
        await images.made_anew(picture("PNG") + bytes(images.MAX_BYTES))
    monkeypatch.setattr(images, "MAX_SECONDS", 0.0005)
    with pytest.raises(Invalid, match="too long"):
        await images.made_anew(picture("PNG", (3000, 3000)))
