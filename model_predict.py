"""Say whether reviews are positive or negative, with the model that model_train.py exported.

    python model_predict.py "this is such an amazing movie!" "The movie was terrible..."
    printf 'good\\nbad\\n' | python model_predict.py
    python model_predict.py                            # on a terminal: five examples

Prints a line a review: the text, its score (the probability of the positive label) and its label.
Needs a model in saved_model/ and, of the packages, tensorflow, tensorflow-text and numpy only.
Takes a few seconds, nearly all of them TensorFlow's start. Empty reviews are refused by name.
Exit codes: 0 all answered; 1 some refused, the others answered; 2 nothing answered.
"""

import sys

import params as settings
from params import UserError, log

EXAMPLES = [
    "this is such an amazing movie!",
    "The movie was great!",
    "The movie was meh.",
    "The movie was okish.",
    "The movie was terrible...",
]


def main() -> int:
    parser = settings.make_parser(__doc__, settings.PREDICT)
    parser.add_argument("reviews", nargs="*", metavar="REVIEW", help="a review; quote it")
    params, arguments = settings.parse(parser)
    reviews = arguments.reviews
    if not reviews:
        reviews = EXAMPLES if sys.stdin.isatty() else read_lines()
    wanted = [review for review in reviews if review.strip()]
    for number, review in enumerate(reviews, 1):
        if not review.strip():
            log(f"review {number} ({review!r}) is empty: not scored")
    if not wanted:
        raise UserError("no review to score: give one as an argument, or one a line on stdin")

    import infer
    import machine

    folder = infer.find_model(params.model_folder)
    infer.load_details(folder)  # a missing or foreign model is said before TensorFlow's seconds
    machine.start(params.precision)
    model = infer.load_model(folder)
    predictions = infer.infer(model, wanted)
    width = min(max(len(one_line(review)) for review in wanted), 80)
    for review, probability, label in zip(
        wanted, predictions.probabilities, predictions.labels, strict=True
    ):
        print(f"input: {one_line(review):<{width}} : score: {probability:.6f} : {label}")
    return 0 if len(wanted) == len(reviews) else 1


def read_lines() -> list[str]:
    """A review a line from standard input; undecodable bytes become U+FFFD."""
    text = sys.stdin.buffer.read().decode("utf-8-sig", errors="replace")
    return text.splitlines()


def one_line(review: str) -> str:
    return " ".join(review.split())


if __name__ == "__main__":
    settings.run(main)
