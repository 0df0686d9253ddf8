"""Pages drawn as text and shapes, through PyMuPDF. The only module of the generator that knows it (AGPL).

MuPDF's HTML boxes shape every script and bring the fonts with them, so the same page comes out everywhere.
"""

import html
import io
from dataclasses import dataclass

import pymupdf
from PIL import Image

from jina_vdr.errors import DataError

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in points."""

Color = str
"""`#rrggbb`."""

COLORS = 48
LATIN_LINE_HEIGHT = 1.3
LINE_HEIGHT = {"urd": 2.0, "mya": 1.9, "hin": 1.5, "ben": 1.5, "tha": 1.5, "ara": 1.5}
"""Scripts that reach far above and below the line need room, or they are clipped."""


@dataclass(frozen=True)
class Style:
    """How a text looks; `align` is "start", "center" or "end" in the direction of the language."""

    size: float = 11
    bold: bool = False
    mono: bool = False
    color: Color = "#1b1b1b"
    align: str = "start"


PLAIN = Style()


class Canvas:
    """One page. All coordinates are those of a left-to-right page; it is mirrored for the others."""

    def __init__(self, width: float, height: float, language: str, *, rtl: bool, paper: Color) -> None:
        self.width, self.height = width, height
        self._language, self._rtl = language, rtl
        self._page = pymupdf.open().new_page(width=width, height=height)
        self._texts: list[str] = []
        self.fill((0, 0, width, height), paper)

    @property
    def text(self) -> str:
        """Everything that was written, in the order of writing."""
        return "\n".join(self._texts)

    def write(self, box: Box, text: str, style: Style = PLAIN) -> None:
        """Write `text` into `box`. Raises DataError where it does not fit."""
        height = LATIN_LINE_HEIGHT if style.mono else LINE_HEIGHT.get(self._language, LATIN_LINE_HEIGHT)
        css = (
            f"font-family:{'monospace' if style.mono else 'sans-serif'};font-size:{style.size}px;"
            f"font-weight:{'bold' if style.bold else 'normal'};color:{style.color};margin:0;"
            f"line-height:{height};text-align:{self._side(style)}"
        )
        direction = "rtl" if self._rtl and not style.mono else "ltr"
        markup = f'<p dir="{direction}" style="{css}">{html.escape(text)}</p>'
        spare, _ = self._page.insert_htmlbox(self._rect(box), markup, scale_low=1)
        if spare < 0:
            raise DataError(
                "JV461", f"'{text}' does not fit into {box}", "shorten it, or make the box larger"
            )
        self._texts.append(text)

    def fill(self, box: Box, color: Color, border: Color | None = None) -> None:
        """Draw a filled rectangle."""
        edge = _rgb(border) if border else None
        self._page.draw_rect(self._rect(box), color=edge, fill=_rgb(color), width=0.8 if border else 0)

    def line(
        self, start: tuple[float, float], end: tuple[float, float], color: Color, width: float = 1
    ) -> None:
        """Draw a straight line."""
        self._page.draw_line(self._point(*start), self._point(*end), color=_rgb(color), width=width)

    def image(self, dpi: int) -> bytes:
        """Return the page as a lossless WebP of few colours. Raises DataError where a glyph is missing."""
        for span in self._page.get_texttrace():
            for character, glyph, *_ in span["chars"]:
                if glyph == 0:
                    raise DataError(
                        "JV462", f"no font has a glyph for U+{character:04X}", "write it in another way"
                    )
        pixels = self._page.get_pixmap(dpi=dpi, alpha=False)
        picture = Image.frombytes("RGB", (pixels.width, pixels.height), pixels.samples)
        few = picture.quantize(COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        buffer = io.BytesIO()
        few.convert("RGB").save(buffer, "WEBP", lossless=True, quality=100, method=4)
        return buffer.getvalue()

    def _side(self, style: Style) -> str:
        """Return CSS's word; MuPDF mirrors left and right in right-to-left paragraphs by itself."""
        return {"start": "left", "end": "right"}.get(style.align, style.align)

    def _rect(self, box: Box) -> pymupdf.Rect:
        left, top, right, bottom = box
        return (
            pymupdf.Rect(self.width - right, top, self.width - left, bottom)
            if self._rtl
            else pymupdf.Rect(box)
        )

    def _point(self, x: float, y: float) -> pymupdf.Point:
        return pymupdf.Point(self.width - x if self._rtl else x, y)


def _rgb(color: Color) -> tuple[float, float, float]:
    return (int(color[1:3], 16) / 255, int(color[3:5], 16) / 255, int(color[5:7], 16) / 255)
