"""Run one of the scripts and kill it (SIGKILL) inside a named place, the N-th time it gets there.

    python tests/killed.py PLACE N model_train.py --flags ...

For test_reliability.py: the script itself is the real one.
"""

import os
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def patch(owner: Any, name: str, number: int, before: bool, part: Callable | None = None) -> None:
    """Die before or after the call number `number` of owner.name; `part` is done first."""
    whole = getattr(owner, name)
    calls = 0

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number and before:
            if part:
                part(*arguments)
            die()
        answer = whole(*arguments, **options)
        if calls == number:
            die()
        return answer

    setattr(owner, name, counted)


def half_a_file(file: Any) -> None:
    """What is on the disk when an archive was cut off."""
    file.write(b"PK\x03\x04" + bytes(10_000))
    file.flush()


def one_state_less(backup: Any) -> None:
    backup.states()[0].unlink()


def main() -> None:
    place, number = sys.argv[1], int(sys.argv[2])
    sys.argv = sys.argv[3:]
    import numpy as np

    from sentiment import files
    from sentiment.report import card
    from sentiment.training import backup

    if place in ("step", "dev"):
        from sentiment.training import fit

        name = {"step": "on_train_batch_end", "dev": "measure"}[place]
        patch(fit.Watch, name, number, before=True)
    elif place == "export":
        from sentiment.model import export

        patch(export, "write", number, before=False)
    elif place == "half a state":
        patch(np, "savez", number, before=True, part=half_a_file)
    elif place == "state before its rename":
        patch(np, "savez", number, before=False)
    elif place == "state after its rename":
        patch(backup.Backup, "save", number, before=False)
    elif place == "before publishing":
        patch(files, "publish_folder", number, before=True)
    elif place == "after publishing":
        patch(files, "publish_folder", number, before=False)
    elif place == "card":
        patch(card, "write", number, before=True)
    elif place == "clean-up":
        patch(backup.Backup, "clear", number, before=True, part=one_state_less)
    else:
        raise SystemExit(f"no place {place}")
    runpy.run_path(str(ROOT / sys.argv[0]), run_name="__main__")


if __name__ == "__main__":
    main()
