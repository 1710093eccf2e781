"""Themes: the design of a mail as tokens, read from templates/themes/NAME/tokens.toml.

A theme is checked before anything is rendered: every token is there and of its kind, and every text
stands out from what is behind it, in light and in dark.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_origin

import msgspec
from msgspec import Meta

from digest.checking.css import colour, contrast
from digest.errors import ConfigError, RenderError
from digest.rendering.locales import known_scripts
from digest.settings import allowed

TOKENS_FILE = "tokens.toml"
MAX_BYTES = 100_000
LARGE = 24
LEAST, LEAST_LARGE = 4.5, 3.0
"""The contrast of text, and of text of LARGE pixels or more (WCAG 2.2, AA)."""

Hex = Annotated[
    str, Meta(pattern=r"^#[0-9a-f]{6}\Z", description="# and six of 0-9 and a-f, like #1d1b18")
]
FontList = Annotated[
    str,
    Meta(
        pattern=r'^[A-Za-z0-9," -]+\Z',
        min_length=5,
        max_length=200,
        description='names of fonts with commas between, like Georgia, "Times New Roman", serif',
    ),
]
Pixels = Annotated[int, Meta(ge=0, le=96)]
Font = Annotated[int, Meta(ge=13, le=96)]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a theme's tables: frozen, nothing missing, nothing unknown."""


class Colour(Part, frozen=True):
    """One colour as light and as dark mails show it."""

    light: Hex
    dark: Hex


class Size(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A font size and its line height, in CSS pixels."""

    font: Font
    line: Annotated[int, Meta(ge=13, le=140)]


class Space(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The room above and below, in CSS pixels."""

    top: Pixels
    bottom: Pixels


class Colours(Part, frozen=True):
    """The palette; docs/themes.md says where each is seen."""

    page: Colour
    sheet: Colour
    ink: Colour
    text: Colour
    quiet: Colour
    accent: Colour
    stars: Colour
    place: Colour
    rule: Colour
    edge: Colour
    bar: Colour
    button: Colour
    button_text: Colour
    picture: Colour
    callout: Colour
    lead: Colour
    lead_rule: Colour
    lead_ink: Colour
    lead_text: Colour
    lead_quiet: Colour
    lead_accent: Colour
    lead_stars: Colour


class ScriptFonts(Part, frozen=True):
    """Fonts for a script, and its line heights in per cent of the theme's."""

    text: FontList
    headline: FontList
    leading: Annotated[int, Meta(ge=100, le=150)]


class Fonts(Part, frozen=True):
    """Fonts, each a list of which a reader's machine takes the first that it has."""

    text: FontList
    headline: FontList
    scripts: dict[str, ScriptFonts]


class Sizes(Part, frozen=True):
    """Sizes of text."""

    name: Size
    week: Size
    intro: Size
    label: Size
    lead_headline: Size
    lead_kicker: Size
    lead_summary: Size
    lead_facts: Size
    button: Size
    section: Size
    place: Size
    kicker: Size
    headline: Size
    summary: Size
    facts: Size
    small: Size


class PhoneSizes(Part, frozen=True):
    """Sizes that differ on phones."""

    name: Size
    lead_headline: Size
    headline: Size
    place: Size


class Spacing(Part, frozen=True):
    """Room around things, in CSS pixels."""

    side: Pixels
    side_phone: Pixels
    masthead: Space
    intro: Space
    lead: Space
    lead_gap: Annotated[int, Meta(ge=6, le=40)]
    section: Space
    story: Space
    story_gap: Annotated[int, Meta(ge=2, le=40)]


class Shape(Part, frozen=True):
    """Widths and corners, in CSS pixels."""

    width: Annotated[int, Meta(ge=480, le=640)]
    place: Annotated[int, Meta(ge=16, le=96)]
    place_phone: Annotated[int, Meta(ge=16, le=96)]
    thumbnail: Annotated[int, Meta(ge=48, le=160)]
    radius: Annotated[int, Meta(ge=0, le=24)]
    edge: Annotated[int, Meta(ge=0, le=8)]
    bar: Annotated[int, Meta(ge=0, le=8)]


class Layout(Part, frozen=True):
    """Which of the templates' arrangements a theme takes."""

    masthead: Literal["start", "centre", "columns"]
    intro: Literal["plain", "callout"]
    kicker: Literal["above", "two lines", "below"]
    pictures: Literal["none", "lead", "all"]
    stars: Literal["lead", "all"]


class Theme(Part, frozen=True):
    """A theme, checked. `fonts.text`, `fonts.headline` and all lines are those of one script."""

    colours: Colours
    fonts: Fonts
    sizes: Sizes
    phone: PhoneSizes
    spacing: Spacing
    shape: Shape
    layout: Layout

    @property
    def picture_width(self) -> int:
        """How wide the lead's picture is."""
        return self.shape.width - 2 * self.spacing.side


_Sized = TypeVar("_Sized", Sizes, PhoneSizes)

# Each text, what is behind it, and all sizes that the sheets and layouts show it in.
_PAIRS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("ink", "sheet", ("name", "section", "headline")),
    ("text", "sheet", ("intro", "summary", "facts")),
    ("quiet", "sheet", ("week", "kicker", "facts")),
    ("accent", "sheet", ("kicker", "facts")),
    ("stars", "sheet", ("facts",)),
    ("place", "sheet", ("place",)),
    ("ink", "page", ("small",)),
    ("quiet", "page", ("small",)),
    ("button_text", "button", ("button",)),
    ("text", "callout", ("intro",)),
    ("quiet", "picture", ("week", "small")),
    ("lead_ink", "lead", ("lead_headline",)),
    ("lead_text", "lead", ("lead_summary", "lead_facts")),
    ("lead_quiet", "lead", ("lead_kicker", "lead_facts")),
    ("lead_accent", "lead", ("label", "lead_kicker")),
    ("lead_stars", "lead", ("facts", "lead_facts")),
)


def load_theme(folders: Sequence[Path], name: str, *, script: str = "Latn") -> Theme:
    """Return the theme, with the fonts and line heights of the mail's script.

    Args:
        folders: Template folders; the first that has the theme counts.
        name: Its folder in themes/.
        script: An ISO 15924 code, such as "Arab".

    Raises:
        ConfigError: There is no theme of that name; the message lists those that there are.
        RenderError: Its file cannot be read, lacks a token, has one that is none, or a text would
            not stand out. The message tells all that is wrong.
    """
    path = _file(folders, name)
    shown = f"templates/themes/{name}/{TOKENS_FILE}"
    table = _read(path, shown)
    wrong = list(_faults(Theme, table, ""))
    if not wrong:
        theme = msgspec.convert(table, Theme)
        wrong = list(_faint(theme))
        if not wrong:
            return _in_script(theme, script)
    raise _broken(shown, wrong)


def _broken(shown: str, wrong: Sequence[str]) -> RenderError:
    listed = "; ".join(wrong)
    return RenderError(
        f"{shown}: {listed}. Nothing was written.",
        hint="Correct that file; docs/themes.md lists the tokens.",
    )


def _file(folders: Sequence[Path], name: str) -> Path:
    for folder in folders:
        path = folder / "themes" / name / TOKENS_FILE
        if path.is_file():
            return path
    names = sorted(
        {file.parent.name for folder in folders for file in folder.glob(f"themes/*/{TOKENS_FILE}")}
    )
    near = difflib.get_close_matches(name, names, n=1)
    meant = f"; did you mean {near[0]}?" if near else "."
    raise ConfigError(
        f"There is no theme {name}: no template folder has themes/{name}/{TOKENS_FILE}{meant} "
        "Nothing was written.",
        hint=f"Set newsletter.theme to one that there is: {', '.join(names) or 'none is there'}.",
    )


def _read(path: Path, shown: str) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _broken(shown, ["it is larger than 100 kB, so it is no list of tokens"])
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(shown, [f"it cannot be read: {error}"]) from error


def _faults(kind: Any, value: Any, name: str) -> Iterator[str]:
    """Yield what is wrong with the table or token `name`: keys and values, in all tables."""
    is_table = isinstance(kind, type) and issubclass(kind, Part)
    if not is_table and get_origin(kind) is not dict:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            yield f"{name} is {value!r}, and must be {_right(kind)}"
    elif not isinstance(value, dict):
        yield f"{name} must be a table"
    else:
        place = f"{name}." if name else ""
        yield from _table_faults(kind, value, place) if is_table else _script_faults(value, place)


def _table_faults(kind: type[Part], table: Mapping[str, Any], place: str) -> Iterator[str]:
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for key in sorted(table.keys() - fields.keys()):
        near = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
        there = ", ".join(fields)
        yield f"{place}{key[:60]} is no token; " + (
            f"did you mean {near[0]}?" if near else f"there are {there}"
        )
    for key, inner in fields.items():
        if key not in table:
            yield f"{place}{key} is missing"
        else:
            yield from _faults(inner, table[key], f"{place}{key}")


def _script_faults(table: Mapping[str, Any], place: str) -> Iterator[str]:
    """Yield each key that is no script, and what is wrong with the fonts of those that are."""
    scripts = known_scripts()
    for key, fonts in table.items():
        if key in scripts:
            yield from _faults(ScriptFonts, fonts, f"{place}{key}")
            continue
        near = difflib.get_close_matches(key.capitalize()[:60], [*scripts, *scripts.values()], n=1)
        meant = next((code for code in scripts if near and near[0] in (code, scripts[code])), None)
        yield f"{place}{key[:60]} is no script; " + (
            f"did you mean {meant}?" if meant else "it must be a code of ISO 15924, like Arab"
        )


def _right(kind: Any) -> str:
    """Return in words what a token of the type `kind` may be."""
    if isinstance(kind, type):
        pair = "font size and line height" if kind is Size else "top and bottom"
        return f"[{pair}] in whole pixels"
    return allowed(kind)


def _faint(theme: Theme) -> Iterator[str]:
    """Yield each text that does not stand out from what is behind it where it is smallest."""
    for text, ground, names in _PAIRS:
        font, size = _smallest(theme, names)
        least = LEAST_LARGE if font >= LARGE else LEAST
        for scheme in ("light", "dark"):
            one, other = (
                colour(getattr(getattr(theme.colours, token), scheme)) for token in (text, ground)
            )
            if one and other and (ratio := contrast(one, other)) < least:
                yield (
                    f"colours.{text} on colours.{ground} has a contrast of {ratio:.2f} to 1 in "
                    f"{scheme} mails, and {least:g} is needed, as {size} is {font} pixels"
                )


def _smallest(theme: Theme, names: Sequence[str]) -> tuple[int, str]:
    """Return the smallest font size of those, phones included, and the token that sets it."""
    return min(
        (getattr(sizes, name).font, f"{table}.{name}")
        for table, sizes in (("sizes", theme.sizes), ("phone", theme.phone))
        for name in names
        if hasattr(sizes, name)
    )


def _in_script(theme: Theme, script: str) -> Theme:
    own = theme.fonts.scripts.get(script)
    if own is None:
        return theme
    fonts = msgspec.structs.replace(theme.fonts, text=own.text, headline=own.headline)
    return msgspec.structs.replace(
        theme,
        fonts=fonts,
        sizes=_leaded(theme.sizes, own.leading),
        phone=_leaded(theme.phone, own.leading),
    )


def _leaded(sizes: _Sized, leading: int) -> _Sized:
    changed: Mapping[str, Size] = {
        field.name: Size(
            getattr(sizes, field.name).font, round(getattr(sizes, field.name).line * leading / 100)
        )
        for field in msgspec.structs.fields(sizes)
    }
    return msgspec.structs.replace(sizes, **changed)
