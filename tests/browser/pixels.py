"""What is really painted: the colours of a screenshot, and the shapes of signs."""

import base64
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

# Each piece of text that can be seen, line by line, with its place on the page; `large` is WCAG's.
LINES = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let node, number = 0; node = walker.nextNode(); number++) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      if (box.width < 1) continue;
      found.push({text: node.textContent.trim(), node: number, large, x: box.x + scrollX,
        y: box.y + scrollY, width: box.width, height: box.height});
    }
  }
  return found;
}"""
# For each box of a picture: the colour that covers most of it, and the one that contrasts most.
EXTREMES = """async ([source, scale, boxes]) => {
  const image = new Image();
  image.src = source;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.drawImage(image, 0, 0);
  const linear = value =>
    value <= 10.31475 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([red, green, blue]) =>
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  return boxes.map(box => {
    const [x, y, width, height] = box.map(number => Math.round(number * scale));
    const {data} = context.getImageData(x, y, width, height);
    const counts = new Map();
    for (let at = 0; at < data.length; at += 4) {
      const key = data[at] << 16 | data[at + 1] << 8 | data[at + 2];
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const colours = [...counts].sort((one, other) => other[1] - one[1])
      .map(([key]) => [key >> 16, key >> 8 & 255, key & 255]);
    const ground = colours[0];
    const ratio = colour => {
      const [low, high] = [light(ground), light(colour)].sort((one, other) => one - other);
      return (high + 0.05) / (low + 0.05);
    };
    return {ground: light(ground), contrast: Math.max(...colours.map(ratio))};
  });
}"""
SCALE = 2  # so that the stems of the smallest letters are painted in their full colour


@dataclass(frozen=True)
class Painted:
    """One line of text as it is painted: luminance of its background, and its contrast to that."""

    text: str
    is_large: bool
    ground: float
    contrast: float


def painted_lines(page: Page, canvas: Page) -> list[Painted]:
    """Return what a screenshot of `page` (opened with SCALE) shows for each line of text.

    Args:
        page: The mail.
        canvas: Any other page; it takes the screenshot apart.
    """
    lines: list[dict[str, Any]] = page.evaluate(LINES)
    shot = base64.b64encode(page.screenshot(full_page=True)).decode()
    boxes = [[line[side] for side in ("x", "y", "width", "height")] for line in lines]
    found = canvas.evaluate(EXTREMES, [f"data:image/png;base64,{shot}", SCALE, boxes])
    painted: dict[tuple[int, int], Painted] = {}
    for line, one in zip(lines, found, strict=True):
        # Where two directions meet, one line has several boxes, and some hold nothing but a blank.
        place = line["node"], round(line["y"])
        most = max(one["contrast"], painted[place].contrast if place in painted else 1)
        painted[place] = Painted(line["text"], line["large"], one["ground"], most)
    return list(painted.values())
