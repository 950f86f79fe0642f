"""The command line of the scripts: one flag a setting, one-line errors, exit codes.

Exit codes: 0, everything asked for was done; 1, some inputs were refused and the others answered;
2, nothing was answered; 130, interrupted.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from params import EVALUATE, FIRST, GONE, PRESETS, Params, check, flag
from sentiment import files
from sentiment.errors import UserError, log

METAVARS = {str: "TEXT", int: "N", float: "X"}


class Parser(argparse.ArgumentParser):
    """argparse, with one-line errors: the usage text would bury what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help lists the flags\n")


def make_parser(description: str, names: Sequence[str], inputs: str = "") -> Parser:
    """A parser with one flag for each setting in `names`: those of params.FIRST, then by group.

    `inputs` are the words of the usage line that are no flags.
    """
    # No abbreviations: `--max` must not quietly become `--max-length`.
    parser = Parser(
        usage=" ".join(["python %(prog)s [flags]", *inputs.split()]),
        description=description,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    first = group = parser.add_argument_group("Changed first")
    for item in dataclasses.fields(Params):
        if heading := item.metadata["group"]:
            group = parser.add_argument_group(heading)
        if item.name in names:
            add_flag(first if item.name in FIRST else group, item)
    return parser


def add_flag(group: argparse._ArgumentGroup, item: dataclasses.Field) -> None:
    """Give a parser's group the flag of one setting."""
    text = item.metadata["help"].replace("%", "%%")
    if isinstance(item.default, bool):
        group.add_argument(flag(item.name), action="store_true", help=text)
        return
    choices = item.metadata["choices"]
    group.add_argument(
        flag(item.name),
        default=item.default,
        type=type(item.default),
        choices=choices,
        metavar=None if choices else METAVARS[type(item.default)],
        help=f"{text} (default: {item.default})",
    )


def parse(parser: Parser, argv: Sequence[str] | None = None) -> tuple[Params, argparse.Namespace]:
    """Read the command line, refuse impossible settings, and return (settings, other arguments)."""
    arguments, _ = parser.parse_known_args(argv)  # a first time, for the preset alone
    if "preset" in arguments:
        parser.set_defaults(**PRESETS[arguments.preset])
    if getattr(arguments, "from_run", None):
        try:
            parser.set_defaults(**settings_of_run(Path(arguments.from_run)))
        except UserError as error:
            parser.error(str(error))
    arguments, unknown = parser.parse_known_args(argv)
    known = {item.name for item in dataclasses.fields(Params)}
    for word in unknown:
        name = word.split("=")[0].lstrip("-").replace("-", "_")
        if word.startswith("--") and name in known:
            fixed = "preset" not in arguments and name not in EVALUATE
            why = ": the trained model has fixed it" if fixed else ""
            parser.error(f"{flag(name)} is not read here{why}")
    if unknown:
        parser.error(f"unknown: {' '.join(unknown)}")
    given = {name: value for name, value in vars(arguments).items() if name in known}
    params = Params(**given)
    try:
        check(params)
    except UserError as error:
        parser.error(str(error))
    return params, arguments


def settings_of_run(path: Path) -> dict[str, Any]:
    """The settings of an earlier run, from its results.json (or what experiments wrote of it).

    Raises UserError where they cannot be had, or where that run used one that is gone.
    """
    content = files.read_json(path) or {}
    stored = content.get("train", content).get("settings")
    if not isinstance(stored, dict):
        raise UserError(f"--from-run {path}: no results.json of a run with its settings")
    if used := [name for name, unused in GONE.items() if stored.get(name, unused) != unused]:
        raise UserError(
            f"--from-run {path}: that run used {', '.join(used)}, which is gone; the code of its "
            "time still has it (experiments/README.md)"
        )
    defaults = {item.name: item.default for item in dataclasses.fields(Params)}
    found = {name: value for name, value in stored.items() if name in defaults}
    for name, value in found.items():
        if not isinstance(value, (type(defaults[name]), int)):
            raise UserError(f"--from-run {path}: {name} is {value!r}, which is no {flag(name)}")
    return found


def echo(params: Params, names: Sequence[str]) -> None:
    """Print the settings in use, one line each, those that are not the default marked."""
    defaults = Params()
    for name in names:
        value = getattr(params, name)
        mark = "" if value == getattr(defaults, name) else "   (changed)"
        log(f"  {name:<15} {value}{mark}")


def run(main: Callable[[], int]) -> NoReturn:
    """Run a script's main. Exit codes: 0 all done, 1 some inputs refused, 2 nothing answered."""
    try:
        code = main()
    except UserError as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        code = 2
    except BrokenPipeError:  # whoever read the output, such as `head`, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:  # a file that cannot be read or written, wherever it was met
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print(f"{Path(sys.argv[0]).name}: interrupted", file=sys.stderr)
        code = 130
    sys.exit(code)
