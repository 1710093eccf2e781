"""Cut the table of what mail clients support out of an unpacked npm package `caniemail`.

    npm pack caniemail && tar -xzf caniemail-*.tgz
    python tools/caniemail.py package

Writes digest/checking/caniemail.json, or the file named second; docs/checks.md says what is in
it. Nothing is fetched.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[1] / "digest" / "checking" / "caniemail.json"
MOST_BYTES = 25_000

# Each column of the table: the client as `digest check --clients` calls it, where it runs, and
# where its results stand in the data. The later of two places fills what the first leaves open.
COLUMNS = (
    ("gmail", "web", "gmail.desktop-webmail"),
    ("gmail", "iPhone", "gmail.ios"),
    ("gmail", "Android", "gmail.android"),
    ("word", "", "outlook.windows"),
    ("outlook", "", "outlook.outlook-com"),
    ("outlook-mobile", "iPhone", "outlook.ios"),
    ("outlook-mobile", "Android", "outlook.android"),
    ("apple", "Mac", "apple-mail.macos"),
    ("apple", "iPhone", "apple-mail.ios"),
    ("yahoo", "web", "yahoo.desktop-webmail"),
    ("yahoo", "iPhone", "yahoo.ios"),
    ("yahoo", "Android", "yahoo.android"),
    ("samsung", "", "samsung-email.android"),
    ("thunderbird", "", "thunderbird.macos thunderbird.windows"),
    ("proton", "web", "protonmail.desktop-webmail"),
    ("proton", "iPhone", "protonmail.ios"),
    ("proton", "Android", "protonmail.android"),
    ("gmx", "web", "gmx.desktop-webmail"),
    ("gmx", "iPhone", "gmx.ios"),
    ("gmx", "Android", "gmx.android"),
)

# Features that say nothing about the HTML and CSS of a mail, that every mail has, or that the
# check `forbidden-element` refuses anyway.
LEFT_OUT = re.compile(
    "amp|bimi|image-(hdr|mp4)|css-(display|comments|nesting|rgb)"
    "|css-selector-(chaining|class|descendant|grouping|id|type)"
    "|html-(audio|base|body|button|comments|dialog|div|doctype|form|image-maps|img|input|link|lists"
    "|marquee|meter|object|p|popover|progress|required|select|span|svg|table|target|textarea|video)"
    "(-.*)?"
)

SIDES, ENDS, AXES = ("top", "right", "bottom", "left"), ("start", "end"), ("inline", "block")
LINE_PARTS = ("color", "style", "width")
FONTS = ("system-ui", "ui-serif", "ui-sans-serif", "ui-rounded", "ui-monospace")
SECTIONS = (
    "article aside details figcaption figure footer header main mark nav section summary time"
)

# What a mail must hold for a feature to be used, where its name does not say it: lists of words
# as digest/checking/uses.py finds them. An end of "-*" stands for all longhands.
KEYS = {
    "css-animation": ["property animation", "property animation-*"],
    "css-at-media-device-pixel-ratio": ["media -webkit-device-pixel-ratio"],
    "css-at-media-hover": ["media hover", "media any-hover"],
    "css-block-inline-size": ["property block-size"],
    "css-border": [
        "property border",
        *(f"property border-{part}" for part in (*SIDES, *LINE_PARTS)),
        *(f"property border-{side}-*" for side in SIDES),
    ],
    "css-border-inline-block": [f"property border-{axis}" for axis in AXES],
    "css-border-inline-block-individual": [
        f"property border-{axis}-{end}" for axis in AXES for end in ENDS
    ],
    "css-border-inline-block-longhand": [
        f"property border-{axis}-{part}" for axis in AXES for part in LINE_PARTS
    ],
    "css-border-radius": [
        "property border-radius",
        *(f"property border-{row}-{side}-radius" for row in SIDES[::2] for side in SIDES[1::2]),
    ],
    "css-border-radius-logical": [
        f"property border-{one}-{other}-radius" for one in ENDS for other in ENDS
    ],
    "css-column-layout-properties": [
        "property columns",
        *(f"property column-{part}" for part in ("fill", "rule", "rule-*", "span", "width")),
    ],
    "css-conic-gradient": ["function conic-gradient", "function repeating-conic-gradient"],
    "css-display-flex": ["pair display: flex", "pair display: inline-flex"],
    "css-display-grid": ["pair display: grid", "pair display: inline-grid"],
    "css-display-none": ["pair display: none"],
    "css-flex-direction": ["pair flex-direction: column"],
    "css-flex-wrap": ["pair flex-wrap: wrap"],
    "css-gap": [f"property {name}gap" for name in ("", "row-", "column-")],
    "css-grid-template": ["property grid-template", "property grid-template-*"],
    "css-important": ["value !important"],
    "css-inert-attribute": ["attribute inert"],
    "css-intrinsic-size": [f"value {name}-content" for name in ("fit", "min", "max")],
    "css-left-right-top-bottom": [f"property {side}" for side in SIDES],
    "css-linear-gradient": ["function linear-gradient", "function repeating-linear-gradient"],
    "css-margin": ["property margin", *(f"property margin-{side}" for side in SIDES)],
    "css-margin-block-start-end": [f"property margin-block-{end}" for end in ENDS],
    "css-margin-inline-block": [f"property margin-{axis}" for axis in AXES],
    "css-margin-inline-start-end": [f"property margin-inline-{end}" for end in ENDS],
    "css-modern-color": [f"function {name}" for name in ("lch", "oklch", "lab", "oklab")],
    "css-outline": ["property outline", *(f"property outline-{part}" for part in LINE_PARTS)],
    "css-overflow": ["property overflow", "property overflow-x", "property overflow-y"],
    "css-padding": ["property padding", *(f"property padding-{side}" for side in SIDES)],
    "css-padding-block-start-end": [f"property padding-block-{end}" for end in ENDS],
    "css-padding-inline-block": [f"property padding-{axis}" for axis in AXES],
    "css-padding-inline-start-end": [f"property padding-inline-{end}" for end in ENDS],
    "css-radial-gradient": ["function radial-gradient", "function repeating-radial-gradient"],
    "css-scroll-snap": ["property scroll-snap-*"],
    "css-selector-adjacent-sibling": ["selector +"],
    "css-selector-attribute": ["selector [attribute]"],
    "css-selector-child": ["selector >"],
    "css-selector-general-sibling": ["selector ~"],
    "css-selector-universal": ["selector *"],
    "css-sytem-ui": [f"value {name}" for name in FONTS],
    "css-transition": ["property transition", "property transition-*"],
    "css-unit-calc": ["function calc"],
    "css-unit-initial": ["value initial"],
    "css-unit-percent": ["unit %"],
    "css-variables": ["function var"],
    "html-anchor-links": ["link #"],
    "html-h1-h6": [f"element h{level}" for level in range(1, 7)],
    "html-mailto-links": ["link mailto:"],
    "html-meta-color-scheme": ["meta color-scheme"],
    "html-semantics": [f"element {name}" for name in SECTIONS.split()],
    "html-srcset": ["attribute srcset", "attribute sizes"],
    "image-base64": ["image data:"],
    "image-heif": ["image heif", "image heic"],
    "image-jpg": ["image jpg", "image jpeg"],
    "image-tiff": ["image tiff", "image tif"],
}

# How the names of the other features say what they are about; the first that fits counts.
ATTRIBUTES = (
    "align|aria-[a-z]+|background|cellpadding|cellspacing|dir|height|hidden|lang|loading|role"
    "|valign|width"
)
NAMED = (
    (r"css-at-media-([\w-]+)", "media {}"),
    (r"css-at-([\w-]+)", "at @{}"),
    (r"css-function-([\w-]+)", "function {}"),
    (r"css-(rgba)", "function {}"),
    (r"css-pseudo-class-([\w-]+)", "pseudo :{}"),
    (r"css-pseudo-element-([\w-]+)", "pseudo ::{}"),
    (r"css-unit-(\w+)", "unit {}"),
    (r"css-([a-z-]+)", "property {}"),
    (rf"html-({ATTRIBUTES})(?:-attribute)?", "attribute {}"),
    (r"html-([a-z]+)", "element {}"),
    (r"image-([a-z]+)", "image {}"),
)


def keys_of(slug: str) -> list[str]:
    """Return what a mail must hold to use the feature."""
    if slug in KEYS:
        return KEYS[slug]
    for pattern, key in NAMED:
        if match := re.fullmatch(pattern, slug):
            return [key.format(match[1])]
    raise SystemExit(f"Nobody has said yet what {slug} is; say it in {__file__}.")


def support(stats: dict[str, Any], places: str) -> str:
    """Return y, a (partly), n, or u (unknown) by the newest test that tells."""
    for place in places.split():
        family, platform = place.split(".")
        versions = stats.get(family, {}).get(platform, {})
        known = [value[0] for value in versions.values() if value[0] in "yan"]
        if known:
            return str(known[-1])  # the data lists them from the oldest to the newest
    return "u"


def rows(features: list[dict[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    """Yield each feature that some client lacks, with its support by column, then its keys."""
    for feature in sorted(features, key=lambda feature: str(feature["slug"])):
        slug = feature["slug"]
        if LEFT_OUT.fullmatch(slug):
            continue
        keys = keys_of(slug)
        found = "".join(support(feature["stats"], places) for _client, _where, places in COLUMNS)
        if re.search("[an]", found):
            yield slug, [found, *keys]


def main(arguments: list[str]) -> None:
    """Write the table from the package that is unpacked in the first folder named."""
    if not arguments:
        raise SystemExit("Name the unpacked package: python tools/caniemail.py package")
    package, target = Path(arguments[0]), Path(*arguments[1:2] or [TABLE])
    data = json.loads((package / "data" / "caniemail.json").read_text(encoding="utf-8"))
    version = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    table = {
        "source": f"caniemail {version}, data of {data['last_update_date'][:10]}",
        "columns": [[client, where] for client, where, _places in COLUMNS],
        "features": dict(rows(data["data"])),
    }
    text = json.dumps(table, separators=(",", ":")).replace('],"', '],\n"') + "\n"
    if len(text) > MOST_BYTES:
        raise SystemExit(f"The table has {len(text):,} bytes, more than {MOST_BYTES:,}.")
    target.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{target.name}: {len(table['features'])} features, {len(text):,} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1:])
