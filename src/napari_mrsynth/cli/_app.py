"""The command line as a whole: which subcommands there are, and how they end."""

from __future__ import annotations

import functools
import inspect
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Annotated, Any

import typer

from napari_mrsynth import __version__
from napari_mrsynth.cli import (
    crossvalidate,
    dataset,
    demo,
    doctor,
    evaluate,
    experiment,
    export,
    finetune,
    generate,
    inside,
    joyce,
    models,
    structure,
    study,
    synthesize,
    train,
)
from napari_mrsynth.cli._output import Report, only_the_report_on_stdout, say, to_json, told
from napari_mrsynth.errors import MrsynthError

Command = Callable[..., Report]
INTERRUPTED = 130  # what shells and typer mean by Ctrl-C

# A wrong command line. Typer exports only its child; where the parent lives depends on typer's version.
UsageError: type[Exception] = next(
    parent for parent in typer.BadParameter.__mro__ if parent.__name__ == "UsageError"
)

JsonFlag = Annotated[
    bool,
    typer.Option(
        "--json", help="Print exactly one JSON object to standard output, all else to standard error."
    ),
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 only on success, 2 on input the user can mend.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; by default those the process was started with.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    with suppress(AttributeError):  # of a stream that somebody put in its place
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # names beyond a pipe's encoding
    as_json = "--json" in given
    with warnings.catch_warnings(), only_the_report_on_stdout() if as_json else nullcontext():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        outcome = _run(given)
    if isinstance(outcome, int):  # help or the version was shown
        return outcome
    text = to_json(outcome.payload) if as_json else outcome.text
    if text and not told(text):
        return outcome.exit_code or 1
    return outcome.exit_code


def _run(arguments: list[str]) -> Report | int:
    try:
        outcome: Report | int = app(arguments, prog_name="mrsynth", standalone_mode=False)
    except MrsynthError as error:
        say(f"Error: {error.message}" + (f"\n{error.hint}" if error.hint else ""))
        return _failure(error.exit_code, type(error).__name__, error.message, error.hint)
    except UsageError as error:
        error.show()  # type: ignore[attr-defined]
        message = error.format_message()  # type: ignore[attr-defined]
        return _failure(2, "UsageError", message, "See the command's --help.")
    except (KeyboardInterrupt, typer.Abort):
        outcome = INTERRUPTED
    except Exception as error:
        traceback.print_exc()
        hint = "This is a fault of the program: report it with the output of `mrsynth doctor`."
        say(hint)
        return _failure(1, type(error).__name__, str(error), hint)
    if outcome == INTERRUPTED:
        say("Cancelled.")
        return _failure(INTERRUPTED, "Cancelled", "Cancelled by the user.", "")
    return outcome


def _failure(exit_code: int, kind: str, message: str, hint: str) -> Report:
    return Report({"error": {"type": kind, "message": message, "hint": hint}}, "", exit_code)


def _taking_json(function: Command) -> Command:
    """Give a subcommand the ``--json`` flag; what it changes is the business of :func:`main`."""

    @functools.wraps(function)
    def command(*, json: bool, **arguments: Any) -> Report:
        return function(**arguments)

    signature = inspect.signature(function, eval_str=True)
    flag = inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=JsonFlag)
    taking = signature.replace(parameters=[*signature.parameters.values(), flag])
    command.__signature__ = taking  # type: ignore[attr-defined]
    command.__annotations__ = {name: taken.annotation for name, taken in taking.parameters.items()}
    return command


def _group(summary: str) -> typer.Typer:
    return typer.Typer(help=summary, no_args_is_help=True, add_completion=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(__version__ + "\n")
        raise typer.Exit


def _whole(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Synthesise missing brain-MRI contrasts. For research, not for diagnosis."""


def _assemble() -> typer.Typer:
    whole = _group("")
    whole.callback()(_whole)
    _fill(
        whole,
        {
            "study": study.study,
            "synthesize": synthesize.synthesize,
            "inside": inside.inside,
            "structure": structure.structure,
            "generate": generate.generate,
            "evaluate": evaluate.evaluate,
            "train": train.train,
            "crossvalidate": crossvalidate.crossvalidate,
            "finetune": finetune.finetune,
            "export": export.export,
            "demo": demo.demo,
            "doctor": doctor.doctor,
        },
    )
    bundles = _group("The installed models: list them, show a card, verify the weights.")
    _fill(bundles, {"list": models.list_models, "show": models.show, "verify": models.verify})
    whole.add_typer(bundles, name="models")
    sets = _group("Labelled synthetic data sets: build one, and verify what it is good for.")
    _fill(sets, {"build": dataset.build, "verify": dataset.verify})
    whole.add_typer(sets, name="dataset")
    tables = _group("The project's published tables, each made by one command.")
    _fill(
        tables,
        {
            "any-subset": experiment.any_subset,
            "joyce-unimodal": joyce.unimodal,
            "joyce-missing": joyce.missing,
            "joyce-misaligned": joyce.misaligned,
            "joyce-transfer": joyce.transfer,
        },
    )
    whole.add_typer(tables, name="experiment")
    return whole


def _fill(group: typer.Typer, commands: Mapping[str, Command]) -> None:
    for name, function in commands.items():
        group.command(name)(_taking_json(function))


app = _assemble()
