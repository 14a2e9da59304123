"""Text in any script onto a picture: which font draws which letter, and what is drawn where none does.

Pillow's own font knows Latin letters only. So each letter goes to the first font that has it: those of the
packages of the extra `draw`, then those of the system. A letter that no font has is drawn as its escape
(\\u4e2d), which can still be read, rather than as an empty box.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path

from PIL import ImageDraw, ImageFont, features

PACKAGES = ("fontpkg_noto_sans", "fontpkg_noto_sans_arabic", "noto_cjk_sans_otc")
"""Of the extra `draw`: Noto Sans (SIL Open Font License) for most scripts of the world."""

SYSTEM_FOLDERS = (
    "~/.local/share/fonts",
    "~/.fonts",
    "/usr/local/share/fonts",
    "/usr/share/fonts",
    "~/Library/Fonts",
    "/Library/Fonts",
    "/System/Library/Fonts",
    "C:/Windows/Fonts",
)

PREFERRED = ("NotoSans-Regular.ttf", "DejaVuSans.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "arial.ttf")
SUFFIXES = frozenset({".ttf", ".otf", ".ttc"})
UNWANTED = ("Bold", "Italic", "Oblique", "Mono", "Serif", "Light", "Thin", "Condensed", "Emoji", "Symbol")
"""Styles that are taken only where no plainer font has a letter."""

MOST_FONTS = 500
"""Font files that are looked through for a rare letter."""

_PROBE_SIZE = 20
_UNMAPPED = "\uffff"
"""A noncharacter: what a font draws for it is what it draws for any letter that it hasn't."""

_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_NEVER_SHOWN = frozenset({"Cf", "Mn", "Me", "Mc", "Zs"})


@dataclass(frozen=True, slots=True)
class Run:
    """Letters that one font draws."""

    text: str
    font: int


class FontFile:
    """A font that is opened when it is first asked; path None: Pillow's own."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._letters: dict[str, bool] = {}
        self._sizes: dict[int, ImageFont.FreeTypeFont] = {}

    def at(self, size: int) -> ImageFont.FreeTypeFont:
        """The font at a size in pixels. Raises OSError for a file that is no font."""
        if size not in self._sizes:
            self._sizes[size] = self._open(size)
        return self._sizes[size]

    def has(self, letter: str) -> bool:
        """Whether it draws this letter; a file that is no font draws none."""
        if letter not in self._letters:
            self._letters[letter] = self._looks_drawn(letter)
        return self._letters[letter]

    def _open(self, size: int) -> ImageFont.FreeTypeFont:
        if self.path is not None:
            return ImageFont.truetype(str(self.path), size)
        own = ImageFont.load_default(size)
        if not isinstance(own, ImageFont.FreeTypeFont):
            raise OSError("this Pillow was built without FreeType")
        return own

    def _looks_drawn(self, letter: str) -> bool:
        if self._blank is None:
            return False
        drawn = self._shape(letter)
        if letter.isspace():
            return True
        return drawn != self._blank and any(drawn[1])

    @cached_property
    def _blank(self) -> tuple[tuple[int, int], bytes] | None:
        try:
            return self._shape(_UNMAPPED)
        except OSError:  # no font, or of a kind that FreeType doesn't scale
            return None

    def _shape(self, letter: str) -> tuple[tuple[int, int], bytes]:
        mask = self.at(_PROBE_SIZE).getmask(letter, mode="L")
        return mask.size, bytes(mask)


class Typeface:
    """Fonts in order of preference, and the letters that none of them has. Made once a run."""

    def __init__(self, paths: Iterator[Path] | None = None, *, shapes: bool | None = None) -> None:
        """paths: of fonts, best first (default: what there is). shapes: whether right-to-left works."""
        self._rest = islice(font_files() if paths is None else paths, MOST_FONTS)
        self._fonts: list[FontFile] = []
        self._last = FontFile(None)
        self._shapes = bool(features.check("raqm")) if shapes is None else shapes
        self._fonts_of: dict[str, int | None] = {}
        self._searching = threading.Lock()
        self.missing: set[str] = set()

    def runs(self, text: str) -> list[Run]:
        """The text in pieces of one font each, letters that no font has escaped."""
        runs: list[Run] = []
        for letter in text:
            font = self._font_of(letter, runs[-1].font if runs else None)
            if font is None:
                self.missing.add(letter)
                piece = Run(_escape(letter), self._latin())
            else:
                piece = Run(letter, font)
            if runs and runs[-1].font == piece.font:
                runs[-1] = Run(runs[-1].text + piece.text, piece.font)
            else:
                runs.append(piece)
        return runs

    def width(self, text: str, size: int) -> float:
        """Pixels that a line takes."""
        return sum(self._at(run.font, size).getlength(run.text) for run in self.runs(text))

    def line_height(self, size: int) -> tuple[int, int]:
        """Pixels above and below the base line, of the font for Latin."""
        return self._at(self._latin(), size).getmetrics()

    def draw(
        self,
        canvas: ImageDraw.ImageDraw,
        at: tuple[float, float],
        text: str,
        size: int,
        fill: tuple[int, int, int],
    ) -> None:
        """Draw a line whose base line starts at `at`."""
        x, y = at
        for run in self.runs(text):
            font = self._at(run.font, size)
            canvas.text((x, y), run.text, fill=fill, font=font, anchor="ls")
            x += font.getlength(run.text)

    def fitted(self, text: str, size: int, most: float) -> str:
        """The text, its end cut off (with an ellipsis) where it is wider than `most` pixels."""
        if self.width(text, size) <= most:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if self.width(_cut(text, middle), size) <= most:
                low = middle
            else:
                high = middle - 1
        return _cut(text, low)

    def _font_of(self, letter: str, before: int | None) -> int | None:
        """The font for a letter; marks and spaces stay with the letter before them."""
        if before is not None and unicodedata.category(letter) in _NEVER_SHOWN:
            return before
        if letter not in self._fonts_of:
            with self._searching:
                self._fonts_of[letter] = self._search(letter)
        return self._fonts_of[letter]

    def _search(self, letter: str) -> int | None:
        if not self._shapes and unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT:
            return None
        for index, font in enumerate(chain(self._fonts, self._more())):
            if font.has(letter):
                return index
        return -1 if self._last.has(letter) else None

    def _more(self) -> Iterator[FontFile]:
        for path in self._rest:
            self._fonts.append(FontFile(path))
            yield self._fonts[-1]

    def _latin(self) -> int:
        found = self._font_of("x", None)
        return -1 if found is None else found

    def _at(self, font: int, size: int) -> ImageFont.FreeTypeFont:
        return (self._last if font < 0 else self._fonts[font]).at(size)


def font_files() -> Iterator[Path]:
    """Font files of the extra's packages and of the system, those for plain text first."""
    packaged = list(chain.from_iterable(map(_in_package, PACKAGES)))
    system = list(chain.from_iterable(map(_in_folder, SYSTEM_FOLDERS)))
    by_name = {path.name: path for path in reversed(system)}
    preferred = [by_name[name] for name in PREFERRED if name in by_name]
    plain = [path for path in packaged if "Italic" not in path.name]
    rest = [path for path in system if path not in preferred]
    yield from chain(preferred, plain, sorted(rest, key=_oddity))


def _in_package(name: str) -> Iterator[Path]:
    spec = find_spec(name)
    for place in [] if spec is None else spec.submodule_search_locations or []:
        yield from _in_folder(place)


def _in_folder(folder: str) -> Iterator[Path]:
    place = Path(folder).expanduser()
    if place.is_dir():
        yield from sorted(path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES)


def _oddity(path: Path) -> tuple[int, str]:
    return sum(word in path.name for word in UNWANTED), path.name


def _escape(letter: str) -> str:
    point = ord(letter)
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _cut(text: str, length: int) -> str:
    return text if length >= len(text) else text[:length].rstrip() + "\u2026"
