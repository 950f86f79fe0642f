"""What is said to the person who waits: errors that they can mend, and what goes on."""

from __future__ import annotations

import signal
import sys


class UserError(Exception):
    """Something the user can put right. The message names the thing and the way out."""


class Stopped(BaseException):
    """A signal asked this process to end. Like KeyboardInterrupt it is no Exception, so that what
    catches errors lets it pass. The message, if any, is said instead of the signal's name.
    """

    def __init__(self, signal_number: int, message: str = "") -> None:
        super().__init__(message or f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


of_workers = False  # whether this process is one of several that train together
muted = False  # in one of them whose chief says how it goes


def log(message: str, error: bool = False) -> None:
    """Say something to the person who waits; results alone go to standard output. An `error` is
    said by whoever has it.
    """
    if error or not muted:
        print(message, file=sys.stderr, flush=True)
