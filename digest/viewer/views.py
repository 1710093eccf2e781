"""The ways to look at the mail that the viewer offers, and what each of them stands for."""

from typing import NamedTuple

from digest.viewer.simulations import Simulations


class View(NamedTuple):
    """One way to look at the mail: a tab, and what is said above the mail."""

    id: str
    name: str
    caption: str


class Panel(NamedTuple):
    """The mail as one document for a frame, "" for the text part, and the views that show it.

    Views that differ in nothing but the frame's width share a panel, and so the pictures in it.
    """

    document: str
    views: tuple[View, ...]

    @property
    def name(self) -> str:
        """What the frame shows, for those who listen."""
        return ", ".join(view.name for view in self.views)


def panels(simulations: Simulations) -> tuple[Panel, ...]:
    """Return the panels in the order of their tabs."""
    text = "The plain text part, as terminals and watches show it."
    return (
        Panel(
            simulations.light,
            (
                View(
                    "desktop",
                    "Desktop",
                    "An approximation of a desktop client that keeps all styles.",
                ),
                View(
                    "phone",
                    "Phone 390",
                    "An approximation of most phones of today: 390 pixels wide.",
                ),
                View(
                    "small",
                    "Phone 320",
                    "An approximation of a small phone, or of large letters: 320.",
                ),
            ),
        ),
        *_dark(simulations),
        *_clients(simulations),
        Panel("", (View("text", "Text", text),)),
    )


def _dark(simulations: Simulations) -> tuple[Panel, ...]:
    own = (
        "An approximation of clients that show the mail's own dark colours: Apple Mail, Outlook "
        "for Mac and on phones, Samsung."
        if simulations.has_dark_rules
        else "An approximation of clients that show a mail's own dark colours. This mail has no "
        "dark colours of its own, so they show it light."
    )
    inverted = (
        "An approximation of clients that turn every colour round and leave the mail no say, "
        "such as Gmail on iOS."
    )
    return (
        Panel(simulations.dark, (View("dark", "Dark", own),)),
        Panel(simulations.inverted, (View("inverted", "Dark, inverted", inverted),)),
    )


def _clients(simulations: Simulations) -> tuple[Panel, ...]:
    gmail = (
        "An approximation of Gmail on the web: sheets with nested @ rules, faults or more than "
        "16 KB are gone, and so are dark colours, most pseudo-classes, and the body."
    )
    stripped = (
        "An approximation of Gmail's apps with an account of another provider: no style sheet is "
        "left, only inline styles."
    )
    word = (
        "An approximation of classic Outlook on Windows, 800 pixels wide: the parts for it are "
        "shown, and what Word does not know is gone, such as padding outside of cells, widths of "
        "anything but tables, and round corners."
    )
    images = (
        "An approximation of classic Outlook and Thunderbird until the reader asks for pictures."
    )
    return (
        Panel(simulations.gmail, (View("gmail", "Gmail", gmail),)),
        Panel(simulations.stripped, (View("stripped", "Styles stripped", stripped),)),
        Panel(simulations.word, (View("word", "Outlook (Word)", word),)),
        Panel(simulations.images_off, (View("images", "Images off", images),)),
    )
