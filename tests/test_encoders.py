"""The embedded encoder equals the original; BERT-base's shape gives the seed's model."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub
from conftest import VOCABULARY, contents
from failing import cut, put, remove, write

from params import ENCODERS, Params
from sentiment import downloads
from sentiment.encoders import bert, gradients, pairs
from sentiment.errors import UserError
from sentiment.model.classifier import INPUTS, build_classifier
from sentiment.training import optimizer

REFERENCE = Path(__file__).with_name("reference") / "minilm.npz"


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(REFERENCE, allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="module")
def packed(minilm_pair, reference) -> dict[str, tf.Tensor]:
    preprocessor = hub.load(minilm_pair.preprocessor)
    tokens = preprocessor.tokenize(tf.constant(reference["texts"].tolist()))
    return preprocessor.bert_pack_inputs([tokens], tf.constant(512))


def test_minilm_reads_the_same_token_ids_as_the_original(packed, reference):
    ends = np.cumsum(reference["lengths"])[:-1]
    expected = [row.tolist() for row in np.split(reference["ids"], ends)]
    ids, mask = packed["input_word_ids"].numpy(), packed["input_mask"].numpy() == 1
    read = [row[kept].tolist() for row, kept in zip(ids, mask, strict=True)]
    assert read == expected
    assert max(map(len, read)) == 512


def test_minilm_answers_like_the_original(minilm_pair, packed, reference):
    """The reference was made without padding, so this also shows that padding changes nothing."""
    output = hub.KerasLayer(minilm_pair.encoder)(packed)
    rows = np.arange(len(reference["texts"]))[:, None]
    sequence = output["sequence_output"].numpy()[rows, reference["positions"]]
    np.testing.assert_allclose(sequence, reference["sequence"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(output["pooled_output"], reference["pooled"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("part", ["gelu", "layer_norm", "attention"])
def test_written_gradients_are_the_automatic_ones(part, compiled):
    """The second way of each is its definition, in float64."""

    def layer_norm(x, gamma, beta):
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        return (x - mean) / tf.sqrt(variance + gradients.EPSILON) * gamma + beta

    ours, definition, shapes = {
        "gelu": (
            lambda x: gradients.gelu(x, training=True, compiled=compiled),
            lambda x: tf.nn.gelu(x, approximate=False),
            [(5, 7)],
        ),
        "layer_norm": (
            lambda *given: gradients.layer_norm(*given, compiled),
            layer_norm,
            [(5, 7), (7,), (7,)],
        ),
        "attention": (
            lambda *given: gradients.attention(*given, hidden),
            lambda q, k, v: tf.nn.softmax(q @ tf.linalg.matrix_transpose(k) + hidden) @ v,
            [(2, 3, 5, 4)] * 3,
        ),
    }[part]
    random = np.random.default_rng(0)
    given, upstream = [random.normal(size=shape) for shape in shapes], random.normal(size=shapes[0])

    def found(function, dtype):
        nonlocal hidden
        hidden = tf.cast([[[[0, 0, 0, 0, -1e4]]], [[[0, 0, 0, 0, 0]]]], dtype)
        inputs = [tf.constant(one, dtype) for one in given]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            output = function(*inputs)
        return [output, *tape.gradient(output, inputs, tf.constant(upstream, dtype))]

    hidden = None
    pairs_of = zip(found(tf.function(ours), "float32"), found(definition, "float64"), strict=True)
    for mine, expected in pairs_of:
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-5)


def test_a_bert_learns_alike_with_and_without_a_compiler(packed, tmp_path):
    """A batch of another length than the first: XLA compiles once more."""
    shape = bert.Shape(layers=2, width=32, heads=2, inner_width=64, vocabulary=30522, longest=64)
    weights = {one.name.removesuffix(":0"): one for one in bert.Bert(shape)._by_name.values()}
    steps = []
    for compiled in (False, True):
        folder = tmp_path / str(compiled)
        bert.Bert(shape, weights, compiled).save(folder)
        encoder = hub.KerasLayer(str(folder), trainable=True)
        for length in (12, 16):
            with tf.GradientTape() as tape:
                ids = {name: ids[:, :length] for name, ids in packed.items()}
                loss = tf.reduce_sum(encoder(ids, training=True)["pooled_output"][:, ::2] ** 2)
            found = tape.gradient(loss, encoder.trainable_variables)
            steps.append([tf.convert_to_tensor(one) for one in found])
    for plain, xla in zip(steps[:2], steps[2:], strict=True):
        for one, other in zip(plain, xla, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_encoder_offers_all_outputs_of_the_hub_contract(tiny_pair):
    encoder = hub.KerasLayer(tiny_pair.encoder, trainable=True)
    ids = {name: tf.ones([3, 7], tf.int32) for name in INPUTS}
    output = encoder(ids)
    assert set(output) == {"pooled_output", "sequence_output", "encoder_outputs", "default"}
    assert output["pooled_output"].shape == (3, 32)
    assert [layer.shape for layer in output["encoder_outputs"]] == [(3, 7, 32)] * 2
    np.testing.assert_array_equal(output["default"], output["pooled_output"])
    np.testing.assert_array_equal(output["encoder_outputs"][-1], output["sequence_output"])
    assert len(encoder.trainable_variables) == 2 * 16 + 7


def test_preprocessor_offers_the_hub_contract(tiny_pair):
    preprocessor = hub.load(tiny_pair.preprocessor)
    special = {k: int(v) for k, v in preprocessor.tokenize.get_special_tokens_dict().items()}
    assert special == {
        "padding_id": 0,
        "start_of_sequence_id": 2,
        "end_of_segment_id": 3,
        "mask_id": 4,
        "vocab_size": len(VOCABULARY),
    }
    assert preprocessor(tf.constant(["good"]))["input_word_ids"].shape == (1, 128)


def test_random_bert_base_gives_the_seeds_model(minilm_pair, tmp_path):
    bert.Bert(bert.Shape()).save(tmp_path / "encoder")
    pair = minilm_pair._replace(encoder=str(tmp_path / "encoder"))
    classifier = build_classifier(pair, Params())
    variables = classifier.encoder.trainable_variables
    assert sum(int(tf.size(v)) for v in variables) == 109_482_240
    assert classifier.model.count_params() == 109_482_240 + 769
    names = [layer.name for layer in classifier.model.layers]
    assert names == ["text", "preprocessing", "BERT_encoder", "dropout", "classifier"]
    kinds = [type(layer).__name__ for layer in classifier.model.layers]
    assert kinds == ["InputLayer", "KerasLayer", "KerasLayer", "Dropout", "Dense"]
    assert_kernels_and_tables_decay(classifier, variables=12 * 16 + 9, decayed=12 * 6 + 5)


def test_minilm_decays_kernels_and_embedding_tables_only(minilm_pair):
    classifier = build_classifier(minilm_pair, Params())
    assert_kernels_and_tables_decay(classifier, variables=105, decayed=6 * 6 + 5)


def assert_kernels_and_tables_decay(classifier, variables: int, decayed: int) -> None:
    names = [v.name for v in classifier.network.trainable_variables]
    assert len(set(names)) == variables
    expected = [name for name in names if name.endswith(("/kernel:0", "/embeddings:0"))]
    assert optimizer.decayed(classifier.network.trainable_variables) == expected
    assert len(expected) == decayed


def test_encoder_that_reads_fewer_tokens_is_refused_before_training(tiny_pair):
    with pytest.raises(UserError, match=r"--max-length 65: tiny reads at most 64 tokens"):
        build_classifier(tiny_pair, Params(max_length=65))


@pytest.mark.parametrize(
    "has_gpu, asked, chosen",
    [(False, "auto", "minilm"), (True, "auto", "bert-base"), (True, "minilm", "minilm")],
)
def test_encoder_choice_follows_the_device_unless_asked(has_gpu, asked, chosen):
    name, reason = pairs.choose(asked, has_gpu)
    assert name == chosen and reason


def test_unknown_encoder_name_is_refused_with_the_ways_out(tmp_path):
    with pytest.raises(UserError, match="no encoder 'bert-bse'.*minilm.*Kaggle.*folder"):
        pairs.resolve("bert-bse", "embedded-not", tmp_path)


def test_folder_without_a_saved_model_is_refused_by_name(tmp_path):
    with pytest.raises(UserError, match="saved_model.pb"):
        pairs.resolve(str(tmp_path), str(tmp_path), tmp_path)


def test_hub_that_cannot_be_reached_names_the_ways_out(tmp_path, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    with pytest.raises(UserError) as caught:
        pairs.download("http://127.0.0.1:9/tensorflow/bert/4", tmp_path)
    message = str(caught.value)
    for way in ("--encoder minilm", "tensorflow/bert/tensorFlow2/", "--preprocessor"):
        assert way in message
    assert "\n" not in message


def test_every_encoder_of_the_table_has_its_preprocessor():
    for known in ENCODERS.values():
        assert (known.encoder == "embedded") == (known.preprocessor == "embedded")
        for word in ("uncased", "albert"):
            if "cased" in known.encoder or word == "albert":
                assert (word in known.encoder) == (word in known.preprocessor)


@pytest.mark.parametrize(
    "change",
    [
        cut("encoder/saved_model.pb"),
        cut("encoder/variables/variables.data-00000-of-00001", 0.99),
        write("encoder/variables/variables.index"),
        remove("encoder/saved_model.pb"),
        remove("preprocessor"),
        write("preprocessor/assets/vocab.txt", "[PAD]\n"),
        remove(bert.HASHES),
        write(bert.HASHES),
        cut(bert.HASHES),
        write(bert.HASHES, "[]"),
        write(bert.HASHES, "{}"),
        put(bert.HASHES, **{"encoder/saved_model.pb": 0}),
    ],
)
def test_damaged_pair_in_the_encoder_folder_is_built_again(
    change, tiny_pair, tmp_path, monkeypatch
):
    built = Path(tiny_pair.encoder).parent
    monkeypatch.setattr(downloads, "fetch", lambda package, folder: None)

    def build(wheel: None, pair: Path, compiled: bool) -> None:
        shutil.rmtree(pair, ignore_errors=True)
        shutil.copytree(built, pair)
        calls.append(pair)

    calls = []
    monkeypatch.setattr(pairs, "build_from_wheel", build)
    pair = pairs.build_minilm(tmp_path)
    assert pairs.build_minilm(tmp_path) == pair and len(calls) == 1
    change(pair)
    assert pairs.build_minilm(tmp_path) == pair and len(calls) == 2
    assert contents(pair) == contents(built)


def test_graph_for_a_machine_with_a_gpu_is_another_one(tmp_path, monkeypatch, tiny_pair):
    """XLA may lack a part there: nothing is compiled, and each machine finds its own pair."""

    def build(wheel: None, pair: Path, compiled: bool) -> None:
        shutil.copytree(Path(tiny_pair.encoder).parent, pair)
        made[pair] = compiled

    made: dict[Path, bool] = {}
    monkeypatch.setattr(downloads, "fetch", lambda package, folder: None)
    monkeypatch.setattr(pairs, "build_from_wheel", build)
    for devices in ([], ["a GPU"]):
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind, found=devices: found)
        pairs.build_minilm(tmp_path)
    assert list(made.values()) == [True, False]
