"""Threads: what was said one after the other, of which every turn but the first is a reply to those before it."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pandas as pd

from ...data.cases.roles import by_rank

BETWEEN = " ⏎ "  # stands between two turns that are read
# What holds all turns of a thread in one cell, what says of each row of which thread it is, and what is said there.
WHOLE = (
    "messages", "dialog", "dialogue", "dialogs", "turns", "conversation", "conversations", "utterances", "对话", "会话",
)  # fmt: skip
MARKED = (
    "thread", "thread_id", "conversation_id", "dialog_id", "dialogue_id", "dialog_no", "conversation", "dialogue",
    "dialog", "会话", "对话", "会话编号",
)  # fmt: skip
SAID = ("utterance", "message", "text", "content", "turn", "发言", "内容")
TEXTS, ROLES = ("content", "text", "utterance", "value", "message"), ("role", "from", "speaker", "author", "角色")
ANSWERS = ("assistant", "bot", "gpt", "model", "助手")  # whose turns are the replies where there are such


class Turn(NamedTuple):
    """What somebody said."""

    text: str
    who: str = ""


class Reply(NamedTuple):
    """What was said before, what was said to it ('' for what comes next), and in which thread, counted from 0."""

    before: str
    said: str
    thread: int


def threads_in(table: pd.DataFrame) -> list[list[Turn]] | None:
    """Return the threads of a table: one in each cell of a column, or a turn in each row; None if it has none."""
    for name in by_rank(table.columns, WHOLE):
        cells = table[name].tolist()
        if all(isinstance(cell, list) and all(_is_turn(one) for one in cell) for cell in cells):
            return [[_turn(one) for one in cell] for cell in cells]
    marked, said = by_rank(table.columns, MARKED), by_rank(table.columns, SAID)
    if not marked or not said or not all(isinstance(one, str) for one in table[said[0]]):
        return None
    if table[marked[0]].nunique() == len(table):  # each a thread by itself: these are texts with a name
        return None
    roles = by_rank([name for name in table.columns if name not in (marked[0], said[0])], ROLES)
    who = table[roles[0]].map(str) if roles else pd.Series([""] * len(table), index=table.index)
    rows = zip(table[marked[0]].tolist(), table[said[0]].tolist(), who.tolist(), strict=True)
    found: dict[Any, list[Turn]] = {}
    for thread, text, one in rows:
        found.setdefault(thread, []).append(Turn(text, one))
    return [*found.values()]


def _is_turn(one: Any) -> bool:
    return isinstance(one, str) or (isinstance(one, dict) and any(isinstance(one.get(name), str) for name in TEXTS))


def _turn(one: Any) -> Turn:
    if isinstance(one, str):
        return Turn(one)
    text = next(one[name] for name in TEXTS if isinstance(one.get(name), str))
    return Turn(text, next((str(one[name]) for name in ROLES if name in one), ""))


def replies(threads: Sequence[Sequence[Turn]], turns: int, answered: bool) -> Iterator[Reply]:
    """Yield every reply with up to so many ``turns`` before it; where not all are ``answered``, the next one, too.

    Where there is an assistant, only what it says is a reply. Turns without a word are none.
    """
    helped = any(one.who.casefold() in ANSWERS for thread in threads for one in thread)
    for number, thread in enumerate(threads):
        said = [one for one in thread if one.text.strip()]
        for place in range(1, len(said)):
            if not helped or said[place].who.casefold() in ANSWERS:
                yield Reply(_before(said, place, turns), said[place].text, number)
        if said and not answered and not (helped and said[-1].who.casefold() in ANSWERS):
            yield Reply(_before(said, len(said), turns), "", number)


def _before(said: Sequence[Turn], place: int, turns: int) -> str:
    return BETWEEN.join(one.text.strip() for one in said[max(0, place - turns) : place])
