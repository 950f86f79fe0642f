"""How long until the first answer? Wall time of whole processes, the median of several.

    python benchmarks/cold_start.py
    python benchmarks/cold_start.py --model-folder saved_model --runs 9

Each round runs, one after the other: `python model_predict.py "a gem"`, the same one-liner with
transformers' pipeline on the same weights, and bare `import tensorflow, tensorflow_text`, which is
the least that anything with TensorFlow can take. A first round warms the disk cache and is not
counted. Without --model-folder an untrained export is used: its start takes the same time. Needs
requirements-bench.txt. Writes results/cold_start.json. Takes 2 minutes.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import common

TEXT = "a gem"


def commands(model_folder: str) -> dict[str, list[str]]:
    pipeline = (
        "from transformers import pipeline; "
        f"print(pipeline('text-classification', {str(common.transformers_folder())!r})({TEXT!r}))"
    )
    predict = [str(common.ROOT / "model_predict.py"), "--model-folder", model_folder, TEXT]
    return {
        "ours": [sys.executable, *predict],
        "pipeline": [sys.executable, "-c", pipeline],
        "imports": [sys.executable, "-c", "import tensorflow, tensorflow_text"],
    }


def run(command: list[str], threads: int) -> float:
    """Seconds of a whole process. Raises SystemExit if it fails."""
    started = time.perf_counter()
    done = subprocess.run(
        command,
        env=common.environment(threads),
        cwd=common.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return seconds


def main() -> None:
    parser = common.make_parser(__doc__)
    parser.add_argument("--model-folder", help="an exported model; an untrained one by default")
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    common.prepare("transformers", "export-256")
    folder = str(Path(arguments.model_folder or common.export_folder(256)).resolve())
    seconds: dict[str, list[float]] = {}
    for number in range(arguments.runs + 1):
        for name, command in commands(folder).items():
            time.sleep(common.PAUSE)
            taken = run(command, arguments.threads)
            common.log(f"run {number}, {name}: {taken:.2f} s")
            if number:
                seconds.setdefault(name, []).append(taken)
    content = {
        "runs": arguments.runs,
        "sides": {
            name: {
                "seconds": common.spread(values),
                "times_the_imports": common.spread(
                    [a / b for a, b in zip(values, seconds["imports"], strict=True)]
                ),
            }
            for name, values in seconds.items()
        },
    }
    common.write("cold_start", content, arguments.threads)


if __name__ == "__main__":
    main()
