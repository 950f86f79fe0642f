"""Run one of the scripts as a worker that waits for the others for some seconds only.

python tests/impatient.py 2 model_train.py --flags ...
"""

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sentiment.training import workers  # noqa: E402

workers.WAIT = int(sys.argv[1])
sys.argv = sys.argv[2:]
runpy.run_path(str(ROOT / sys.argv[0]), run_name="__main__")
