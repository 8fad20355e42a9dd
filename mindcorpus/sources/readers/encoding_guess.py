"""A guess of the encoding of text that is not UTF-8, and how sure it is.

What `charset-normalizer` finds fit is looked at once more, as it takes one code page for another
of which a few letters differ. A character counts as explained where it makes sense: a letter of a
language that has all or most of the other letters, among letters of its script; or punctuation.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import NamedTuple

#: In the order of preference where they say the same.
_SINGLE = (
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "cp1257",
    "iso8859-15",
    "iso8859-2",
    "cp1255",
    "cp1256",
    "cp874",
    "iso8859-5",
    "koi8-r",
    "mac-roman",
    "cp850",
    "cp437",
)
#: With the first bytes of their frequent characters.
_DOUBLE = {
    "cp932": range(0x81, 0x98),
    "gb18030": range(0xA1, 0xD8),
    "big5": range(0xA1, 0xC7),
    "cp949": range(0xA1, 0xC9),
    "euc-jp": range(0xA1, 0xD0),
}
#: Of systems of long ago: they must be clearly better than the others.
_OLD = {"mac-roman", "cp850", "cp437"}
_HANDICAP = 0.15
#: Of scripts of their own: the Latin letters that they have too are no reason to take one.
_NOT_LATIN = {"cp1255", "cp1256", "cp874", "iso8859-5"}
_MARGIN = 0.1
#: So many characters beyond ASCII an old code page needs to be sure of.
_FEW = 10
#: Bytes that damage leaves, and that text has in hardly any encoding: alone they say nothing.
_DAMAGE = frozenset(b"\x81\x8d\x8f\x90\x9d\xfe\xff")
_PUNCTUATION = frozenset("‘’‚“”„–—…•‹›«»€£¥©®™°§¡¿·´`×½¼²³\u00a0")
#: The letters beyond ASCII of languages, as texts in them have.
_ALPHABETS = tuple(
    frozenset(letters + letters.upper())
    for letters in (
        "àâæçéèêëîïôœùûü",
        "áéíóúüñªº",
        "áâãàçéêíóôõú",
        "àèéìòù",
        "äöüß",
        "æøåé",
        "åäöé",
        "éëïóöü",
        "áðéíóúýþæö",
        "ąćęłńóśźż",
        "áčďéěíňóřšťúůýž",
        "áäčďéíĺľňóôŕšťúýž",
        "áéíóöőúüű",
        "ăâîşţ",
        "čćđšž",
        "çğıöşüâî",
        "ąčęėįšųūž",
        "āčēģīķļņšūž",
        "äõöüšž",
        "абвгдежзийклмнопрстуфхцчшщъыьэюяё",
        "абвгдежзийклмнопрстуфхцчшщьюяґєії",
        "абвгдђежзијклљмнњопрстћуфхцчџш",
        "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώ",
        "אבגדהוזחטיךכלםמןנסעףפץצקרשת",
        "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىي",
        "กขคฆงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮะาำเแโใไ",
    )
)


class Guess(NamedTuple):
    """An encoding, and how sure it is, from 0 to 1."""

    encoding: str
    confidence: float


def guess(sample: bytes, used: bytes) -> list[Guess]:
    """Guess the encoding of text, the best first; nothing if it makes no sense in any.

    `used` are the bytes beyond ASCII of the whole text, each once.
    """
    if _DAMAGE.issuperset(used):
        return []
    few = sum(byte > 0x7F for byte in sample) < _FEW
    ranked: list[tuple[float, int, str, float]] = []
    seen: set[str] = set()
    fits = _fits(sample)
    for order, encoding in enumerate((*_SINGLE, *_DOUBLE)):
        try:
            text = sample.decode(encoding)
            # What two encodings read alike is one guess.
            alike = used.decode(encoding) if encoding in _SINGLE else text
        except UnicodeDecodeError:
            continue
        if alike in seen:
            continue
        seen.add(alike)
        mess = max(1 - _explained(text, encoding), fits.get(_plain(encoding), 1.0))
        if mess < 0.5:
            handicap = _HANDICAP if encoding in _OLD else 0.0
            ranked.append((mess + handicap, order, encoding, mess + handicap * few))
    ranked.sort()
    found = [Guess(encoding, 1 - mess) for _, _, encoding, mess in ranked]
    if len(ranked) > 1 and ranked[1][0] - ranked[0][0] < _MARGIN:
        # Both make sense: one of them is wrong.
        found[0] = Guess(found[0].encoding, min(0.5, found[0].confidence))
        found[1] = Guess(found[1].encoding, min(0.5, found[1].confidence))
    return found


def _plain(encoding: str) -> str:
    return encoding.replace("-", "_").replace("mac_", "mac").replace("iso_", "iso")


def _fits(sample: bytes) -> dict[str, float]:
    """Give the mess that `charset-normalizer` sees in a text, by the encodings that it may be."""
    from charset_normalizer import from_bytes

    names = [*_SINGLE, *_DOUBLE]
    return {
        _plain(name): match.chaos
        for match in from_bytes(
            sample, cp_isolation=names, threshold=0.5, preemptive_behaviour=False
        )
        for name in match.could_be_from_charset
    }


def _explained(text: str, encoding: str) -> float:
    """Give the share of a text's characters beyond ASCII that make sense."""
    letters: Counter[str] = Counter()
    good = total = 0
    for at, character in enumerate(text):
        if character < "\x80":
            continue
        total += 1
        if character in _PUNCTUATION:
            good += 1
        elif encoding in _DOUBLE:
            good += character.encode(encoding, "replace")[0] in _DOUBLE[encoding]
        elif encoding in _NOT_LATIN and _script(character) == "LATIN":
            continue
        elif character.isalpha() and _fits_in(text, at):
            letters[character] += 1
    best: float = max(sum(letters[letter] for letter in alphabet) for alphabet in _ALPHABETS)
    if sum(letters[letter] for letter in letters if letter.isupper()) > best / 2:
        best /= 2  # of some pairs of code pages one's small letters are the other's capitals
    return (good + best) / total if total else 0.0


def _fits_in(text: str, at: int) -> bool:
    """Tell whether a letter stands well among its neighbours: in script and in case."""
    letter = text[at]
    before = text[at - 1] if at else " "
    after = text[at + 1] if at + 1 < len(text) else " "
    script = _script(letter)
    if script != "LATIN" and not (before.isalpha() or after.isalpha()):
        return False
    if letter == "ς" and after.isalpha():
        return False
    if any(near.isalpha() and _script(near) != script for near in (before, after)):
        return False
    return not (letter.isupper() and before.isalpha() and before.islower())


def _script(letter: str) -> str:
    return "LATIN" if letter < "\x80" else unicodedata.name(letter, "?").partition(" ")[0]
