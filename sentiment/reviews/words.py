"""Words that stand for each other: first names, places, nationalities, faiths; and which of them
are read as one.

First names, countries, capitals and states are Faker's lists, which is imported when they are first
asked for.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

# First names that are words too: never drawn, and at the beginning of a sentence left as they are.
# Of these, those of which IMDB's training reviews write one in ten or more small, or a film's.
OFTEN_WORDS = (
    "Bill Brandy Chase Crystal Daisy Dawn Destiny Don Drew Faith Frank Grace Grant Guy Hunter Joy "
    "Mark Max Melody Misty Penny Randy Raven Ray Rose Sue Troy"
)
WORDS = (
    "Amber Ariel Bailey Brooke Carol Cole Dale Dean Earl Ebony Gene Glen Harry Heather Holly Jack "
    "Jade Jay Lance Lee Mason Miranda Norman Parker Patty Perry Ralph Robin Sandy Sherry Sierra "
    f"Tanner Taylor Victor {OFTEN_WORDS}"
)
# What Faker's list of the USA lacks, written down: short forms, and names of other peoples.
MORE_NAMES = (
    "Abby Abdul Ahmed Aisha Akira Ali Andy Aziz Ben Boris Charlie Chen Darnell Deepak Diego "
    "Dmitri Eleanor Elena Emil Farah Fatima Fiona Fritz Georgina Giovanni Giuseppe Graham Greta "
    "Hakim Hamid Hans Hassan Hiroshi Hugh Hussein Ibrahim Igor Ingrid Irina Jamal Jan Jing Johan "
    "Josh Kamal Kareem Kate Katy Keisha Kenji Khalid Klaus Kofi Kwame Lakisha Lakshmi Lars "
    "Latonya Leila Liam Louise Luca Lucy Luigi Mahmoud Malcolm Marta Matt Mei Mikhail Ming "
    "Mohamed Mohammad Mohammed Muhammad Mustafa Nadia Naomi Nick Nigel Nikolai Olga Oliver Owen "
    "Pablo Paolo Pavel Pete Pierre Priya Rafael Raj Rajesh Rasheed Ravi Rosa Rosie Sam Sanjay "
    "Sergei Simon Sofia Sophie Stefan Sven Svetlana Takashi Tamika Tanisha Tariq Ted Toby Tomasz "
    "Vijay Vladimir Wei Wolfgang Yasmin Yuki Yusuf"
)
# Those that mostly are something else, a month, a faith, a place: no names here.
NO_NAMES = (
    "Alexandria Angel April Austin Autumn Chad Chelsea Cheyenne Christian Dakota Diamond Jesus "
    "Jordan Madison Mercedes Savannah Summer Sydney Victoria Virginia"
)
# And what is no place, or a person's name more often (Washington).
NO_PLACES = "Chad Jersey Jordan Reunion Santiago Victoria Virginia Washington"

# Adjectives of one word, written down for this; English is left out, as it mostly is the language.
NATIONALITIES = (
    "Afghan Albanian Algerian American Angolan Argentine Armenian Australian Austrian Azerbaijani "
    "Bangladeshi Belarusian Belgian Bolivian Bosnian Brazilian British Bulgarian Burmese "
    "Cambodian Cameroonian Canadian Chilean Chinese Colombian Congolese Croatian Cuban Cypriot "
    "Czech Danish Dutch Ecuadorian Egyptian Emirati Eritrean Estonian Ethiopian Filipino Finnish "
    "French Georgian German Ghanaian Greek Guatemalan Haitian Honduran Hungarian Icelandic Indian "
    "Indonesian Iranian Iraqi Irish Israeli Italian Jamaican Japanese Jordanian Kenyan Korean "
    "Kuwaiti Laotian Latvian Lebanese Liberian Libyan Lithuanian Malaysian Maltese Mexican "
    "Mongolian Moroccan Namibian Nepali Nicaraguan Nigerian Norwegian Omani Pakistani Palestinian "
    "Panamanian Paraguayan Peruvian Polish Portuguese Romanian Russian Rwandan Scottish "
    "Senegalese Serbian Slovak Slovenian Somali Spanish Sudanese Swedish Swiss Syrian Taiwanese "
    "Tanzanian Thai Tunisian Turkish Ugandan Ukrainian Uruguayan Venezuelan Vietnamese Welsh "
    "Yemeni Zambian Zimbabwean"
)
# Large faiths, written down as well: adjectives, people, the faiths themselves.
FAITHS = (
    "Christian Muslim Jewish Hindu Buddhist Catholic Protestant Sikh Mormon Lutheran",
    "Christians Muslims Jews Hindus Buddhists Catholics Protestants Sikhs Mormons",
    "Christianity Judaism Hinduism Buddhism Catholicism Protestantism Sikhism Islam",
)


class Known(NamedTuple):
    """What is looked for, what may stand in the place of each, and all that does so."""

    pattern: re.Pattern[str]
    stand_ins: dict[str, tuple[str, ...]]
    drawn: list[str]


def known(groups: Iterable[Iterable[str]], drawn: Callable[[str], bool] = bool) -> Known:
    """Words by groups, whose `drawn` ones stand for each other where they take the same article
    ("an Irish film", "a Thai film"). A word of two groups belongs to the first.
    """
    stand_ins: dict[str, tuple[str, ...]] = {}
    for group in groups:
        new = sorted(set(group) - set(stand_ins))
        for vowel in (True, False):
            alike = [word for word in new if (word[0] in "AEIO") == vowel]
            stand_ins |= dict.fromkeys(alike, tuple(filter(drawn, alike)))
    longest_first = "|".join(sorted(stand_ins, key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w'’@#&/.-])(?:{longest_first})(?![\w@/-])")
    return Known(pattern, stand_ins, sorted({one for some in stand_ins.values() for one in some}))


@functools.cache
def names() -> Known:
    from faker.providers.person.en_US import Provider

    female, male = set(Provider.first_names_female), set(Provider.first_names_male)
    groups = (female & male, female - male, male - female)
    no_names, words = set(NO_NAMES.split()), set(WORDS.split())
    return known((group - no_names for group in groups), lambda name: name not in words)


@functools.cache
def places() -> Known:
    from faker.providers.address.en_US import Provider
    from faker.providers.date_time import Provider as WithCapitals

    countries = {one.name for one in WithCapitals.countries} | set(Provider.countries)
    capitals = {one.capital for one in WithCapitals.countries}
    groups = (countries, capitals, set(Provider.states))
    plain = ({one for one in group if re.fullmatch(r"[A-Za-z ]+", one)} for group in groups)
    # Of several words, or a plural, they may want an article: the Netherlands.
    no_places = set(NO_PLACES.split())
    return known((group - no_places for group in plain), re.compile(r"\w+[^s\W]\Z").match)


@functools.cache
def known_nationalities() -> Known:
    return known([NATIONALITIES.split()])


@functools.cache
def known_faiths() -> Known:
    return known(group.split() for group in FAITHS)


# What each of them is read as; three words of faiths, as there are in FAITHS.
ONE_NAME, ONE_NATIONALITY, ONE_FAITH = "alex", "british", ("catholic", "catholics", "catholicism")


@functools.cache
def alike() -> dict[str, str]:
    """Words that are read as one, in small letters, and that one. What is often another word stays
    ("Grace"), and so does "polish", which films may lack.
    """
    first_names = {*names().stand_ins, *MORE_NAMES.split()} - set(OFTEN_WORDS.split())
    groups = [(ONE_NAME, first_names), (ONE_NATIONALITY, set(NATIONALITIES.split()) - {"Polish"})]
    groups += [(one, set(some.split())) for one, some in zip(ONE_FAITH, FAITHS, strict=True)]
    return {word.lower(): one for one, some in groups for word in sorted(some)}
