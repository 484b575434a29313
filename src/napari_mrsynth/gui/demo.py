"""The demo: opens the digital brain, makes its FLAIR from T1w and T2w in the real window, and saves both.

``python -m napari_mrsynth.gui.demo --out DIR [--close]`` prints the path of the screenshot and of every image
that was written, one per line, and leaves the window open unless it is told to close it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mrsynth.errors import MrsynthError
from napari_mrsynth.session.status import State, Status

if TYPE_CHECKING:
    from napari_mrsynth.gui.dock import SynthesisDock
    from napari_mrsynth.session import SynthesisSession

SAMPLE = "digital-brain"
MADE = "FLAIR"
SIZE = (1440, 940)


def main(arguments: list[str] | None = None) -> int:
    """Run the demo and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m napari_mrsynth.gui.demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("mrsynth-demo"), help="where the files go")
    parser.add_argument("--close", "--headless", action="store_true", help="close the window at the end")
    given = parser.parse_args(arguments)
    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer(title="napari-mrsynth demo", show=False)
    viewer.window.show()
    viewer.window.resize(*SIZE)  # after it was shown: napari gives it the size it last had
    try:
        _, dock = viewer.window.add_plugin_dock_widget("napari-mrsynth", "Synthesis")
        written = play(dock, given.out)
        QApplication.processEvents()  # what was said last is laid out before the picture is taken
        picture = given.out / "screenshot.png"
        viewer.screenshot(str(picture), canvas_only=False)
    except MrsynthError as error:
        sys.stderr.write(f"{error}\n")
        viewer.close()
        return error.exit_code
    sys.stdout.write("".join(f"{path.resolve()}\n" for path in (picture, *written)))
    sys.stdout.flush()
    if given.close:
        viewer.close()
    else:
        napari.run()
    return 0


def play(dock: SynthesisDock, folder: Path) -> tuple[Path, ...]:
    """Open the sample, switch FLAIR off, make it from T1w and T2w, save it, as a user would.

    Returns
    -------
    tuple of Path
        The images that were written into `folder`.

    Raises
    ------
    MrsynthError
        What the dock says when something cannot be done.
    """
    session = dock.session
    folder.mkdir(parents=True, exist_ok=True)
    session.open_sample(SAMPLE)
    wait(session)
    dock.presenter.finish_layers()
    session.switch(MADE, False)
    for row in session.make_rows:
        session.want(row.contrast, row.contrast == MADE)
    dock.run.run.click()
    wait(session)
    if session.result is None:
        raise MrsynthError(session.status.message, hint=session.status.hint)
    session.save(folder, overwrite=True)
    targets = tuple(session.targets(folder).values())
    wait(session)
    return targets


def wait(session: SynthesisSession) -> None:
    """Let the window live until the session's job has ended.

    Raises
    ------
    MrsynthError
        If it failed, or nothing could be done.
    """
    from qtpy.QtCore import QEventLoop

    loop = QEventLoop()

    def look(status: Status) -> None:
        if status.state is not State.BUSY:
            loop.quit()

    session.status_changed.connect(look)
    if session.busy:
        loop.exec()
    session.status_changed.disconnect(look)
    if session.status.state is State.FAILED:
        raise MrsynthError(session.status.message, hint=session.status.hint)


if __name__ == "__main__":
    sys.exit(main())
