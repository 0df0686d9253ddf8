"""A sheet that text and shapes are drawn on; the only place that knows the renderer (PyMuPDF, AGPL)."""

import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pymupdf
from PIL import Image

from jina_vdr.errors import DataError

Align = Literal["start", "center", "end"]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Script:
    """How a language is written: its code for the shaper, its direction, and the line height it needs."""

    code: str
    rtl: bool
    leading: float


@dataclass(frozen=True, slots=True)
class Face:
    """How a run of text looks: size in points, colour as #rrggbb."""

    size: float = 16
    color: str = "#1c1c1c"
    bold: bool = False
    align: Align = "start"
    family: str = "sans-serif"
    italic: bool = False


class Sheet:
    """One page in points, origin at the top on the side where reading starts.

    In right-to-left scripts everything is mirrored, so that a caller never thinks about direction.
    Shapes lie under all text, in the order in which they were drawn.
    """

    def __init__(self, width: float, height: float, script: Script) -> None:
        self.width = width
        self.height = height
        self.script = script
        self._buffer = io.BytesIO()
        self._writer = pymupdf.DocumentWriter(self._buffer)
        self._device = self._writer.begin_page(pymupdf.Rect(0, 0, width, height))
        self._shapes: list[tuple[str, Any, str | None, str | None, float]] = []

    def text(self, x: float, y: float, width: float, text: str, face: Face, *, code: bool = False) -> float:
        """Write `text` into a column that starts at (x, y) and return the height it took.

        `code` keeps line breaks and reads left to right in every script. Raises DataError when the column
        leaves the sheet.
        """
        story = pymupdf.Story(self._html(text, face, code))
        room = pymupdf.Rect(*self._span(x, width, y, self.height))
        more, filled = story.place(room)
        if more or x < 0 or x + width > self.width:
            raise DataError(
                "JV461", f"'{text[:40]}' does not fit on its page", "shorten it or enlarge the page"
            )
        story.draw(self._device)
        return float(pymupdf.Rect(filled).y1 - y)

    def box(
        self, x: float, y: float, width: float, height: float, fill: str | None, edge: str | None = None
    ) -> None:
        """Draw a rectangle."""
        self._shapes.append(("box", self._span(x, width, y, y + height), fill, edge, 1))

    def line(self, points: Sequence[Point], color: str, weight: float = 1) -> None:
        """Draw a line through `points`."""
        self._shapes.append(("line", [self._point(p) for p in points], None, color, weight))

    def disc(self, center: Point, radius: float, fill: str) -> None:
        """Draw a filled circle."""
        self._shapes.append(("disc", (self._point(center), radius), fill, None, 1))

    def wedge(self, center: Point, radius: float, share: float, fill: str) -> None:
        """Draw the sector of a circle that is `share` (0 to 1) of it, clockwise from the top."""
        self._shapes.append(("wedge", (self._point(center), radius, share), fill, None, 1))

    def image(self, zoom: float) -> Image.Image:
        """Return the sheet as an RGB image of `zoom` pixels a point; raise DataError for a missing glyph."""
        self._writer.end_page()
        self._writer.close()
        with pymupdf.open("pdf", self._buffer.getvalue()) as document:
            page = document[0]
            _check_glyphs(page)
            canvas = page.new_shape()
            for shape in self._shapes:
                _draw(canvas, *shape)
            canvas.commit(overlay=False)
            pixels = page.get_pixmap(matrix=pymupdf.Matrix(zoom, zoom), alpha=False)
            return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.samples)

    def _span(self, x: float, width: float, top: float, bottom: float) -> tuple[float, float, float, float]:
        left = self.width - x - width if self.script.rtl else x
        return (left, top, left + width, bottom)

    def _point(self, point: Point) -> Point:
        return (self.width - point[0] if self.script.rtl else point[0], point[1])

    def _html(self, text: str, face: Face, code: bool) -> str:
        rtl = self.script.rtl and not code
        side = {"center": "center", "start": "right" if rtl else "left", "end": "left" if rtl else "right"}
        style = (
            f"margin:0;padding:0;font-family:{face.family};font-size:{face.size}px;color:{face.color};"
            f"text-align:{side[face.align]};line-height:{1.35 if code else self.script.leading};"
            f"font-weight:{'bold' if face.bold else 'normal'};font-style:{'italic' if face.italic else 'normal'}"
        )
        body = html.escape(text).replace("\n", "<br/>")
        direction = "rtl" if rtl else "ltr"
        return (
            f'<body style="margin:0;padding:0"><p dir="{direction}" lang="{self.script.code}" style="{style}">'
            f"{body}</p></body>"
        )


def _check_glyphs(page: Any) -> None:
    for span in page.get_texttrace():
        for character, glyph, *_ in span["chars"]:
            if glyph == 0:
                raise DataError(
                    "JV462", f"no font has a glyph for U+{character:04X}", "write it in another way"
                )


def _draw(canvas: Any, kind: str, where: Any, fill: str | None, edge: str | None, weight: float) -> None:
    if kind == "box":
        canvas.draw_rect(pymupdf.Rect(*where))
    elif kind == "line":
        canvas.draw_polyline([pymupdf.Point(*p) for p in where])
    elif kind == "disc":
        canvas.draw_circle(pymupdf.Point(*where[0]), where[1])
    else:
        center, radius, share = where
        canvas.draw_sector(pymupdf.Point(*center), pymupdf.Point(center[0], center[1] - radius), -360 * share)
    canvas.finish(fill=_rgb(fill), color=_rgb(edge), width=weight, closePath=False)


def _rgb(color: str | None) -> tuple[float, ...] | None:
    return (color and tuple(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))) or None
