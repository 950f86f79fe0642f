"""The command line of the scripts: one flag a setting, one-line errors, exit codes.

Exit codes: 0, everything asked for was done; 1, some inputs were refused and the others answered;
2, nothing was answered; 130, interrupted; 143, stopped by SIGTERM.
"""

from __future__ import annotations

import argparse
import codecs
import contextlib
import dataclasses
import errno
import io
import json
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

from params import EVALUATE, FIRST, GONE, LATER, PRESETS, Params, check, flag
from sentiment import errors, files
from sentiment.errors import Stopped, UserError, log

METAVARS = {str: "TEXT", int: "N", float: "X"}
HOME = Path(__file__).resolve().parent.parent  # where the scripts are
FOLDERS = ("data_folder", "encoder_folder")
PLACES = (*FOLDERS, "model_folder", "device", "strategy")  # no settings of an earlier run
OF_ENCODER = ("preprocessor", "learning_rate", "pooling")  # those of another do not suit
DEBUG = "--debug"
STDOUT = "standard output"
LOST = (
    "UnavailableError",
    "AbortedError",
    "InternalError",
    "CancelledError",
    "DeadlineExceededError",
)
AGAIN = "make room and run the same command again"

closed: set[str] = set()  # the standard streams that this process was started without


class Parser(argparse.ArgumentParser):
    """argparse, with one-line errors: the usage text would bury what is wrong."""

    def error(self, message: str) -> NoReturn:
        message = " ".join(message.split())  # what was given may have line ends
        self.exit(2, f"{self.prog}: {message}; --help lists the flags\n")

    def print_help(self, file: TextIO | None = None) -> None:
        """argparse's own says nothing of an output that is full."""
        (file or sys.stdout).write(self.format_help())


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
    parser.add_argument(DEBUG, action="store_true", help="show where an error comes from")
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
        action, text = ("store_false", f"without: {text}") if item.default else ("store_true", text)
        group.add_argument(flag(item.name), action=action, dest=item.name, help=text)
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
    argv = with_hyphens(sys.argv[1:] if argv is None else argv)
    arguments, _ = parser.parse_known_args(argv)  # a first time, for the preset alone
    if "preset" in arguments:
        parser.set_defaults(**PRESETS[arguments.preset])
    if getattr(arguments, "from_run", None):
        given = {word.split("=")[0] for word in argv}
        if flag("preset") in given:
            parser.error("--preset: --from-run brings that run's settings; give one of the two")
        try:
            again = settings_of_run(Path(arguments.from_run))
        except UserError as error:
            parser.error(str(error))
        if flag("encoder") in given and arguments.encoder != again.get("encoder"):
            again = {name: value for name, value in again.items() if name not in OF_ENCODER}
        parser.set_defaults(**again)
    after: list[str] = []
    if "reviews" in arguments and "--" in argv:  # what argparse makes of it depends on its version
        argv, after = argv[: argv.index("--")], argv[argv.index("--") + 1 :]
    arguments, unknown = parser.parse_known_args(argv)
    known = {flag(item.name): item.name for item in dataclasses.fields(Params)}
    for word in unknown:
        if name := known.get(word.split("=")[0]):
            fixed = "preset" not in arguments and name not in EVALUATE
            why = ": the trained model has fixed it" if fixed else ""
            parser.error(f"{flag(name)} is not read here{why}")
    if "reviews" in arguments:  # argparse takes those before the first flag alone
        arguments.reviews += [word for word in unknown if not word.startswith("-")]
        arguments.reviews += after
        unknown = [word for word in unknown if word.startswith("-")]
    if unknown and "reviews" in arguments and not unknown[0].startswith("--"):
        parser.error(f"{unknown[0]!r} begins with a hyphen: put -- before the reviews")
    if unknown:
        parser.error(f"unknown: {' '.join(unknown)}")
    given = {name: value for name, value in vars(arguments).items() if name in known.values()}
    # Models are read, reviews and encoders kept, where the scripts are if not here.
    for name in FOLDERS:
        if name in given:  # downloads go into them, too
            given[name] = beside_scripts(given[name], os.W_OK)
    if "preset" not in arguments and "model_folder" in given:
        given["model_folder"] = beside_scripts(given["model_folder"], os.R_OK)
    params = Params(**given)
    try:
        check(params)
    except UserError as error:
        parser.error(str(error))
    if params.device == "cpu":  # read when TensorFlow starts, which reading TFDS's reviews does too
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    return params, arguments


def beside_scripts(folder: str, access: int) -> str:
    """A folder that is not in the current one but beside the scripts, with this access (os.R_OK or
    os.W_OK), is the one there; one that is in neither comes where the folder around it is.
    """
    for part in (Path(folder), *Path(folder).parents[:-1]):
        if part.exists():
            break
        if (HOME / part).is_dir() and os.access(HOME / part, access):
            return str(HOME / folder)
    return folder


def with_hyphens(argv: Sequence[str]) -> list[str]:
    """The words, with a value such as -1,1 joined to its flag: alone argparse takes it for one."""
    words = list(argv)
    for place in range(len(words) - 2, -1, -1):
        if words[place] == flag("labels") and re.match(r"-\d", words[place + 1]):
            words[place : place + 2] = [f"{words[place]}={words[place + 1]}"]
    return words


def settings_of_run(path: Path) -> dict[str, Any]:
    """The settings of an earlier run, from its results.json (or what experiments wrote of it).

    Where it ran and where its model went are none: it may be wanted again elsewhere. Raises
    UserError where they cannot be had, or where that run used one that is gone.
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
    names = defaults.keys() - set(PLACES)
    found = {name: value for name, value in (LATER | stored).items() if name in names}
    if found["also"] == "all":  # of a version that had two of them
        found["also"] = "rotten-tomatoes,made-up"
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
    """Run a script's main and exit with its code, or with one line that says what went wrong."""
    open_standard_streams()
    with ending_on_signals():
        try:
            code = exit_code_of(main)
            sys.stdout.flush()  # here, where it can still be said
        except BaseException as error:
            code = report(error)
    sys.exit(code)


def exit_code_of(main: Callable[[], int]) -> int:
    """What main returns, or the code that argparse exits with."""
    try:
        return main()
    except SystemExit as stop:
        return stop.code


def report(error: BaseException) -> int:
    """Say in one line what went wrong (with --debug also where), and return the exit code."""
    try:
        sys.stdout.flush()
    except OSError:  # Python would try again at its end, and exit with 120
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):  # whoever read the output, such as `head`, has left
        return 1
    if DEBUG in sys.argv:
        traceback.print_exception(error)
    log(f"{Path(sys.argv[0]).name}: {' '.join(words(error).split())}", error=True)
    if isinstance(error, Stopped):
        return 128 + error.signal_number
    return 130 if isinstance(error, KeyboardInterrupt) else 2


def words(error: BaseException) -> str:
    """What is said of an error: the thing and the way out."""
    kind, text = type(error).__name__, str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, (UserError, Stopped)):
        return text
    # TensorFlow's own errors go by name: it may not be there.
    if kind == "ResourceExhaustedError" and "No space left on device" in text:
        path = re.search(r"(\S*/\S+?)[;:]? *No space left on device", text)
        return f"the disk is full{f' ({path[1]})' if path else ''}: {AGAIN}"
    if isinstance(error, MemoryError) or kind == "ResourceExhaustedError":
        training = Path(sys.argv[0]).name == "model_train.py"
        lower = "lower --micro-batch, --batch-size or --max-length, or " if training else ""
        return f"out of memory: {lower}close other programs"
    if errors.of_workers and kind in LOST:
        reason = " ".join(re.sub(r"{{.*?}}", "", text).split())[:200]
        return (
            f"another worker is gone or cannot be reached ({reason}): start all workers again with "
            "the same command, which goes on from the last backup"
        )
    if isinstance(error, OSError):  # a file that cannot be read or written, wherever it was met
        if error.filename == STDOUT:
            return f"cannot write to {STDOUT} ({error.strerror}): send it elsewhere"
        full = f": {AGAIN}" if error.errno == errno.ENOSPC else ""
        where = "" if error.filename else f"; {DEBUG} shows where"
        return text + full + where
    if isinstance(error, ImportError):
        return f"{text}: python -m pip install -r requirements.txt; {DEBUG} shows where"
    return f"unexpected {kind}: {text}; {DEBUG} shows where; please report it"


@contextlib.contextmanager
def ending_on_signals() -> Iterator[None]:
    """Make SIGTERM raise Stopped in this block; a second SIGTERM or SIGINT ends the process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def end(number: int, frame: object) -> NoReturn:
        for one in before:
            signal.signal(one, signal.SIG_DFL)
        raise KeyboardInterrupt if number == signal.SIGINT else Stopped(number)

    for number, handler in before.items():
        if handler != signal.SIG_IGN:  # as nohup and a shell's `&` have it
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def open_standard_streams() -> None:
    """Make the three standard streams usable, whatever this process was started with.

    A closed one becomes the null device: the next file that is opened would take its number, and
    what is printed would go there. `closed` names it. What standard error cannot take is lost.
    Characters that an output's encoding lacks become escapes.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            closed.add(name)
            mode = "r" if name == "stdin" else "w"  # it takes the lowest free number: its own
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    codecs.register_error("json", json_escapes)
    # Streams that a caller has put there, as tests do, are left alone.
    if sys.stdout is sys.__stdout__:
        lines, raw = sys.stdout.line_buffering, Named(1, "w", closefd=False)
        buffer, encoding = io.BufferedWriter(raw), sys.stdout.encoding
        sys.stdout = io.TextIOWrapper(buffer, encoding, "json", line_buffering=lines)
    if sys.stderr is sys.__stderr__:
        buffer, encoding = io.BufferedWriter(Forgiving(2, "w", closefd=False)), sys.stderr.encoding
        sys.stderr = io.TextIOWrapper(buffer, encoding, "backslashreplace", line_buffering=True)


class Named(io.FileIO):
    """Standard output; its errors say that it is."""

    def write(self, data: bytes) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, STDOUT) from None


class Forgiving(io.FileIO):
    """A file that takes everything, and loses what cannot be written."""

    def write(self, data: bytes) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def json_escapes(error: UnicodeError) -> tuple[str, int]:
    """An error handler: JSON's escapes, so that JSON stays valid in every encoding."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def require_stdout(what: str) -> None:
    """Raises UserError where standard output, which `what` goes to, is closed."""
    if "stdout" in closed:
        raise UserError(f"standard output is closed: {what}")


def require_stdin() -> None:
    """Raises UserError where standard input, which is to be read, is closed."""
    if "stdin" in closed:
        raise UserError("standard input is closed: send the reviews there, or name a file")
