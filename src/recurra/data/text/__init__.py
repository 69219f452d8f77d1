"""Texts: their tokens, and the vocabulary that a model knows."""

from .sentences import sentence_numbers, sentences
from .tokens import TOKENISERS, Sentence, Token, tokeniser, usual_tokens
from .vocabulary import PADDING, UNKNOWN, Vocabulary

__all__ = [
    "PADDING",
    "TOKENISERS",
    "UNKNOWN",
    "Sentence",
    "Token",
    "Vocabulary",
    "sentence_numbers",
    "sentences",
    "tokeniser",
    "usual_tokens",
]
