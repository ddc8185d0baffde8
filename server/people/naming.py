"""Names that patients choose to be shown by: what may stand in one, and which look like somebody else's (domain.md §1).

Pure. Two names are the same here when a reader could take one for the other: letters that look alike, accents, case, spaces
and signs make no difference. The table of look-alikes is a short one of our own, of what stands on common keyboards.
"""

import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

LONGEST: Final = 40
_COMBINING_AT_MOST = 2
_FILLERS: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\U00016fe4\U0001d159"
    + "".join(map(chr, [*range(0xFE00, 0xFE0E), *range(0xE0100, 0xE01F0)]))
)
"""Characters that show nothing, and are no control characters either."""
_STYLES: Final = "\ufe0e\ufe0f"
"""Say how the sign before them is drawn, as in a heart of an emoji keyboard; they show nothing either."""

_ALIKE: Final = {
    ord(letter): latin
    for latin, letters in {
        "a": "аαɑ@", "b": "вβь8б6", "c": "сϲ", "d": "ԁđ", "e": "еєε3", "f": "ƒ", "g": "ցɡ9", "h": "нһħη",
        "i": "іıιl1|!jј¡ӏ", "k": "кκ", "m": "мμ", "n": "пոν", "o": "оοօø0σ", "p": "рρ", "q": "ԛ", "r": "гɾ",
        "s": "ѕ5$", "t": "тτŧ7", "u": "սυ", "v": "ѵ", "w": "ԝωш", "x": "хχ", "y": "уγ", "z": "ʐ2",
    }.items()
    for letter in letters
}  # fmt: skip
"""Letters, digits and signs that look like a Latin letter, after case folding."""
_ALIKE.update(zip(map(ord, "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ"), "abcdefghijklmnoprstuvwyz", strict=True))
_ALIKE.update(zip(map(ord, "ꓮꓐꓚꓓꓰꓝꓖꓧꓲꓙꓗꓡꓟꓠꓳꓑꓣꓢꓔꓴꓦꓪꓫꓬꓜ"), "abcdefghijklmnoprstuvwxyz", strict=True))
for _first in (0x1F150, 0x1F170, 0x1F1E6):  # white on black in circles, in squares, and those that flags are made of
    _ALIKE.update({_first + place: chr(ord("a") + place) for place in range(26)})
_LUNATE: Final = {0x3F2: "c", 0x3F9: "c"}
"""Would become another letter, which looks like none of these, before it is looked up."""

_TITLES: Final = (
    "dr", "doctor", "nurse", "clinician", "therapist", "psychologist", "psychiatrist", "counsellor", "physician",
    "professor", "admin", "administrator", "moderator", "support", "staff", "team",
)  # fmt: skip
_SHORTEST_WITHIN = 5
"""A staff name of at least so many letters is not to stand inside another name either."""


def wrong(name: str) -> str | None:
    """What is wrong with the characters of a display name, in words, or None."""
    if not name or len(name) > LONGEST:
        return f"takes 1 to {LONGEST} characters"
    if any(unicodedata.category(character)[0] == "C" or character in _FILLERS for character in name):
        return "must not hold control, bidirectional, zero-width or invisible characters"
    if any(unicodedata.category(character) in ("Zl", "Zp") for character in name):
        return "must not hold line breaks"
    if all(unicodedata.category(character)[0] in "MZ" for character in name):
        return "must hold something that can be seen"
    if any(after in _STYLES and unicodedata.category(sign)[0] not in "SPN" for sign, after in pairwise(f" {name}")):
        return "must not hold control, bidirectional, zero-width or invisible characters"
    marks = 0
    for character in unicodedata.normalize("NFD", name):
        marks = marks + 1 if unicodedata.category(character).startswith("M") else 0
        if marks > _COMBINING_AT_MOST:
            return "must not pile marks upon a letter"
    return None


def fold(name: str) -> str:
    """What a reader sees in a name, roughly: the same for names that look the same."""
    plain = unicodedata.normalize("NFKC", name.translate(_LUNATE)).casefold().translate(_ALIKE)
    plain = "".join(c for c in unicodedata.normalize("NFD", plain) if not unicodedata.category(c).startswith("M"))
    letters = "".join(c for c in plain.translate(_ALIKE) if c.isalnum())
    return letters.replace("rn", "m").replace("vv", "w") or plain.strip()


def same(one: str, other: str) -> bool:
    """Whether a reader could take the one for the other."""
    return fold(one) == fold(other)


def imitates(name: str, staff: Iterable[str]) -> bool:
    """Whether a name could be taken for a team member's: it is, holds or reorders one, or bears a title of staff."""
    words, whole = _words(name), fold(name)
    if (words | {fold(word) for word in name.split()} | {whole}) & {fold(title) for title in _TITLES}:
        return True
    return any(
        whole == folded or (len(folded) >= _SHORTEST_WITHIN and folded in whole) or words == _words(one)
        for one in staff
        for folded in [fold(one)]
    )


def _words(name: str) -> set[str]:
    """The words of a name, folded; whatever is no letter, digit or mark stands between two."""
    plain = unicodedata.normalize("NFKC", name)
    apart = "".join(c if c.isalnum() or unicodedata.category(c).startswith("M") else " " for c in plain)
    return {fold(word) for word in apart.split()}
