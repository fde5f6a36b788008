#!/usr/bin/env python3
"""Draw icon.png and logo.png for Home Assistant's app store; requires Pillow.

`uv run --no-project --with pillow scripts/app_pictures.py`
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

ROOT: Final = Path(__file__).parent.parent
FINE: Final = 8  # supersampling factor, for smooth edges
DARK: Final = (23, 37, 63)
BLUE: Final = (65, 189, 245)
WHITE: Final = (255, 255, 255)


def icon(size: int) -> Image.Image:
    """Return the icon: an arrow into a tray below radio waves."""
    unit = size * FINE / 128
    picture = Image.new("RGBA", (size * FINE, size * FINE))
    draw = ImageDraw.Draw(picture)

    def scaled(*numbers: float) -> list[float]:
        return [number * unit for number in numbers]

    draw.rounded_rectangle(scaled(4, 4, 124, 124), radius=28 * unit, fill=DARK)
    for radius in (22, 36):
        box = scaled(64 - radius, 40 - radius, 64 + radius, 40 + radius)
        draw.arc(box, 215, 325, fill=BLUE, width=round(6 * unit))
    draw.rounded_rectangle(scaled(58, 32, 70, 72), radius=6 * unit, fill=WHITE)
    draw.polygon(scaled(42, 62, 86, 62, 64, 88), fill=WHITE)
    draw.line(scaled(32, 80, 32, 104, 96, 104, 96, 80), fill=BLUE, width=round(9 * unit))
    for x, y in ((32, 80), (96, 80), (32, 104), (96, 104)):
        draw.ellipse(scaled(x - 4.5, y - 4.5, x + 4.5, y + 4.5), fill=BLUE)
    return picture.resize((size, size), Image.Resampling.LANCZOS)


def logo(width: int, height: int) -> Image.Image:
    """Return the icon with the name beside it."""
    picture = Image.new("RGBA", (width * FINE, height * FINE))
    draw = ImageDraw.Draw(picture)
    text = "mediarip"
    font = ImageFont.load_default(size=34 * FINE)
    draw.text((88 * FINE, height * FINE / 2), text, font=font, fill=BLUE, anchor="lm")
    small = picture.resize((width, height), Image.Resampling.LANCZOS)
    small.alpha_composite(icon(80), (0, (height - 80) // 2))
    return small


if __name__ == "__main__":
    icon(128).save(ROOT / "icon.png", optimize=True)
    logo(250, 100).save(ROOT / "logo.png", optimize=True)
