"""SVG for GitHub: boxes, lines and text in a light and a dark colour scheme.

An image follows the system's colour scheme, which may differ from GitHub's theme, so every picture has its own
background. Text is measured in Helvetica, which most machines have, or an equivalent; `fits` leaves a reserve for
wider fonts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

SMALL = 11
"""Default font size in pixels."""
FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"

# Advance widths of Helvetica in thousandths of the font size. Bold text is at most a tenth wider.
WIDTHS: Mapping[str, int] = {
    character: thousandths
    for thousandths, characters in {
        191: "'",
        222: "ijl",
        260: "|",
        278: " !,./:;I[]\\ft",
        333: "()-r`",
        355: '"',
        389: "*",
        500: "Jckvsxyz",
        556: "#$0123456789?L_abdeghnopqu",
        584: "+<=>~",
        611: "FTZ",
        667: "&ABEKPSVXY",
        722: "CDHNRUw",
        778: "GOQ",
        833: "Mm",
        889: "%",
        944: "W",
        1000: "…",
        1015: "@",
    }.items()
    for character in characters
}
MAX_GLYPH_WIDTH = 1015
BOLD = 1.1
RESERVE = 1.05


class Colours(NamedTuple):
    """A colour in each scheme."""

    light: str
    dark: str


COLOURS: Mapping[str, Colours] = {
    "ground": Colours("#ffffff", "#0d1117"),
    "frame": Colours("#59636e", "#9198a1"),
    "band": Colours("#f0f3f6", "#161b22"),
    "box": Colours("#ffffff", "#21262d"),
    "cell": Colours("#e1ecf7", "#1f3550"),
    "text": Colours("#1f2328", "#f0f6fc"),
    "muted": Colours("#4a535d", "#b1bac4"),
    # Lines do not rely on colour alone: each has its own lane.
    "first": Colours("#0a5bc4", "#6cb6ff"),
    "second": Colours("#8a3d00", "#ffa657"),
    "third": Colours("#6f2dbd", "#d2a8ff"),
    "fourth": Colours("#116329", "#7ee787"),
}
LINES = ("first", "second", "third", "fourth")

# Colours with a CSS class for fills, and for strokes.
FILLS = ("ground", "band", "box", "cell", "text", "muted", *LINES)
STROKES = ("ground", "frame", "muted", *LINES)


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of a text, in the unit of `size`."""
    return sum(WIDTHS.get(character, MAX_GLYPH_WIDTH) for character in text) / 1000 * size * (BOLD if bold else 1)


def fits(text: str, size: float, room: float) -> bool:
    """Whether a text fits, even in a slightly wider font."""
    return width(text, size) * RESERVE <= room


def wrap(text: str, size: float, room: float) -> list[str]:
    """Wrap a text into lines that fit. A word that is too wide gets a line to itself."""
    lines: list[str] = []
    for word in text.split():
        if lines and fits(f"{lines[-1]} {word}", size, room):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def truncate(text: str, size: float, room: float) -> str:
    """A text, cut with an ellipsis if it does not fit. The picture's description has all of it."""
    if fits(text, size, room):
        return text
    kept = max(length for length in range(len(text)) if fits(f"{text[:length]}…", size, room))
    return f"{text[:kept].rstrip()}…"


@dataclass
class Canvas:
    """A picture under construction. The unit is a pixel at GitHub's full width."""

    width: float
    elements: list[str] = field(default_factory=list)

    def box(self, left: float, top: float, width: float, height: float, fill: str, *, framed: bool = True) -> None:
        """Draw a rectangle."""
        frame = " s-frame" if framed else ""
        self._add("rect", f"f-{fill}{frame}", x=left, y=top, width=width, height=height, rx=4)

    def text(
        self, x: float, y: float, text: str, *, size: float = SMALL, bold: bool = False, colour: str = "text"
    ) -> None:
        """Draw a line of text with its baseline starting at a point."""
        weight = ' font-weight="bold"' if bold else ""
        place = f'x="{x:g}" y="{y:g}" font-size="{size:g}"{weight}'
        self.elements.append(f'<text class="f-{colour}" {place}>{escape(text)}</text>')

    def line(
        self, points: Sequence[tuple[float, float]], colour: str, *, dashed: bool = False, thickness: float = 1.5
    ) -> None:
        """Draw a line through points."""
        path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
        dashes = ' stroke-dasharray="5 3"' if dashed else ""
        self.elements.append(f'<path class="s-{colour}" fill="none" stroke-width="{thickness:g}"{dashes} d="{path}"/>')

    def arrowhead(self, x: float, y: float, colour: str) -> None:
        """Draw an arrowhead that points left, with its tip at a point."""
        self.elements.append(f'<path class="f-{colour}" d="M{x:g} {y:g} l8 -4 v8 z"/>')

    def dot(self, x: float, y: float, colour: str) -> None:
        """Draw the start of a line."""
        self._add("circle", f"f-{colour}", cx=x, cy=y, r=3)

    def padlock(self, x: float, y: float, colour: str) -> None:
        """Draw a padlock of 7 by 10 on a baseline."""
        self.elements.append(
            f'<path class="f-{colour}" d="M{x:g} {y - 6:g} h7 v6 h-7 z"/><path class="s-{colour}" fill="none"'
            f' stroke-width="1.4" d="M{x + 1.5:g} {y - 6:g} v-1.5 a2 2 0 0 1 4 0 v1.5"/>'
        )

    def svg(self, height: float, *, title: str, description: str) -> str:
        """The complete SVG document."""
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {height:g}"'
                f' width="{self.width:g}" height="{height:g}" role="img" aria-labelledby="title description"'
                f" font-family={quoteattr(FONT)}>",
                f'<title id="title">{escape(title)}</title>',
                f'<desc id="description">{escape(description)}</desc>',
                f"<style>\n{_style('light')}\n@media (prefers-color-scheme: dark) {{\n{_style('dark')}\n}}\n</style>",
                f'<rect class="f-ground" width="{self.width:g}" height="{height:g}"/>',
                *self.elements,
                "</svg>\n",
            ]
        )

    def _add(self, element: str, classes: str, **attributes: float) -> None:
        written = " ".join(f'{name}="{value:g}"' for name, value in attributes.items())
        self.elements.append(f'<{element} class="{classes}" {written}/>')


def _style(scheme: str) -> str:
    rules = [f".f-{name} {{ fill: {getattr(COLOURS[name], scheme)} }}" for name in FILLS]
    rules += [f".s-{name} {{ stroke: {getattr(COLOURS[name], scheme)} }}" for name in STROKES]
    return "\n".join(rules)
