"""Texts from texts: translations, answers, summaries, other spellings."""
