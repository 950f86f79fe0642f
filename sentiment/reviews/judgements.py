"""Made-up judgements of a few words, of films and of other things, each with a label of its own.

Reviews teach which words praise and which blame. What turns them round ("not", "used to be", "they
said it was"), and that a kettle is judged as a film is, they teach badly: their one label is that
of some hundred words. Patterns with one change of meaning each are how CheckList tests a model
(Ribeiro et al. 2020, "Beyond Accuracy", arXiv 2005.04118); here one learns from them.
"""

from __future__ import annotations

import random
import string
from typing import NamedTuple

import numpy as np

from sentiment.reviews.beside import beside
from sentiment.reviews.patterns import ONE_SIDED, PATTERNS
from sentiment.reviews.sources import Reviews, text_id

COUNT = 5_000  # texts an epoch
MARK = "-made-up"  # at the end of their ids
TWO = 0.2  # of the texts hold two of them
FILM = 0.35  # are about a film
BARE = 0.1  # have no full stop at their end; of the others as many an exclamation mark
FILMS = (
    "film", "movie", "picture", "series", "show", "sequel", "remake", "documentary", "comedy",
    "thriller", "drama", "western", "cartoon", "musical", "episode", "horror film", "love story",
)  # fmt: skip
FILM_PARTS = (
    "acting plot script ending cast music dialogue story camera_work lead_actor humour opening "
    "direction pace lighting soundtrack"
)
OTHERS = {
    "phone": "battery screen camera speaker case charger",
    "laptop": "keyboard screen fan battery touchpad",
    "hotel": "room bed breakfast staff shower view pool lobby",
    "restaurant": "food soup waiter service dessert menu wine fish table",
    "cafe": "coffee cake service terrace tea",
    "book": "plot style ending translation first_chapter cover",
    "app": "interface latest_update support layout search",
    "jacket": "zip lining fit fabric colour",
    "car": "engine gearbox seat handling radio boot",
    "album": "singing first_song sound production drumming",
    "game": "story control_scheme artwork multiplayer_mode level_design",
    "vacuum cleaner": "motor cable filter hose",
    "kettle": "lid handle switch spout",
    "mattress": "cover support filling",
    "flight": "crew seat meal boarding legroom",
    "course": "teacher textbook pace homework",
    "concert": "band sound venue crowd",
    "museum": "collection guide shop audio_guide",
    "holiday": "weather beach guide hotel",
    "bicycle": "saddle frame bell brake",
    "printer": "ink paper_feed setup software",
    "gym": "equipment staff changing_room music",
    "bakery": "bread pastry service sandwich_counter",
    "delivery": "driver packaging tracking",
    "hairdresser": "cut colour advice price",
    "dentist": "reception treatment advice waiting_room",
    "toy": "packaging paint instruction_leaflet",
    "camera": "lens menu strap viewfinder",
    "garden chair": "cushion frame finish",
    "train": "seat heating toilet dining_car",
    "perfume": "scent bottle price",
    "tent": "zip floor pole",
    "radio": "sound tuner aerial",
    "podcast": "host sound choice_of_guests",
    "plumber": "work manner price",
    "lamp": "light switch shade",
    "backpack": "strap zip pocket",
    "website": "search checkout design",
}
# Words of the negative label, and in the same list words of the positive one.
WORDS = {
    # An adjective, which may stand behind "very" and "a".
    "good": (
        "bad terrible awful horrible boring dull poor weak disappointing dreadful lousy mediocre "
        "tedious annoying useless ugly pathetic unpleasant forgettable bland lame stupid absurd "
        "ridiculous atrocious painful miserable shoddy sloppy clumsy overpriced unreliable "
        "uncomfortable lifeless pointless underwhelming second-rate depressing irritating dire "
        "unbearable worthless tasteless frustrating inferior careless messy infuriating abysmal "
        "appalling",
        "good great wonderful excellent superb lovely brilliant amazing fantastic terrific "
        "delightful charming impressive enjoyable beautiful perfect outstanding marvellous "
        "pleasant satisfying memorable solid splendid flawless reliable comfortable clever "
        "remarkable fine nice refreshing engaging fascinating magnificent exceptional gripping "
        "exquisite stunning awesome fabulous phenomenal sensational first-rate top-notch cool "
        "sweet sublime",
    ),
    # What may stand behind "is" instead.
    "worth": (
        "a_mess a_waste_of_time a_disaster a_letdown a_chore a_rip-off a_failure a_disgrace a_bore "
        "an_embarrassment a_nightmare a_joke a_flop nothing_special garbage trash junk crap "
        "rubbish meh so-so no_good below_par not_worth_it",
        "a_joy a_treat a_gem a_pleasure a_triumph a_masterpiece a_delight a_winner a_success a_hit "
        "a_marvel a_bargain something_special gold spot_on the_best worth_every_penny fun "
        "well_made second_to_none above_average worth_it",
    ),
    "better": (
        "worse poorer weaker uglier duller cheaper-looking less_reliable less_enjoyable "
        "more_boring more_annoying more_disappointing less_fun less_comfortable",
        "better nicer finer stronger prettier livelier better-looking more_reliable "
        "more_enjoyable more_exciting more_pleasant more_satisfying more_fun more_comfortable",
    ),
    "best": (
        "worst weakest ugliest dullest most_boring most_annoying most_disappointing least_reliable",
        "best finest nicest strongest most_exciting most_beautiful most_enjoyable most_reliable",
    ),
    "love": (
        "hate dislike regret despise loathe detest",
        "love like adore enjoy admire recommend treasure",
    ),
    "loved": (
        "hated disliked regretted despised loathed detested",
        "loved liked adored enjoyed admired recommended treasured",
    ),
    # The {thing} ...
    "worked": (
        "let_me_down wasted_my_time drove_me_mad left_me_cold made_me_angry got_on_my_nerves "
        "was_a_waste_of_money fell_short_of_everything_I_hoped_for put_me_off "
        "gave_me_nothing_but_trouble failed_miserably spoilt_my_day bored_me_stiff "
        "was_not_worth_the_money went_from_bad_to_worse broke_at_once fell_apart stopped_working",
        "won_me_over made_my_day made_me_happy made_me_smile was_worth_every_penny "
        "was_worth_the_money exceeded_all_my_hopes cheered_me_up gave_me_nothing_but_pleasure "
        "succeeded_on_every_count saved_my_day was_money_well_spent went_from_good_to_great "
        "works_perfectly never_lets_me_down did_everything_right has_it_all is_hard_to_beat",
    ),
    # It never ..., said with this label.
    "does": (
        "works gets_better surprises_me makes_me_laugh gives_me_joy pleases_me keeps_its_word",
        "fails gets_boring lets_me_down bores_me annoys_me breaks_down disappoints_me",
    ),
    "verdict": (
        "Avoid. Stay_away. Never_again. What_a_mess. What_a_letdown. Save_your_money. "
        "Do_not_bother. Such_a_waste. I_want_my_money_back. Give_it_a_miss. Zero_stars. "
        "Thumbs_down. No_thanks. How_disappointing.",
        "Recommended. Go_for_it. I_will_be_back. What_a_treat. What_a_joy. Worth_your_money. "
        "Do_not_miss_it. Such_a_pleasure. I_want_more. Give_it_a_try. Five_stars. "
        "Thumbs_up. Yes_please. How_delightful.",
    ),
    # I ... that it would be {good}
    "hoped": ("feared was_worried was_warned was_afraid", "hoped was_told was_promised expected"),
}
# What any pattern may ask for, of no label.
NEITHER = {
    "friend": "friend wife husband brother sister mother father neighbour boss teacher colleague "
    "uncle son daughter flatmate",
    "many": "critics reviewers friends people others fans experts journalists",
    "before": "a_year_ago at_first when_it_was_new in_the_past last_year once before",
    "now": "now today these_days by_now nowadays",
    "very": "_ really_ very_ quite_ so_ truly_ absolutely_ simply_",
    "number": " ".join(map(str, range(2, 41))),
}
OPENINGS = ("Well", "Honestly", "To be honest", "I must say", "In short")
OPENED = 0.15  # of the texts begin with one
# Names of words of the other label, and of words of one label whatever the pattern's is.
OTHER = {"bad": "good", "hate": "love", "hated": "loved", "worse": "better", "hoped_not": "hoped"}
FIXED = {
    "neg": ("good", 0),
    "pos": ("good", 1),
    "inferior": ("better", 0),
    "superior": ("better", 1),
}


class Subject(NamedTuple):
    """What a text is about: "kettle", the words for its parts, and how it is called again."""

    thing: str
    parts: list[str]
    it: str


def subject(chance: random.Random) -> Subject:
    if chance.random() < FILM:
        thing, parts = chance.choice(FILMS), FILM_PARTS
    else:
        thing, parts = chance.choice(list(OTHERS.items()))
    return Subject(thing, parts.split(), chance.choice((f"the {thing}", "it", f"this {thing}")))


def fill(pattern: str, label: int, about: Subject, chance: random.Random) -> str:
    """A pattern with words of a label, 0 negative or 1 positive."""
    part, other_part = chance.sample(about.parts, 2)
    given = {"thing": about.thing, "it": about.it, "part": part, "other_part": other_part}

    def word(name: str) -> str:
        if name[0].isupper():
            found = word(name[0].lower() + name[1:])
            return found[0].upper() + found[1:]
        if name.startswith("a_"):
            found = word(name.removeprefix("a_"))
            return ("an " if found[0] in "aeiou" and found != "useless" else "a ") + found
        if name in given:
            found = given[name]
        elif name in NEITHER:
            found = chance.choice(NEITHER[name].split())
        else:
            kind, of_label = FIXED.get(name) or (OTHER.get(name, name), label ^ (name in OTHER))
            found = chance.choice(WORDS[kind][of_label].split())
        return found.replace("_", " ")

    filled = "".join(
        before + (word(name) if name else "")
        for before, name, _, _ in string.Formatter().parse(pattern)
    )
    return " ".join(filled.split())


def judgement(label: int, about: Subject, chance: random.Random) -> str:
    """One sentence, or a few that belong together."""
    kind = chance.choice([*PATTERNS, *ONE_SIDED])
    patterns = PATTERNS[kind] if kind in PATTERNS else ONE_SIDED[kind][label]
    pattern = chance.choice(patterns.strip().splitlines()).strip()
    text = fill(pattern, label, about, chance)
    if chance.random() < OPENED:
        small = text if text.startswith(("I ", "I'")) else text[0].lower() + text[1:]
        text = f"{chance.choice(OPENINGS)}, {small}"
    return text


def judgements(count: int = COUNT, seed: int = 0) -> Reviews:
    """So many different texts, half of them of each label, 0 negative and 1 positive.

    Some have a sentence beside them that judges nothing.
    """
    chance = random.Random(seed)
    found: dict[str, int] = {}
    while len(found) < count:
        label, about = len(found) % 2, subject(chance)
        text = judgement(label, about, chance)
        if chance.random() < TWO:
            end = "" if text[-1] in ".!?" else "."
            text = f"{text}{end} {judgement(label, about, chance)}"
        text = beside(text, str(seed))
        if chance.random() < BARE:
            text = text.rstrip(".")
        elif text[-1] == "." and chance.random() < BARE:
            text = text[:-1] + "!"
        found.setdefault(text, label)
    labels = np.array(list(found.values()), np.int32)
    ids = [text_id(text) + MARK for text in found]
    return Reviews(list(found), labels, ids, "made-up judgements")
