"""The lean start of predict and evaluate: what it leaves out and must not, and its fallbacks."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT, write_csv
from test_scripts import HEAVY

LEFT_OUT = {*HEAVY, "keras", "tensorflow_text"}
# What an export of ours needs and TensorFlow alone has not.
OPERATIONS = {"FastBertNormalize", "FastWordpieceTokenizeWithOffsets", "RegexSplitWithOffsets"}

# A tensorflow_text whose libraries are elsewhere, as is its Python, which an import finds.
HIDDEN = """
import sys
sys.path.remove({folder!r})
del sys.modules["tensorflow_text"]
import tensorflow_text
"""
# A TensorFlow that does not start without Keras.
STRICT = """
import importlib.machinery, sys
class Strict(importlib.machinery.SourceFileLoader):
    def get_code(self, name):
        source, guard = self.get_source(name), "except (ImportError, AttributeError):"
        assert source.count(guard) == 1
        return compile(source.replace(guard, "except ZeroDivisionError:"), self.path, "exec")
class Finder:
    def find_spec(name, path=None, target=None):
        if name == "tensorflow":
            spec = importlib.machinery.PathFinder.find_spec(name)
            spec.loader = Strict(name, spec.origin)
            return spec
sys.meta_path.insert(0, Finder)
"""


def run(code, folder) -> str:
    """What a process of its own prints that runs this code in a folder."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout


def script(name, folder, *arguments, before="") -> tuple[str, set[str]]:
    """(what one of the scripts prints, the modules that its process has at its end)."""
    ending = "lambda: open('modules', 'w').write('\\n'.join(sys.modules))"
    code = f"{before}\nimport atexit, runpy\natexit.register({ending})\n"
    code += f"sys.argv = {[name, *map(str, arguments)]!r}\n"
    code += f"runpy.run_path({str(ROOT / name)!r}, run_name='__main__')"
    printed = run(code, folder)
    return printed, set((folder / "modules").read_text().split())


def predict(trained, folder, before="") -> tuple[str, set[str]]:
    flags = ["--json", "--all-probabilities", "--model-folder", trained.folder]
    return script("model_predict.py", folder, *flags, "good movie", "a bad c", before=before)


def test_lean_start_has_every_operation_and_keeps_nothing_from_who_comes_later(trained, tmp_path):
    code = f"""
from sentiment import machine
machine.import_without_keras()
import json, tensorflow as tf
from tensorflow.core.framework.op_def_pb2 import OpList
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.client import pywrap_tf_session as c_api
def registered():
    every = OpList.FromString(c_api.TF_GetBuffer(c_api.TF_GetAllOpList()))
    return {{operation.name for operation in every.op}}
export = saved_model_pb2.SavedModel()
export.ParseFromString(open({str(trained.folder / "saved_model.pb")!r}, "rb").read())
graphs = [meta.graph_def for meta in export.meta_graphs]
nodes = [node for graph in graphs for node in graph.node]
nodes += [node for graph in graphs for one in graph.library.function for node in one.node_def]
needed = {{node.op for node in nodes}} - registered()
assert machine.has_text_operations(tf)
lean = registered()
assert not {LEFT_OUT} & set(sys.modules)
import tensorflow_text, tensorflow.keras.layers, keras.src.optimizers
assert keras.layers.Dense is tf.keras.layers.Dense
print(json.dumps([sorted(needed), sorted(needed - lean), sorted(registered() - lean)]))
"""
    needed, missing, more = json.loads(run(code, tmp_path))
    assert (set(needed), missing) == (OPERATIONS, [])
    assert more == []  # nor does an export of another's tokeniser miss one


def test_predict_imports_nothing_that_it_does_not_use(trained, tmp_path):
    assert not LEFT_OUT & predict(trained, tmp_path)[1]
    write_csv(tmp_path / "r.csv", [("good movie", "pos"), ("bad", "neg")])
    flags = ["--input", "r.csv", "--output", "scored.csv", "--model-folder", trained.folder]
    assert not LEFT_OUT & script("model_predict.py", tmp_path, *flags)[1]


def test_evaluate_imports_no_keras(trained, tmp_path):
    write_csv(tmp_path / "r.csv", trained.rows[:20])
    flags = ["--data", "r.csv", "--evaluation-folder", "out", "--model-folder", trained.folder]
    modules = script("model_evaluate.py", tmp_path, *flags)[1]
    assert not {"keras", "tf_keras", "tensorflow_text"} & modules


@pytest.mark.parametrize("library", [None, b"", b"no library"])
def test_without_its_libraries_tensorflow_text_is_imported_and_answers_the_same(
    library, trained, tmp_path
):
    folder = tmp_path / "packages"
    package = folder / "tensorflow_text"
    (package / "python" / "ops").mkdir(parents=True)
    (package / "__init__.py").write_text(HIDDEN.format(folder=str(folder)))
    if library is not None:
        (package / "python" / "ops" / "_normalize_ops.so").write_bytes(library)
    before = f"import sys; sys.path.insert(0, {str(folder)!r})"
    printed, modules = predict(trained, tmp_path, before)
    assert "tensorflow_text.python.ops" in modules
    assert printed == predict(trained, tmp_path)[0]


def test_tensorflow_that_insists_on_keras_gets_it_and_answers_the_same(trained, tmp_path):
    printed, modules = predict(trained, tmp_path, STRICT)
    assert "keras.src.optimizers" in modules
    assert printed == predict(trained, tmp_path)[0]
