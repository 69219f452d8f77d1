"""Texts: their tokens, and the vocabulary that a model knows."""

from .tokens import TOKENISERS, Sentence, Token, tokeniser, usual_tokens
from .vocabulary import PADDING, UNKNOWN, Vocabulary

__all__ = ["PADDING", "TOKENISERS", "UNKNOWN", "Sentence", "Token", "Vocabulary", "tokeniser", "usual_tokens"]
