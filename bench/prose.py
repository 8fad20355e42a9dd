"""Text for the synthetic corpus: random sentences of a large vocabulary, nobody's words."""

from __future__ import annotations

from random import Random

_COMMON = """
    I you we they it the a to of and in that is was for on with as at by this have from or one had
    not but what all were when your can there use an each which do how if will up other about out
    many then them these so some her would make like him into time has look two more go see way
    could people my than first been call who its now find long down day did get come made may part
    feel think talk sleep work help friend family doctor week alone tired worry hope quiet morning
"""
_ONSETS = (*"bcdfghjlmnprstw", "br", "ch", "gr", "pl", "st")
_VOWELS = (*"aeiou", "ai", "ea", "ou")
_CODAS = ("", *"nrslt", "nd", "ck", "ly", "ing", "ed")
BEYOND_ASCII = ("café", "naïve", "déjà", "Zürich", "“so”", "—", "…", "日本", "😂", "🤔", "💜")


def vocabulary(random: Random, size: int = 6000) -> list[str]:
    """Make up a vocabulary of common words and word-like syllables."""
    words = set(_COMMON.split())
    while len(words) < size:
        syllables = random.randint(1, 3)
        words.add(
            "".join(random.choice(_ONSETS) + random.choice(_VOWELS) for _ in range(syllables))
            + random.choice(_CODAS)
        )
    return sorted(words)


class Prose:
    """A pool of sentences made beforehand, from which texts are strung together at random."""

    def __init__(self, random: Random, sentences: int = 4000) -> None:
        self.random = random
        self.words = vocabulary(random)
        self._common = _COMMON.split()
        self.pool = [self._sentence() for _ in range(sentences)]

    def _sentence(self) -> str:
        count = self.random.randint(6, 24)
        words = [
            self.random.choice(self._common)
            if self.random.random() < 0.6
            else self.random.choice(self.words)
            for _ in range(count)
        ]
        if self.random.random() < 0.1:
            words[count // 2] = str(self.random.randint(2, 9999))
        if self.random.random() < 0.3:
            words[count // 3] += ","
        return " ".join(words).capitalize() + self.random.choice((".", ".", ".", "?", "!"))

    def text(self, fewest: int, most: int, between: str = " ") -> str:
        """Give a text of that many sentences."""
        return between.join(self.random.choices(self.pool, k=self.random.randint(fewest, most)))

    def lower_case(self, fewest: int, most: int) -> str:
        """Give that many words as a cleaned corpus has them: no case, no punctuation."""
        return " ".join(
            self.random.choices(self.words, k=self.random.randint(fewest, most))
        ).lower()

    def name(self, words: int = 3) -> str:
        """Give a short phrase."""
        return " ".join(self.random.choices(self.words, k=words))

    def beyond_ascii(self) -> str:
        """Give a word or sign beyond ASCII."""
        return self.random.choice(BEYOND_ASCII)

    def chance(self, share: float) -> bool:
        """Say yes in that share of all cases."""
        return self.random.random() < share
