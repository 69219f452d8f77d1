"""Texts: their tokens, and the vocabulary that a model knows."""

from .tokens import TOKENISERS, Token, tokeniser, usual_tokens
from .vocabulary import PADDING, UNKNOWN, Vocabulary

__all__ = ["PADDING", "TOKENISERS", "UNKNOWN", "Token", "Vocabulary", "tokeniser", "usual_tokens"]
