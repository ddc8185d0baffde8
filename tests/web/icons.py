"""Draws the icons of the installed pages from the same shape as icon.svg. `python -m tests.web.icons` writes them."""

from pathlib import Path

from PIL import Image, ImageDraw

FOLDER = Path(__file__).parents[2] / "server/web/static/icons"
GREEN, WHITE = "#1c665c", "#ffffff"
FINE = 4
"""Drawn so many times larger and then reduced, for smooth edges."""

ICONS = {"icon-180": (180, True), "icon-192": (192, False), "icon-512": (512, False), "icon-maskable-512": (512, True)}
"""Name: (size in px, whether the colour reaches every corner because the system cuts its own shape)."""


def icon(size: int, full: bool) -> Image.Image:
    """One icon: a speech bubble on a green ground."""
    edge = size * FINE
    made = Image.new("RGBA", (edge, edge), GREEN if full else "#00000000")
    pen = ImageDraw.Draw(made)
    if not full:
        pen.rounded_rectangle((0, 0, edge - 1, edge - 1), edge // 4, GREEN)
    scale, shift = (edge / 32 * 0.8, edge * 0.1) if full else (edge / 32, 0)
    at = [shift + scale * value for value in (6, 9, 26, 22, 10, 15, 26)]
    left, top, right, bottom, tail, tail_right, tip = at
    pen.rounded_rectangle((left, top, right, bottom), 2 * scale, WHITE)
    pen.polygon([(tail, bottom - 1), (tail_right, bottom - 1), (tail, tip)], WHITE)
    return made.resize((size, size), Image.Resampling.LANCZOS)


def write() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    for name, (size, full) in ICONS.items():
        icon(size, full).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    write()
