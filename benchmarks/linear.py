"""What does a linear model give? TF-IDF + logistic regression, and NB-SVM: accuracy and time.

    python benchmarks/linear.py                # train on 20,000 reviews, accuracy on the 5,000 dev
    python benchmarks/linear.py --test         # and on the 25,000 official test reviews

Both read whole reviews as word and punctuation uni- and bigrams, on one core; the split is
model_train.py's. min_df, C and the kind of tokens were chosen on dev from a small grid. NB-SVM:
Wang & Manning 2012, "Baselines and Bigrams", binary features times their log-count ratio, with a
linear SVM; without the paper's interpolation with the mean weight, which lost on dev (0.915
against 0.919). Needs the project's own requirements; --test needs TFDS's copy, aclImdb or a
download (as model_evaluate.py does). Writes results/linear.json. Takes 2 minutes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import common

TOKENS = r"\w+|[^\w\s]"  # single letters and punctuation too: "!" and "?" carry sentiment
Predict = Callable[[Sequence[str]], Any]  # texts -> int [N], 0 or 1
Train = Callable[[Sequence[str], Any], Predict]


def logistic_regression(texts: Sequence[str], labels: Any) -> Predict:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=TOKENS
    )
    classifier = LogisticRegression(C=100, max_iter=1000)
    classifier.fit(vectorizer.fit_transform(texts), labels)
    return lambda others: classifier.predict(vectorizer.transform(others))


def nb_svm(texts: Sequence[str], labels: Any) -> Predict:
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.svm import LinearSVC

    vectorizer = CountVectorizer(ngram_range=(1, 2), min_df=3, binary=True, token_pattern=TOKENS)
    counts = vectorizer.fit_transform(texts)
    positive = 1 + np.asarray(counts[labels == 1].sum(axis=0)).ravel()
    negative = 1 + np.asarray(counts[labels == 0].sum(axis=0)).ravel()
    ratio = np.log(positive / positive.sum()) - np.log(negative / negative.sum())
    svm = LinearSVC(C=0.03)
    svm.fit(counts.multiply(ratio).tocsr(), labels)
    return lambda others: svm.predict(vectorizer.transform(others).multiply(ratio).tocsr())


def measure(train: Train, parts: dict[str, tuple[Sequence[str], Any]]) -> dict[str, Any]:
    """Train on parts['train'], score the others."""
    started = time.perf_counter()
    predict = train(*parts["train"])
    found: dict[str, Any] = {"train_seconds": time.perf_counter() - started}
    for name, (texts, labels) in parts.items():
        if name != "train":
            started = time.perf_counter()
            predicted = predict(texts)
            found[f"{name}_per_second"] = len(texts) / (time.perf_counter() - started)
            found[f"{name}_accuracy"] = float((predicted == labels).mean())
    return found


def main() -> None:
    parser = common.make_parser(__doc__)
    parser.add_argument("--test", action="store_true", help="score the official test split too")
    parser.add_argument("--train-examples", type=int, default=0, help="fewer, for a quick try")
    parser.add_argument("--data-folder", default=str(common.ROOT / "data"))
    arguments = parser.parse_args()
    common.prepare("reviews")
    import numpy as np

    train = common.reviews("train", arguments.train_examples)
    parts = {"train": train, "dev": common.reviews("dev")}
    if arguments.test:
        from params import Params
        from sentiment.reviews import sources
        from sentiment.reviews.text import MARKUP

        test = sources.load_imdb("test", Params(data_folder=arguments.data_folder))
        parts["test"] = [re.sub(MARKUP, " ", text) for text in test.texts], test.labels
    parts = {name: (texts, np.array(labels)) for name, (texts, labels) in parts.items()}
    models = {}
    for name, function in (("logistic regression", logistic_regression), ("NB-SVM", nb_svm)):
        models[name] = measure(function, parts)
        common.log(f"{name}: {models[name]}")
    content = {"train_reviews": len(train[0]), "models": models}
    common.write("linear", content, arguments.threads)


if __name__ == "__main__":
    main()
