"""The device that computes, and a TensorFlow that other programs' settings do not reach."""

import os
import platform
import subprocess
import sys

import pytest
import tensorflow as tf
from conftest import ROOT
from processes import shell

from sentiment import command_line, machine
from sentiment.errors import UserError

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"  # TensorFlow's own variable


@pytest.mark.parametrize(
    "environment, file",
    [
        ({"KERAS_BACKEND": "torch"}, None),
        ({"KERAS_BACKEND": "nonsense", "KERAS_MAX_EPOCHS": "x"}, None),
        ({"TF_USE_LEGACY_KERAS": "1"}, None),
        ({}, '{"backend": "torch"}'),
        ({}, '{"floatx": "float16"}'),
        ({}, '{"floatx": "float8", "epsilon": "small"}'),
        ({}, "{broken"),
        ({}, "[]"),
    ],
)
def test_other_programs_keras_settings_change_nothing(environment, file, tmp_path):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("KERAS_", "TF_USE"))}
    if file:
        (tmp_path / ".keras").mkdir()
        (tmp_path / ".keras" / "keras.json").write_text(file)
    code = (
        "from sentiment import machine; machine.start('float32', device='cpu')\n"
        "import tensorflow_hub, tf_keras; print(tf_keras.backend.floatx(), tf_keras.__version__[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=clean | environment | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "float32 2\n"), done.stderr[-300:]
    assert (tmp_path / ".keras").exists() == bool(file)  # nor is anything written there


def test_tensorflow_starts_without_tf_keras_whatever_another_program_wants():
    """Prediction needs tensorflow, tensorflow-text and numpy only."""
    code = "import sys; sys.modules['tf_keras'] = None\n"
    code += "from sentiment import machine; machine.start('float32')"
    done = shell(f'PYTHON -c "{code}"', TF_USE_LEGACY_KERAS="1")
    assert done.returncode == 0, done.stderr[-300:]


@pytest.mark.parametrize(
    "flags, given, expected",
    [({"avx2"}, None, "1"), ({"avx2"}, "0", "0"), ({"asimd"}, None, "None")],
)
def test_cpu_with_avx2_computes_by_onednn_unless_told_otherwise(flags, given, expected):
    """Without AVX-512 TensorFlow does not take it by itself, and scores at little over half the
    speed.
    """
    environment = {name: value for name, value in os.environ.items() if name != ONEDNN}
    code = f"import os\nfrom sentiment import machine\nmachine.cpu_flags = lambda: {flags}\n"
    code += "machine.import_tensorflow()\n"
    code += "from tensorflow.python.util import _pywrap_util_port\n"
    code += f"print(os.environ.get('{ONEDNN}'), _pywrap_util_port.IsMklEnabled())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment | ({ONEDNN: given} if given else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    said, enabled = done.stdout.split()
    assert said == expected, done.stderr[-300:]
    if said != "None" and platform.machine() == "x86_64":
        assert enabled == str(said == "1")  # TensorFlow has read it


def test_gpu_that_is_asked_for_and_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    with pytest.raises(UserError, match="--device gpu: .* use cpu or auto"):
        machine.start("float32", device="gpu")


def test_cpu_hides_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    assert machine.start("float32", device="cpu")[0].startswith("CPU ")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"


def test_cpu_hides_gpus_from_whatever_starts_tensorflow_first(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    parser = command_line.make_parser("test", ["device"])
    assert command_line.parse(parser, ["--device", "cpu"])[0].device == "cpu"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"


def test_auto_takes_the_gpu_and_says_so(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr(machine, "gpu_name", lambda tensorflow, gpu: "H100")
    for device in ("auto", "gpu"):
        assert machine.start("float32", device=device) == ("GPU H100", "float32")
