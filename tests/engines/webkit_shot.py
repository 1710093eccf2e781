"""Shows an HTML file in WebKitGTK. Runs in the system's Python, which has Debian's bindings.

    python3 webkit_shot.py MAIL.html WIDTH SCRIPT.js OUT

writes what the script returns to OUT.json and a picture of the whole page to OUT.png.
"""

import sys
from pathlib import Path

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import GLib, Gtk, WebKit2  # noqa: E402  # only once their versions are named

PATIENCE = 60  # seconds
SETTLING = 500  # milliseconds for the fonts


def main(mail: str, width: str, script: str, out: str) -> None:
    """Load, wait, measure, take the picture, end."""
    window = Gtk.OffscreenWindow()
    window.set_default_size(int(width), 1200)
    view = WebKit2.WebView()
    view.set_size_request(int(width), 1200)
    window.add(view)
    window.show_all()

    def loaded(_view: object, event: WebKit2.LoadEvent) -> None:
        if event == WebKit2.LoadEvent.FINISHED:
            GLib.timeout_add(SETTLING, measure)

    def measure() -> bool:
        view.evaluate_javascript(Path(script).read_text("utf-8"), -1, None, None, None, measured)
        return False

    def measured(_view: object, result: object) -> None:
        found = view.evaluate_javascript_finish(result).to_string()
        Path(f"{out}.json").write_text(found, "utf-8")
        region = WebKit2.SnapshotRegion.FULL_DOCUMENT
        view.get_snapshot(region, WebKit2.SnapshotOptions.NONE, None, taken)

    def taken(_view: object, result: object) -> None:
        view.get_snapshot_finish(result).write_to_png(f"{out}.png")
        Gtk.main_quit()

    view.connect("load-changed", loaded)
    view.load_html(Path(mail).read_text("utf-8"), "about:blank")
    GLib.timeout_add_seconds(PATIENCE, sys.exit, 3)
    Gtk.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
