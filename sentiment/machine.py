"""The machine a script runs on: TensorFlow started quietly, device, precision, record."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib.metadata
import importlib.util
import os
import platform
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sentiment.errors import UserError

PACKAGES = ("tensorflow", "tf_keras", "tensorflow-text", "tensorflow-hub", "numpy", "pandas")
BFLOAT16 = {"avx512_bf16", "amx_bf16"}  # a CPU computes in it with one of these
KERAS = "keras.src.optimizers"  # what TensorFlow imports Keras by, and does without


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what C++ libraries write to standard error off the screen, unless something fails that
    is looked into with --debug.

    TensorFlow logs before its own log level is read, so an environment variable is not enough.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as noise:
        os.dup2(noise.fileno(), 2)
        try:
            yield
        except Exception:
            os.dup2(saved, 2)
            noise.seek(0)
            if "--debug" in sys.argv:
                sys.stderr.write(noise.read().decode(errors="replace"))
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)


@functools.cache
def import_tensorflow(
    lean: bool = False, open_device: Callable[[Any], Any] = lambda tf: tf.constant(0)
) -> Any:
    """Import TensorFlow without its start-up noise and open its device; return the module. `lean`
    leaves out what an exported model does not need: Keras, and tensorflow_text's Python.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "avx2" in cpu_flags():  # TensorFlow by itself uses oneDNN from AVX512_VNNI on
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    for name in [name for name in os.environ if name.startswith("KERAS_")]:
        del os.environ[name]
    # Both Keras 3 and tf_keras read keras.json, where other programs' settings are: none here.
    os.environ["KERAS_HOME"] = os.devnull
    os.environ.pop("TF_USE_LEGACY_KERAS", None)  # TensorFlow would need tf_keras to start
    with quiet(), without_collecting():
        if lean:
            import_without_keras()
        import tensorflow as tf

        if not (lean and has_text_operations(tf)):
            import tensorflow_text  # noqa: F401  registers the text operations of every export
        tf.get_logger().setLevel("ERROR")
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
        open_device(tf)  # here, noise included
    return tf


@contextlib.contextmanager
def without_collecting() -> Iterator[None]:
    """Have an import's objects never looked through for garbage: that takes a quarter of its time,
    and there is next to none.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def import_without_keras() -> None:
    """Import TensorFlow without Keras, and so without the matplotlib, pandas and scikit-learn that
    Keras imports, where this version of it can do without.
    """
    blocked = sys.modules.setdefault(KERAS, None) is None
    try:
        with contextlib.suppress(Exception):  # the plain import follows, and raises its own
            import tensorflow  # noqa: F401
    finally:
        if blocked:
            del sys.modules[KERAS]  # whoever asks for Keras later gets it


def has_text_operations(tf: Any) -> bool:
    """Register tensorflow_text's operations without its Python; whether that went."""
    try:
        package = importlib.util.find_spec("tensorflow_text").submodule_search_locations[0]
        libraries = sorted(Path(package).glob("python/*/_*.so"))
        for library in libraries:
            tf.load_library(str(library))
    except Exception:  # whatever another version raises
        return False
    return bool(libraries)


def start(
    precision: str, deterministic: bool = False, device: str = "auto", lean: bool = False
) -> tuple[str, str]:
    """Start TensorFlow; return (device, precision) as words. `deterministic` makes all of its
    operations repeat to the bit; `lean` is import_tensorflow's.

    `precision` is auto, float32 or bfloat16. Bfloat16 is grappler's automatic mixed precision: it
    reaches into SavedModels, where a Keras policy cannot. `device` is auto, cpu or gpu. Raises
    UserError when either is asked for on a machine without it.
    """
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    tf = import_tensorflow(lean)
    gpus = [] if device == "cpu" else tf.config.list_physical_devices("GPU")
    cpu = f"CPU {cpu_name()}, {os.cpu_count()} cores"
    if device == "gpu" and not gpus:
        raise UserError(f"--device gpu: TensorFlow sees none here, only {cpu}; use cpu or auto")
    device = f"GPU {gpu_name(tf, gpus[0])}" if gpus else cpu
    possible = not gpus and has_bfloat16()
    if precision == "bfloat16" and not possible:
        raise UserError(f"--precision bfloat16: {device} has none here; use float32 or auto")
    precision = "bfloat16" if possible and precision != "float32" else "float32"
    use_precision(precision)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return device, precision


def use_precision(precision: str) -> None:
    """Set the precision of functions traced from now on; those already run keep theirs."""
    import tensorflow as tf

    options = {"auto_mixed_precision_onednn_bfloat16": precision == "bfloat16"}
    tf.config.optimizer.set_experimental_options(options)


def untuned(data: Any) -> Any:
    """A tf.data pipeline without its tuner, and so all that are made from it.

    The tuner wakes ever more rarely, at last once a minute, and the end of a pipeline waits for it.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return data.with_options(options)


def slices(given: Any) -> Any:
    """A tf.data pipeline, untuned, each element a slice of `given`."""
    import tensorflow as tf

    return untuned(tf.data.Dataset.from_tensor_slices(given))


def cpu_field(name: str) -> str:
    """The first value of a field of /proc/cpuinfo; empty where there is no such file."""
    with contextlib.suppress(OSError), Path("/proc/cpuinfo").open() as file:
        for line in file:
            if line.split(":")[0].strip() == name:
                return line.split(":", 1)[1].strip()
    return ""


def gpu_name(tf: Any, gpu: Any) -> str:
    return tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)


def cpu_name() -> str:
    return cpu_field("model name") or platform.processor() or platform.machine()


def cpu_flags() -> set[str]:
    return set(cpu_field("flags").split())


def has_bfloat16() -> bool:
    return bool(BFLOAT16 & cpu_flags())


def record(device: str, precision: str) -> dict[str, Any]:
    """Device, precision, peak memory and versions, for every result that a script writes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, KiB elsewhere
    return {
        "device": device,
        "precision": precision,
        "peak_memory_gb": round(peak * (1 if sys.platform == "darwin" else 1024) / 1e9, 2),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
