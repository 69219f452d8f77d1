"""Texts: their tokens, and the vocabulary that a model knows."""

from .sentences import sentence_numbers, sentences
from .tokens import TOKENISERS, Token, tokeniser, usual_tokens
from .vocabulary import PADDING, UNKNOWN, Vocabulary

__all__ = [
    "PADDING",
    "TOKENISERS",
    "UNKNOWN",
    "Token",
    "Vocabulary",
    "sentence_numbers",
    "sentences",
    "tokeniser",
    "usual_tokens",
]
