"""What is said to the person who waits: errors that they can mend, and what goes on."""

from __future__ import annotations

import sys


class UserError(Exception):
    """Something the user can put right. The message names the thing and the way out."""


class Stopped(BaseException):
    """The process was asked to end by a signal; `message` says what is kept, if anything is."""

    def __init__(self, number: int, message: str = "") -> None:
        super().__init__(message)
        self.number = number


def log(message: str) -> None:
    """Say something to the person who waits; results alone go to standard output."""
    print(message, file=sys.stderr, flush=True)
