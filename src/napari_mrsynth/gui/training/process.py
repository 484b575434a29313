"""A training in a process of its own: a crash there is a message here."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from qtpy.QtCore import QObject, QProcess, QProcessEnvironment, QTimer

from napari_mrsynth.progress import Progress

PROGRAM = ("-P", "-m", "napari_mrsynth.cli")
"""What Python runs: the command line, whether or not ``mrsynth`` is on the path.

A module, which Lightning can start again for every further device.
"""

PATIENCE_MS = 15_000
"""After an interrupt, how long a process may take to put its things in order."""

LAST_LINES = 12


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes
    ----------
    exit_code : int
    crashed : bool
        Whether the operating system ended it, or it could not be started.
    report : mapping
        The JSON object it printed; empty if it printed none.
    last_lines : tuple of str
        The last it said on standard error, progress left out.
    """

    exit_code: int
    crashed: bool = False
    report: Mapping[str, Any] = field(default_factory=dict)
    last_lines: tuple[str, ...] = ()


class Process(Protocol):
    """Runs ``mrsynth`` with arguments, one at a time, and says what comes of it."""

    def start(
        self, arguments: Sequence[str], told: Callable[[Progress], None], ended: Callable[[Ended], None]
    ) -> None:
        """Start; `told` and `ended` are called on the thread that called this."""

    def interrupt(self) -> None:
        """Ask it to end, as Ctrl-C does; it is ended by force if it does not."""

    def kill(self) -> None:
        """End it now, and hear no more of it."""


class QtProcess:
    """Runs ``mrsynth`` with this Python, watched by Qt's event loop.

    What it puts into temporary files goes with it, however it ends.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        self._parent = parent
        self._process: QProcess | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._half = b""
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._told: Callable[[Progress], None] = lambda _: None
        self._ended: Callable[[Ended], None] = lambda _: None

    def start(
        self, arguments: Sequence[str], told: Callable[[Progress], None], ended: Callable[[Ended], None]
    ) -> None:
        """Start ``mrsynth`` with `arguments`; nothing may be running."""
        process = QProcess(self._parent)
        self._temporary = tempfile.TemporaryDirectory(prefix="mrsynth-", ignore_cleanup_errors=True)
        environment = QProcessEnvironment.systemEnvironment()
        for name in ("TMPDIR", "TEMP", "TMP"):
            environment.insert(name, self._temporary.name)
        process.setProcessEnvironment(environment)
        self._process, self._half, self._told, self._ended = process, b"", told, ended
        self._lines.clear()
        process.readyReadStandardError.connect(self._read)
        process.finished.connect(self._finish)
        process.errorOccurred.connect(self._fail)
        process.start(sys.executable, [*PROGRAM, *arguments])

    def interrupt(self) -> None:
        """Send SIGINT where there is one, and kill it if it has not ended in time."""
        process = self._process
        if process is None:
            return
        if os.name == "posix" and process.processId() > 0:
            os.kill(process.processId(), signal.SIGINT)
            QTimer.singleShot(PATIENCE_MS, partial(self._lose_patience, process))
        else:
            process.kill()

    def kill(self) -> None:
        """End it without a word."""
        process, self._process = self._process, None
        if process is None:
            return
        for signal_ in (process.readyReadStandardError, process.finished, process.errorOccurred):
            signal_.disconnect()
        process.kill()
        process.waitForFinished(2000)
        process.deleteLater()
        self._clean()

    def _lose_patience(self, process: QProcess) -> None:
        if self._process is not None and process is self._process:
            process.kill()

    def _read(self) -> None:
        if self._process is None:
            return
        *lines, self._half = (self._half + bytes(self._process.readAllStandardError())).split(b"\n")
        newest: Progress | None = None
        for line in lines:
            text = line.decode(errors="replace").rstrip()
            progress = _progress(text)
            newest = progress or newest
            if progress is None and text:
                self._lines.append(text)
        if newest is not None:
            self._told(newest)

    def _finish(self, exit_code: int, status: QProcess.ExitStatus) -> None:
        process = self._process
        if process is None:
            return
        self._read()
        output = bytes(process.readAllStandardOutput()).decode(errors="replace")
        self._end(Ended(exit_code, status == QProcess.ExitStatus.CrashExit, _report(output)))

    def _fail(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            self._lines.append(self._process.errorString())
            self._end(Ended(-1, crashed=True))

    def _end(self, ended: Ended) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.deleteLater()
        self._clean()
        self._ended(Ended(ended.exit_code, ended.crashed, ended.report, tuple(self._lines)))

    def _clean(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None


def _progress(line: str) -> Progress | None:
    try:
        return Progress(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _report(output: str) -> Mapping[str, Any]:
    try:
        found = json.loads(output)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
