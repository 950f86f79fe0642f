"""BERT and its WordPiece preprocessor as TF Hub SavedModels: the graph is ours to write.

Both follow TF Hub's "Common SavedModel APIs for text tasks", with the Model Garden's variable
names, so hub.KerasLayer takes them like a published pair.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf
import tensorflow_text as tf_text

from sentiment import files
from sentiment.encoders.gradients import attention, gelu, layer_norm
from sentiment.errors import UserError, log

INPUTS = ("input_word_ids", "input_mask", "input_type_ids")  # of every encoder of this form
HASHES = "sha256.json"  # in a pair's folder: of each of its files


class Shape(NamedTuple):
    """The sizes of a BERT. Defaults are BERT-base's."""

    layers: int = 12
    width: int = 768
    heads: int = 12
    inner_width: int = 3072
    vocabulary: int = 30522
    longest: int = 512


class Bert(tf.Module):
    """BERT (Devlin et al. 2018, arXiv 1810.04805) with the Model Garden's variable names.

    It has no dropout inside: on a CPU that would be dear (benchmarks/training.py measures it on
    transformers, as `trainer-best` against `trainer-no-dropout`). The activation is the exact GELU.
    """

    def __init__(
        self, shape: Shape, weights: dict[str, tf.Tensor] | None = None, compiled: bool = True
    ) -> None:
        """Weights by variable name; without them a random BERT (standard deviation 0.02).

        `compiled`: parts of its training by XLA (gradients.py).
        """
        super().__init__(name="bert")
        self.shape = shape
        self._compiled = compiled
        self._weights = weights
        heads, depth = shape.heads, shape.width // shape.heads
        self._by_name: dict[str, tf.Variable] = {}
        for name, size in (
            ("word_embeddings/embeddings", [shape.vocabulary, shape.width]),
            ("position_embedding/embeddings", [shape.longest, shape.width]),
            ("type_embeddings/embeddings", [2, shape.width]),
        ):
            self._add(name, size)
        self._add_layer_norm("embeddings/layer_norm")
        for layer in range(shape.layers):
            at = f"transformer/layer_{layer}/"
            for part in ("query", "key", "value"):
                self._add(f"{at}self_attention/{part}/kernel", [shape.width, heads, depth])
                self._add(f"{at}self_attention/{part}/bias", [heads, depth])
            self._add(f"{at}self_attention/attention_output/kernel", [heads, depth, shape.width])
            self._add(f"{at}self_attention/attention_output/bias", [shape.width])
            self._add_layer_norm(f"{at}self_attention_layer_norm")
            self._add(f"{at}intermediate/kernel", [shape.width, shape.inner_width])
            self._add(f"{at}intermediate/bias", [shape.inner_width])
            self._add(f"{at}output/kernel", [shape.inner_width, shape.width])
            self._add(f"{at}output/bias", [shape.width])
            self._add_layer_norm(f"{at}output_layer_norm")
        self._add("pooler_transform/kernel", [shape.width, shape.width])
        self._add("pooler_transform/bias", [shape.width])

    def _add(self, name: str, size: list[int], start: float | None = None) -> None:
        if self._weights is not None:
            value = tf.reshape(self._weights[name], size)
        elif start is None and not name.endswith("bias"):
            value = tf.random.truncated_normal(size, stddev=0.02)
        else:
            value = tf.fill(size, start or 0.0)
        self._by_name[name] = tf.Variable(value, name=name, dtype=tf.float32)

    def _add_layer_norm(self, name: str) -> None:
        self._add(name + "/gamma", [self.shape.width], 1.0)
        self._add(name + "/beta", [self.shape.width], 0.0)

    def _layer_norm(self, x: tf.Tensor, name: str) -> tf.Tensor:
        gamma, beta = self._by_name[name + "/gamma"], self._by_name[name + "/beta"]
        gamma, beta = tf.convert_to_tensor(gamma), tf.convert_to_tensor(beta)
        return layer_norm(x, gamma, beta, self._compiled)

    def _dense(self, x: tf.Tensor, name: str, size: list[int]) -> tf.Tensor:
        kernel = tf.reshape(self._by_name[name + "/kernel"], size)
        bias = tf.reshape(self._by_name[name + "/bias"], size[1:])
        return tf.nn.bias_add(tf.matmul(x, kernel), bias)

    def _attention(
        self, x: tf.Tensor, hidden: tf.Tensor, batch: tf.Tensor, length: tf.Tensor, at: str
    ) -> tf.Tensor:
        width, heads = self.shape.width, self.shape.heads
        depth = width // heads

        def project(part: str) -> tf.Tensor:  # [batch, heads, length, depth]
            y = self._dense(x, f"{at}self_attention/{part}", [width, width])
            return tf.transpose(tf.reshape(y, [batch, length, heads, depth]), [0, 2, 1, 3])

        # Scaling the query touches length times fewer numbers than scaling the scores.
        query, key, value = project("query") * depth**-0.5, project("key"), project("value")
        read = attention(query, key, value, hidden)
        read = tf.reshape(tf.transpose(read, [0, 2, 1, 3]), [-1, width])
        return self._dense(read, f"{at}self_attention/attention_output", [width, width])

    @tf.function
    def __call__(
        self, inputs: dict[str, tf.Tensor], training: bool = False, mask: None = None
    ) -> dict[str, tf.Tensor | list[tf.Tensor]]:
        """`input_word_ids`, `input_mask`, `input_type_ids` (int32 [batch, length]) -> outputs.

        `pooled_output` and `default` are float32 [batch, width], `sequence_output` and each of
        `encoder_outputs` float32 [batch, length, width]. `training` changes what is
        compiled, not what comes out (no dropout).
        """
        ids, width = inputs["input_word_ids"], self.shape.width
        batch, length = tf.shape(ids)[0], tf.shape(ids)[1]
        x = tf.gather(self._by_name["word_embeddings/embeddings"], ids)
        x += self._by_name["position_embedding/embeddings"][:length]
        x += tf.gather(self._by_name["type_embeddings/embeddings"], inputs["input_type_ids"])
        # Rank 2 from here on: [batch * length, width] is one matrix product a layer, not a batch.
        x = self._layer_norm(tf.reshape(x, [-1, width]), "embeddings/layer_norm")
        hidden = (1.0 - tf.cast(inputs["input_mask"], tf.float32))[:, None, None, :] * -1e4
        outputs = []
        for layer in range(self.shape.layers):
            at = f"transformer/layer_{layer}/"
            read = self._attention(x, hidden, batch, length, at)
            x = self._layer_norm(x + read, at + "self_attention_layer_norm")
            y = self._dense(x, at + "intermediate", [width, self.shape.inner_width])
            y = gelu(y, training, self._compiled)
            y = self._dense(y, at + "output", [self.shape.inner_width, width])
            x = self._layer_norm(x + y, at + "output_layer_norm")
            outputs.append(tf.reshape(x, [batch, length, width]))
        pooled = tf.tanh(self._dense(outputs[-1][:, 0], "pooler_transform", [width, width]))
        return {
            "pooled_output": pooled,
            "sequence_output": outputs[-1],
            "encoder_outputs": outputs,
            "default": pooled,
        }

    def save(self, folder: str | Path) -> None:
        """Write the encoder as a reusable SavedModel for hub.KerasLayer."""
        inputs = {name: tf.TensorSpec([None, None], tf.int32, name) for name in INPUTS}
        for training in (True, False):
            self.__call__.get_concrete_function(inputs, training=training, mask=None)
        # tf.Module's `variables` are properties, which a SavedModel does not keep.
        reusable = tf.train.Checkpoint()
        reusable.__call__ = self.__call__
        reusable.variables = list(self._by_name.values())
        reusable.trainable_variables = list(self._by_name.values())
        reusable.regularization_losses = []
        tf.saved_model.save(reusable, str(folder))


class Tokenize(tf.Module):
    """The preprocessor's `tokenize`: WordPiece ids of lower-cased, accent-stripped text."""

    def __init__(self, vocabulary: list[str]) -> None:
        super().__init__()
        self._tokenizer = tf_text.FastBertTokenizer(
            vocabulary, token_out_type=tf.int32, lower_case_nfd_strip_accents=True
        )
        # get_special_tokens_dict and bert_pack_inputs read the ids from the vocabulary itself.
        names = {"padding_id": "[PAD]", "start_of_sequence_id": "[CLS]"}
        names |= {"end_of_segment_id": "[SEP]", "mask_id": "[MASK]"}
        self.special = {name: vocabulary.index(token) for name, token in names.items()}
        self.special["vocab_size"] = len(vocabulary)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        """string [N] -> int32 ragged [N, (tokens)], without special tokens."""
        return self._tokenizer.tokenize(text)

    @tf.function(input_signature=[])
    def get_special_tokens_dict(self) -> dict[str, tf.Tensor]:
        """Ids of the special tokens, and the vocabulary's size (int32 scalars)."""
        return {name: tf.constant(number, tf.int32) for name, number in self.special.items()}


class Preprocessor(tf.Module):
    """A preprocessor SavedModel in TF Hub's form, from a WordPiece vocabulary."""

    def __init__(self, vocabulary_file: str | Path) -> None:
        super().__init__()
        self.vocab_file = tf.saved_model.Asset(str(vocabulary_file))
        words = Path(vocabulary_file).read_text(encoding="utf-8").split("\n")
        self.tokenize = Tokenize(words[:-1] if words[-1] == "" else words)

    @tf.function(
        input_signature=[
            [tf.RaggedTensorSpec([None, None], tf.int32, row_splits_dtype=tf.int64)],
            tf.TensorSpec([], tf.int32),
        ]
    )
    def bert_pack_inputs(
        self, inputs: list[tf.RaggedTensor], seq_length: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """One segment of ids -> the three int32 [N, seq_length]; longer rows lose their end."""
        special = self.tokenize.special
        ids = inputs[0][:, : seq_length - 2]
        edge = tf.ones([ids.nrows(), 1], tf.int32)
        start, end = special["start_of_sequence_id"], special["end_of_segment_id"]
        ids = tf.concat([edge * start, ids, edge * end], 1)
        word_ids = ids.to_tensor(special["padding_id"], shape=tf.stack([-1, seq_length]))
        mask = tf.sequence_mask(ids.row_lengths(), seq_length, tf.int32)
        return {
            "input_word_ids": word_ids,
            "input_mask": mask,
            "input_type_ids": tf.zeros_like(word_ids),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """string [N] -> the three int32 [N, 128] inputs, TF Hub's fixed length."""
        return self.bert_pack_inputs([self.tokenize(text)], tf.constant(128))

    def save(self, folder: str | Path) -> None:
        tf.saved_model.save(self, str(folder))


def save_pair(bert: Bert, vocabulary_file: str | Path, folder: str | Path) -> None:
    """Write `folder`/encoder and `folder`/preprocessor, in place of what is damaged there; never
    visible half-written. `is_whole` reads what is written last.
    """
    folder = Path(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with files.unfinished(folder.parent) as temporary:
            pair = temporary / "pair"
            bert.save(pair / "encoder")
            Preprocessor(vocabulary_file).save(pair / "preprocessor")
            made = [path for path in sorted(pair.rglob("*")) if path.is_file()]
            hashes = {str(path.relative_to(pair)): files.sha256_of(path) for path in made}
            files.write_json(pair / HASHES, hashes)
            if folder.exists() and not is_whole(folder):
                log(f"{folder} is damaged: made again")
                shutil.rmtree(folder)
            files.publish_folder(pair, folder)  # another process may have been quicker
    except OSError as error:
        raise UserError(f"cannot write the encoder to {folder}: {error.strerror}") from None


def is_whole(pair: Path) -> bool:
    """Whether a pair that `save_pair` wrote is there with every file as it was written."""
    hashes = files.read_json(pair / HASHES)
    return bool(hashes) and all(
        (pair / name).is_file() and files.sha256_of(pair / name) == sha256
        for name, sha256 in hashes.items()
    )


def weights_from_transformers(tensors: dict[str, tf.Tensor], layers: int) -> dict[str, tf.Tensor]:
    """Rename a PyTorch BERT's tensors to the Model Garden's names; dense kernels are transposed."""
    weights = {
        f"{ours}/embeddings": tensors[f"embeddings.{theirs}_embeddings.weight"]
        for ours, theirs in (
            ("word_embeddings", "word"),
            ("position_embedding", "position"),
            ("type_embeddings", "token_type"),
        )
    }

    def layer_norm(ours: str, theirs: str) -> None:
        weights[ours + "/gamma"] = tensors[theirs + ".weight"]
        weights[ours + "/beta"] = tensors[theirs + ".bias"]

    def dense(ours: str, theirs: str) -> None:
        weights[ours + "/kernel"] = tf.transpose(tensors[theirs + ".weight"])
        weights[ours + "/bias"] = tensors[theirs + ".bias"]

    layer_norm("embeddings/layer_norm", "embeddings.LayerNorm")
    for layer in range(layers):
        ours, theirs = f"transformer/layer_{layer}/", f"encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            dense(f"{ours}self_attention/{part}", f"{theirs}attention.self.{part}")
        dense(ours + "self_attention/attention_output", theirs + "attention.output.dense")
        layer_norm(ours + "self_attention_layer_norm", theirs + "attention.output.LayerNorm")
        dense(ours + "intermediate", theirs + "intermediate.dense")
        dense(ours + "output", theirs + "output.dense")
        layer_norm(ours + "output_layer_norm", theirs + "output.LayerNorm")
    dense("pooler_transform", "pooler.dense")
    return weights
