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
XVFB = ("xvfb-run", "--auto-servernum", "--server-args=-screen 0 1680x1050x24")


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the screenshot and the NIfTI go.")] = OUT,
    close: Annotated[
        bool,
        typer.Option("--close", help="Close the window when the contrast is made, as without a display."),
    ] = False,
) -> Report:
    """Open the sample patient, make a missing contrast and show it; save a screenshot and the NIfTI."""
    folder = absolute(out)
    command = [sys.executable, "-m", "napari_mrsynth.gui.demo", "--out", str(folder)]
    virtual = not has_display()
    if virtual:
        if shutil.which(XVFB[0]) is None:
            raise DeviceError(
                "There is no display, and no xvfb-run to make a virtual one.",
                hint="Install Xvfb (Debian: apt-get install xvfb xauth), or use `mrsynth synthesize`.",
            )
        say("There is no display: the demo runs on a virtual one.")
        command = [*XVFB, *command]
    if virtual or close:
        command.append("--close")
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise MrsynthError(
            f"The demo ended with code {done.returncode}.", hint="`mrsynth doctor` says what is missing."
        )
    written = [line for line in done.stdout.splitlines() if line and Path(line).is_file()]
    return Report({"written": written, "virtual_display": virtual}, "\n".join(written))


def has_display() -> bool:
    """Whether a window can be opened here: always outside Linux, else when X or Wayland is announced."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
