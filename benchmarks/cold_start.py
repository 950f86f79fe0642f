"""How long until the first answer? Wall time of whole processes, the median of several.

    python benchmarks/cold_start.py
    python benchmarks/cold_start.py --model-folder saved_model --runs 9

Each round runs, one after the other: `python model_predict.py "a gem"`, the same one-liner with
transformers' pipeline on the same weights, and bare `import tensorflow, tensorflow_text`, with
which other programs for TensorFlow begin. A first round warms the disk cache and is not counted.
Without --model-folder an untrained export is used: its start takes the same time. Needs
requirements-bench.txt. Writes results/cold_start.json. Takes 2 minutes.
"""

import subprocess
import sys
import time
from pathlib import Path

import common
import prepare


def main() -> None:
    flags = (("--model-folder", "", "an exported model"), ("--runs", 7, "that count"))
    arguments = common.parse(__doc__, *flags)
    prepare.need("transformers", "both-256")
    folder = str(Path(arguments.model_folder or common.artefact("both-256")).resolve())
    text, weights = "a gem", str(common.artefact("transformers"))
    pipeline = "from transformers import pipeline; "
    pipeline += f"print(pipeline('text-classification', {weights!r})({text!r}))"
    commands = {
        "ours": ["model_predict.py", "--model-folder", folder, text],
        "pipeline": ["-c", pipeline],
        "imports": ["-c", "import tensorflow, tensorflow_text"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(arguments.runs + 1):
        for name, command in commands.items():
            time.sleep(common.PAUSE)
            given = {"cwd": common.ROOT, "stdout": subprocess.DEVNULL, "check": True}
            taken, _ = common.timed(subprocess.run, [sys.executable, *command], **given)
            common.log(f"run {number}, {name}: {taken:.2f} s")
            if number:
                seconds[name].append(taken)
    sides = {name: {"seconds": common.spread(some)} for name, some in seconds.items()}
    for name, side in sides.items():
        side["times_the_imports"] = common.spread(seconds[name], seconds["imports"])
    common.write("cold_start", {"runs": arguments.runs, "sides": sides})


if __name__ == "__main__":
    main()
