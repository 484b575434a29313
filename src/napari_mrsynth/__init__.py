"""Synthesis of missing brain-MRI contrasts, in napari and on the command line."""

__version__ = "0.1.0"
