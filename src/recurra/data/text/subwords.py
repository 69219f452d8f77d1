"""Pieces of words, by which words are alike that are written alike.

Shapes: G pieces.
"""

import zlib

import numpy as np

SHORTEST, LONGEST = 3, 5  # characters of a piece
MOST = 20  # pieces of a word: of a longer one the first ones


def pieces(word: str, buckets: int) -> np.ndarray:
    """Return the numbers of the pieces of ``word`` (MOST,), int64, from 1 to ``buckets``; zero behind the last one.

    A piece is 3 to 5 characters in a row of ``<word>``; pieces whose hashes meet are one (Bojanowski et al. 2017,
    https://arxiv.org/abs/1607.04606).
    """
    whole = f"<{word}>"
    found = np.zeros(MOST, np.int64)
    count = 0
    for size in range(SHORTEST, LONGEST + 1):
        for start in range(len(whole) - size + 1):
            if count == MOST:
                return found
            found[count] = 1 + zlib.crc32(whole[start : start + size].encode("utf-8", "replace")) % buckets
            count += 1
    return found
