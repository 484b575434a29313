"""The one error tree: what went wrong, quoting the offending value, and what to do about it."""

from __future__ import annotations


class MrsynthError(Exception):
    """Base of every error the project raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong, quoting the offending value (a path, a name, a shape).
    hint : str, optional
        What the user can do about it, as a full sentence.

    Attributes
    ----------
    exit_code : int
        What the command line exits with: 2 for input the user can mend, 1 otherwise.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InputError(MrsynthError):
    """Something the user gave cannot be used as given."""

    exit_code = 2


class FormatError(InputError):
    """A file is not a readable image, or not of the kind that was asked for."""


class GridError(InputError):
    """Two images do not share a space, or a space is not usable."""


class ContrastError(InputError):
    """A contrast is unknown, missing, claimed twice or not what the model was trained for."""


class LabelError(InputError):
    """A label map is empty, not integer, or has classes nobody named."""


class ConfigError(InputError):
    """A configuration has unknown keys or values of the wrong type."""


class BundleError(InputError):
    """A model bundle is missing, damaged, or asks for something this version does not have."""


class OutputError(InputError):
    """A result cannot be written where it was asked for."""


class DeviceError(MrsynthError):
    """The chosen device or precision is not available here."""

    exit_code = 2


class SampleError(MrsynthError):
    """Sample data cannot be made or fetched."""
