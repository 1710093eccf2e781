"""The little CSS that mails use: declarations, colours, lengths, and the at-rules of a sheet."""

import re
from collections.abc import Iterator

MAX_STYLE = 10_000
"""Characters of a style attribute that are looked at; a longer one is an attack, no style."""

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_STRING = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
_DECLARATION = re.compile(r"(?:\"[^\"]*\"|'[^']*'|\([^()]*\)|[^;])+")
_URL = re.compile(r"url\(\s*(\"[^\"]*\"|'[^']*'|[^)]*)", re.IGNORECASE)
_HEX = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})")
_RGB = re.compile(r"rgba?\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})\s*\)")
_LENGTH = re.compile(r"(\d{1,5}(?:\.\d{1,6})?|\.\d{1,6})(px|pt|em|rem|%)?")

NAMED = {
    "black": "#000000", "white": "#ffffff", "gray": "#808080", "grey": "#808080",
    "silver": "#c0c0c0", "red": "#ff0000", "maroon": "#800000", "orange": "#ffa500",
    "yellow": "#ffff00", "olive": "#808000", "lime": "#00ff00", "green": "#008000",
    "aqua": "#00ffff", "cyan": "#00ffff", "teal": "#008080", "blue": "#0000ff",
    "navy": "#000080", "fuchsia": "#ff00ff", "magenta": "#ff00ff", "purple": "#800080",
    "pink": "#ffc0cb", "brown": "#a52a2a", "gold": "#ffd700", "whitesmoke": "#f5f5f5",
    "lightgray": "#d3d3d3", "lightgrey": "#d3d3d3", "darkgray": "#a9a9a9", "dimgray": "#696969",
}  # fmt: skip

Colour = tuple[int, int, int]


def declarations(style: str) -> tuple[tuple[str, str], ...]:
    """Return the (property, value) pairs of a style attribute, both in lower case."""
    found = []
    for part in _DECLARATION.findall(_COMMENT.sub("", style[:MAX_STYLE])):
        name, colon, value = part.partition(":")
        if colon:
            value = value.lower().replace("!important", "")
            found.append((name.strip().lower(), value.strip()))
    return tuple(found)


def urls(css: str) -> tuple[str, ...]:
    """Return what each url() names, without quotes."""
    return tuple(url.strip(" \t\r\n\"'") for url in _URL.findall(_COMMENT.sub("", css)))


def bare(css: str) -> str:
    """Return the CSS without comments and the insides of strings, on the same lines."""
    css = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), css)
    return _STRING.sub('""', css)


def colour(value: str) -> Colour | None:
    """Return the colour that `value` is, or None where it is none that is known."""
    value = value.strip().lower()
    value = NAMED.get(value, value)
    if match := _HEX.fullmatch(value):
        digits = match[1] if len(match[1]) == 6 else "".join(2 * digit for digit in match[1])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    if match := _RGB.fullmatch(value):
        red, green, blue = (min(255, int(part)) for part in match.groups())
        return red, green, blue
    return None


def pixels(value: str, *, em: float, percent_of: float) -> float | None:
    """Return the length `value` in CSS pixels, or None where it is none.

    Args:
        value: Such as "16px", "1.2em", "120%"; a number without unit counts in `em`.
        em: The font size that it refers to, in CSS pixels.
        percent_of: What 100% is, in CSS pixels.
    """
    match = _LENGTH.fullmatch(value)
    if not match:
        return None
    size = {"px": 1.0, "pt": 4 / 3, "rem": 16.0, "%": percent_of / 100}.get(match[2], em)
    return float(match[1]) * size


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def nested_at_rules(css: str) -> Iterator[str]:
    """Yield each at-rule that begins inside another one, such as "@media"."""
    css, blocks, pending = bare(css), [], ""
    for part in re.findall(r"@[\w-]+|[{};]", css):
        if part == "{":
            blocks.append(pending)
            pending = ""
        elif part == "}":
            if blocks:
                blocks.pop()
        elif part == ";":
            pending = ""
        else:
            if any(blocks):
                yield part
            pending = part


def _luminance(colour: Colour) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
