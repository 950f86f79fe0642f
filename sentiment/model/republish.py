"""A model published again, with another threshold."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import tensorflow as tf

from sentiment import files
from sentiment.model import export, versions


def publish_again(folder: Path, loaded: Any, details: dict[str, Any], threshold: float) -> Path:
    """Publish the model in `folder` again, with a `label` that is positive from this probability
    on; `loaded` and `details` are what was read of it. Returns the new version's folder.
    """
    kept = tf.Module(name="exported")
    kept.loaded = loaded  # its variables and its tokeniser
    with versions.unfinished(folder.parent) as made:
        export.save(kept, export.functions_again(loaded), details["labels"], threshold, made)
        for path in folder.glob("*.*"):
            if path.is_file() and not (made / path.name).exists():
                shutil.copy(path, made)
        again = details | {"threshold": threshold, "made_from": folder.name}
        files.write_json(made / versions.DETAILS, again)
        return versions.publish(made, folder.parent)
