"""What is said to the person who waits: errors that they can mend, and what goes on."""

from __future__ import annotations

import sys


class UserError(Exception):
    """Something the user can put right. The message names the thing and the way out."""


def log(message: str) -> None:
    """Say something to the person who waits; results alone go to standard output."""
    print(message, file=sys.stderr, flush=True)
