"""What is no text of a review: mark-up, web addresses and handles go, entities become signs."""

from __future__ import annotations

# HTML that people paste into reviews (IMDB's are full of <br />); "<sigh>" is a word and stays.
# Python's re and TensorFlow's RE2 read it alike.
MARKUP = (
    r"(?i)</?(a|b|blockquote|br|div|em|font|h[1-6]|hr|i|img|li|ol|p|small|span|strong|u|ul)"
    r"(\s[^<>]*)?/?>"
)

# Web addresses and handles (@name) name somebody and judge nothing; "Awww..." is none, and the
# full stop behind one is its sentence's. Blanks are spelt out, as \s means more to Python.
ADDRESSES = (
    r"(?i)(?:https?://|(?:^|[ \t\r\n(])www\.)[a-z0-9](?:[^ \t\r\n<>]*[^ \t\r\n<>.,;:!?)\"'])?"
    r"|(?:^|[ \t\r\n])@[a-z0-9_]+"
)

# HTML's names of signs that reviews hold, decoded after that, once: `&amp;lt;` is `&lt;`. Few, and
# in lower case as they are written: they take 1 % of the tokenisation.
ENTITIES = (
    (r"&(quot|#34|[lr]dquo);", '"'),
    (r"&(apos|#0?39|[lr]squo);", "'"),
    (r"&(nbsp|#160);", " "),
    (r"&[mn]dash;", "-"),
    (r"&lt;", "<"),
    (r"&gt;", ">"),
    (r"&amp;", "&"),  # the last: what it makes is no entity
)
