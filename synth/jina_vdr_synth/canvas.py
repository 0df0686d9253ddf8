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

NO_BOLD = frozenset({"ara", "ben", "hin", "jpn", "kor", "mya", "tha", "urd", "vie", "zho"})
"""The fonts of these scripts have one weight: in bold, only the digits between the words would change."""

SERIF = frozenset({"vie"})
"""The sans lacks half of the letters with marks; those that stand in fit only among other serifs."""


@dataclass(frozen=True)
class Style:
    """How a text looks; `align` is "start", "center" or "end" in the direction of the language."""

    size: float = 11
    bold: bool = False
    mono: bool = False
    color: Color = "#1b1b1b"
    align: str = "start"
    middle: bool = False
    """Whether the text stands in the middle of its box, not at the top."""


PLAIN = Style()


class Canvas:
    """One page. All coordinates are those of a left-to-right page; it is mirrored for the others."""

    def __init__(self, width: float, height: float, language: str, *, rtl: bool, paper: Color) -> None:
        self.width, self.height = width, height
        self._language, self._rtl = language, rtl
        self._page = pymupdf.open().new_page(width=width, height=height)
        self._written = io.BytesIO()
        self._writer = pymupdf.DocumentWriter(self._written)
        self._pen = self._writer.begin_page(self._page.rect)
        self._texts: list[tuple[pymupdf.Rect, str]] = []
        self.fill((0, 0, width, height), paper)

    @property
    def text(self) -> str:
        """Everything that was written, in the order of writing."""
        return "\n".join(text for _, text in self._texts)

    def write(self, box: Box, text: str, style: Style = PLAIN) -> None:
        """Write `text` into `box`, over all shapes. Raises DataError where it does not fit."""
        story = pymupdf.Story(self._markup(text, style), "body {margin:0}")
        where = self._rect(box)
        overflow, filled = story.place(where, pymupdf.mupdf.FZ_PLACE_STORY_FLAG_NO_OVERFLOW)
        if overflow:
            raise DataError(
                "JV461", f"'{text}' does not fit into {box}", "shorten it, or make the box larger"
            )
        if style.middle:
            story.reset()
            where.y0 += (where.y1 - filled[3]) / 2
            story.place(where)
        story.draw(self._pen)
        self._texts.append((self._rect(box), text))

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
        """Finish the page: a lossless WebP of few colours. Raises DataError where a glyph is missing."""
        self._writer.end_page()
        self._writer.close()
        self._page.show_pdf_page(self._page.rect, pymupdf.open("pdf", self._written), 0)
        for span in self._page.get_texttrace():
            for _, glyph, origin, _ in span["chars"]:
                if glyph == 0:
                    text = next((text for box, text in self._texts if box.contains(origin)), self.text)
                    raise DataError(
                        "JV462", f"no font has a glyph for all letters of '{text}'", "write it in another way"
                    )
        pixels = self._page.get_pixmap(dpi=dpi, alpha=False)
        picture = Image.frombytes("RGB", (pixels.width, pixels.height), pixels.samples)
        few = picture.quantize(COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        buffer = io.BytesIO()
        few.convert("RGB").save(buffer, "WEBP", lossless=True, quality=100, method=4)
        return buffer.getvalue()

    def _markup(self, text: str, style: Style) -> str:
        height = LATIN_LINE_HEIGHT if style.mono else LINE_HEIGHT.get(self._language, LATIN_LINE_HEIGHT)
        family = "monospace" if style.mono else "serif" if self._language in SERIF else "sans-serif"
        bold = style.bold and self._language not in NO_BOLD
        css = (
            f"font-family:{family};font-size:{style.size}px;font-weight:{'bold' if bold else 'normal'};"
            f"color:{style.color};margin:0;line-height:{height};text-align:{self._side(style)}"
        )
        direction = "rtl" if self._rtl and not style.mono else "ltr"
        return f'<p dir="{direction}" style="{css}">{html.escape(text)}</p>'

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
