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

from collections.abc import Callable
from typing import Any

import common
import prepare
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from sentiment.reviews import sources

SPLITTING = {"ngram_range": (1, 2), "token_pattern": r"\w+|[^\w\s]"}  # "!" carries sentiment
Predict = Callable[[list[str]], Any]  # texts -> int [N], 0 or 1


def logistic_regression(texts: list[str], labels: list[int]) -> Predict:
    vectorizer = TfidfVectorizer(min_df=2, sublinear_tf=True, **SPLITTING)
    model = make_pipeline(vectorizer, LogisticRegression(C=100, max_iter=1000))
    return model.fit(texts, labels).predict


def nb_svm(texts: list[str], labels: list[int]) -> Predict:
    vectorizer = CountVectorizer(min_df=3, binary=True, **SPLITTING)
    counts = vectorizer.fit_transform(texts)
    negative, positive = MultinomialNB().fit(counts, labels).feature_log_prob_
    ratio = positive - negative
    svm = LinearSVC(C=0.03).fit(counts.multiply(ratio).tocsr(), labels)
    return lambda others: svm.predict(vectorizer.transform(others).multiply(ratio).tocsr())


def main() -> None:
    flags = [("--test", False, "score test"), ("--train-examples", 0, "fewer, for a quick try")]
    flags.append(("--data-folder", str(common.ROOT / "data"), "where test is looked for"))
    arguments = common.parse(__doc__, *flags)
    prepare.need("reviews")
    train, labels = common.reviews("train", arguments.train_examples)
    others = {"dev": common.reviews("dev")}
    if arguments.test:
        params = common.Params(data_folder=arguments.data_folder)
        others["test"] = tuple(zip(*prepare.plain(sources.load_imdb("test", params)), strict=True))
    models = {}
    for name, learn in (("logistic regression", logistic_regression), ("NB-SVM", nb_svm)):
        seconds, predict = common.timed(learn, train, labels)
        models[name] = {"train_seconds": seconds}
        for split, (texts, right) in others.items():
            seconds, predicted = common.timed(predict, texts)
            models[name][f"{split}_per_second"] = len(texts) / seconds
            models[name][f"{split}_accuracy"] = float((predicted == right).mean())
        common.log(f"{name}: {models[name]}")
    common.write("linear", {"train_reviews": len(train), "models": models})


if __name__ == "__main__":
    main()
