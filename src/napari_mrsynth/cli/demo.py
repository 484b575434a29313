"""``mrsynth demo``: the sample patient in a real napari window, on a virtual display if need be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from napari_mrsynth.cli._output import Report, absolute, say
from napari_mrsynth.errors import DeviceError, MrsynthError

OUT = Path("mrsynth-demo")
WINDOW = (sys.executable, "-m", "napari_mrsynth.gui.demo")
VIRTUAL_DISPLAY = ("xvfb-run", "--auto-servernum", "--server-args=-screen 0 1680x1050x24")


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the screenshot and the NIfTI go.")] = OUT,
    close: Annotated[
        bool,
        typer.Option("--close", help="Close the window when the contrast is made, as without a display."),
    ] = False,
) -> Report:
    """Open the sample patient, make a missing contrast and show it; save a screenshot and the NIfTI."""
    command = [*WINDOW, "--out", str(absolute(out))]
    virtual = not has_display()
    if virtual:
        if shutil.which(VIRTUAL_DISPLAY[0]) is None:
            raise DeviceError(
                "There is no display, and no xvfb-run to make a virtual one.",
                hint="Install Xvfb (Debian: apt-get install xvfb xauth), or use `mrsynth synthesize`.",
            )
        say("There is no display: the demo runs on a virtual one.")
        command = [*VIRTUAL_DISPLAY, *command]
    if virtual or close:
        command.append("--close")
    written = _run(command)
    return Report({"written": written, "virtual_display": virtual}, "\n".join(written))


def _run(command: list[str]) -> list[str]:
    """Run the window to its end, telling each file when it is there, and return the files."""
    written = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as window:
        for line in window.stdout or ():
            path = line.rstrip("\n")
            if path and Path(path).is_file():
                written.append(path)
                say(f"Saved {path}")
    if window.returncode != 0:
        raise MrsynthError(
            f"The demo ended with code {window.returncode}.", hint="`mrsynth doctor` says what is missing."
        )
    return written


def has_display() -> bool:
    """Whether a window can be opened here: always outside Linux, else when X or Wayland is announced."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
