"""The ``mrsynth`` command: one module per subcommand, each a function that returns a report."""

from napari_mrsynth.cli._app import app, main
from napari_mrsynth.cli._output import Report, follow

__all__ = ["Report", "app", "follow", "main"]
