"""English and German tokens as spaCy's blank tokenizers cut them, for scores that are published on such tokens.

    python benchmarks/accuracy/spacy_tokens.py FILE.. [--language en]

prints the tokens of every line. With spaCy in the environment, ``--check`` prints how many lines both cut alike. The
rules are those of spaCy 3.8 (MIT licence), written again: marks before and behind a word, those inside of it, and words
that are exceptions; without symbols, addresses, and units of measure.
"""

import argparse
import gzip
import re
from collections.abc import Iterable
from itertools import product
from pathlib import Path

QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉⟦⟧"
LISTED = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪"
LETTER, SMALL, LARGE = r"[^\W\d_]", "[a-zà-öø-ÿß]", "[A-ZÀ-ÖØ-Þ]"
HYPHEN = "--+|——|[-–—~]"
CURRENCY = "[$£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₵₶₷₸₹₺₻₼₾₿]|US\\$|C\\$|A\\$"
UNITS = "[kdcmµn]?m[²³]?|ha|yd|in|ft|[km]?g|µg|t|lb|oz|m/s|km/h|mph|hPa|Pa|mbar|mb|MB|[kgt]b|[KGT]B|[TGMK]|%"
PREFIX = re.compile(rf"\.\.+|[§%=—–]|\+(?![0-9])|…+|[{re.escape(LISTED + QUOTES)}]|{CURRENCY}")
INFIX = {
    "en": [
        r"\.\.+|…",
        r"(?<=[0-9])[+\-*^](?=[0-9-])",
        rf"(?<={SMALL})\.(?={LARGE})|(?<=[{re.escape(QUOTES)}])\.(?={LARGE})|(?<={SMALL})\.(?=[{re.escape(QUOTES)}])",
        rf"(?<={LETTER}),(?={LETTER})",
        rf"(?<=[^\W_])(?:{HYPHEN})(?={LETTER})",
        rf"(?<=[^\W_])[:<>=/](?={LETTER})",
    ],
    "de": [
        r"\.\.+|…",
        rf"(?<={SMALL})\.(?={LARGE})",
        rf"(?<={LETTER})[,!?](?={LETTER})",
        rf"(?<={LETTER})[:<>=](?={LETTER})",
        rf"(?<={LETTER})[{re.escape(QUOTES[1:])}()\[\]](?={LETTER})|(?<=[^\W_])/(?=[^\W_])",
        rf"(?<={LETTER})--(?={LETTER})|(?<=[0-9])-(?=[0-9])",
    ],
}
SUFFIX = {
    "en": rf"(?:\.\.+|…+|[{re.escape(LISTED + QUOTES)}]|['’][sS]|[—–]|(?<=[0-9])\+|(?<=°[FfCcKk])\.|"
    rf"(?<=[0-9])(?:{CURRENCY})|(?<=[0-9])(?:{UNITS})|(?<=[0-9a-zà-öø-ÿß%²\-+'\"”“`‘´’‚,„»«)\]])\.|"
    rf"(?<={LARGE}{LARGE})\.)$",
    "de": rf"(?:\.\.+|…+|[{re.escape(LISTED + QUOTES)}]|/|[—–]|(?<=[0-9])\+|(?<=°[FfCcKk])\.|"
    rf"(?<=[0-9])(?:{CURRENCY})|(?<=[0-9])(?:{UNITS})|(?<=[a-zà-öø-ÿß%²\-+'\"”“`‘´’‚,„»«)\]])\.|"
    rf"(?<={LARGE}{LARGE})\.)$",
}


def english_exceptions() -> dict[str, list[str]]:
    """Return the words that are cut in a way of their own, and those that are not cut."""
    found: dict[str, list[str]] = {}
    bound = {"i": "m ll ve d", "you": "re ll ve d", "he": "s ll d", "she": "s ll d", "it": "s ll d"}
    bound |= {"we": "re ll ve d", "they": "re ll ve d"}
    bound |= dict.fromkeys(("who", "what", "when", "where", "why", "how", "there", "that"), "s ll d re ve")
    bound |= dict.fromkeys(("this", "these", "those"), "s ll d re ve")
    for word, ends in bound.items():
        for end, mark in product(ends.split(), ("'", "’", "")):
            found[word + mark + end] = [word, mark + end]
        for end, mark in product(("ll", "d"), ("'", "’", "")):
            if end in ends.split():
                found[word + mark + end + mark + "ve"] = [word, mark + end, mark + "ve"]
    verbs = "ca could do does did had may might must need ought sha should wo would ai are is was were have has dare"
    for verb, mark in product(verbs.split(), ("'", "’", "")):
        found[f"{verb}n{mark}t"] = [verb, f"n{mark}t"]
        if verb in ("ca", "could", "might", "must", "should", "wo", "would"):
            found[f"{verb}n{mark}t{mark}ve"] = [verb, f"n{mark}t", f"{mark}ve"]
    for verb, mark in product(("could", "might", "must", "should", "would"), ("'", "’", "")):
        found[f"{verb}{mark}ve"] = [verb, f"{mark}ve"]
    parts = "can|not gon|na got|ta let|'s let|’s c'm|on not|'ve y'|all"
    found |= {part.replace("|", ""): part.split("|") for part in parts.split()}
    for word in [*found]:
        large = word[:1].upper() + word[1:]
        found[large] = [found[word][0][:1].upper() + found[word][0][1:], *found[word][1:]]
    whole = (
        "o'clock ma'am a.m. p.m. Mr. Mrs. Ms. Dr. St. Jr. Co. Inc. Ltd. Corp. Mt. No. Prof. Rev. Gen. vs. v.s. e.g. "
    )
    whole += "i.e. 'S 's ’s ’S 're 'll 'd and/or w/o 'em 'Cause 'cause 'nuff 'Nuff ol' Ol' nothin' Nothin' nuthin' "
    whole += "goin' Goin' doin' Doin' havin' Havin' lovin' Lovin' :) :( :D ;) :-) ;-) <3 Jan. Feb. Mar. Apr. Jun. "
    whole += "Jul. Aug. Sep. Sept. "
    whole += "Oct. Nov. Dec. Ala. Ariz. Ark. Calif. Colo. Conn. Del. Fla. Ga. Ill. Ind. Kan. Ky. La. Mass. Mich. Minn. "
    whole += "Miss. Mo. Mont. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nev. Okla. Ore. Pa. S.C. Tenn. Va. Wash. Wis. D.C."
    found |= {word: [word] for word in (*whole.split(), *(f"{one}." for one in "abcdefghijklmnopqrstuvwxyz"))}
    for number, half in product(range(1, 13), ("am", "pm", "a.m.", "p.m.")):
        found[f"{number}{half}"] = [str(number), half]
    for word in ("Ill", "ill", "Its", "its", "Hell", "hell", "Shell", "shell", "Shed", "shed", "were", "Were"):
        found.pop(word, None)
    for word in ("Well", "well", "Whore", "whore"):
        found.pop(word, None)
    return found


def german_exceptions() -> dict[str, list[str]]:
    """Return the words that are cut in a way of their own, and those that are not cut."""
    whole = (
        "z.B. z.b. z.T. d.h. u.a. u.U. usw. bzw. ca. Dr. St. Nr. Str. Mr. Mio. Mrd. Prof. evtl. ggf. inkl. max. min. "
    )
    whole += "etc. vgl. bspw. sog. o.ä. e.V. U.S. U.S.A. 's 'S 'n 'ne 'nen 'nem ’s ’S ’n ’ne ’nen ’nem Abb. Abs. Abt. "
    whole += "Chr. v.Chr. n.Chr. Jan. Feb. Mär. Apr. Jun. Jul. Aug. Sep. Sept. Okt. Nov. Dez. Mo. Di. Mi. Do. Fr. Sa. "
    whole += "So. Hr. Fr. Jh. Jr. Std. Tel. Co. :) :( :D ;) ;D"
    found = {word: [word] for word in (*whole.split(), *(f"{one}." for one in "abcdefghijklmnopqrstuvwxyzäöü"))}
    ends = [*product(("du", "er", "ich", "ihr", "sie", "wir"), ("'s", "’s"))]
    ends += product(("auf", "hinter", "unter", "vor", "über"), ("'m", "’m"))
    return found | {word + end: [word, end] for word, end in ends}


EXCEPTIONS = {"en": english_exceptions(), "de": german_exceptions()}
INSIDE = {language: re.compile("|".join(rules)) for language, rules in INFIX.items()}
BEHIND = {language: re.compile(rule) for language, rule in SUFFIX.items()}


def spacy_tokens(text: str, language: str = "en") -> list[str]:
    """Return the tokens of a text as spaCy's blank tokenizer of the language cuts them, without white space."""
    return [token for chunk in text.split() for token in _cut(chunk, language)]


def _cut(word: str, language: str) -> list[str]:
    """Return the tokens of what stands between blanks: marks are taken off both ends until an exception is left."""
    known = EXCEPTIONS[language]
    before: list[str] = []
    behind: list[str] = []
    while word and word not in known:
        prefix = PREFIX.match(word)
        start = prefix.end() if prefix else 0
        if start and word[start:] in known:
            before, word = [*before, word[:start]], word[start:]
            break
        suffix = BEHIND[language].search(word, start)
        size = len(suffix.group()) if suffix else 0
        if size and word[:-size] in known:
            behind, word = [word[-size:], *behind], word[:-size]
            break
        if not start and not size:
            break
        before += [word[:start]] * bool(start)
        if size and start + size <= len(word):
            behind = [word[-size:], *behind]
            word = word[start:-size]
        else:
            word = word[start:]
    return [*before, *(known.get(word) or _inside(word, language)), *behind]


def _inside(word: str, language: str) -> list[str]:
    parts, at = [], 0
    for mark in INSIDE[language].finditer(word):
        if mark.start() > at or mark.start() == 0:
            parts += [word[at : mark.start()], mark.group()]
            at = mark.end()
    return [part for part in (*parts, word[at:]) if part]


def main() -> None:
    """Cut the lines of files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--language", choices=["en", "de"], default="en")
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    for path in asked.files:
        content = path.read_bytes()
        lines = (gzip.decompress(content) if path.suffix == ".gz" else content).decode().splitlines()
        if asked.check:
            _check(path.name, lines, asked.language)
        else:
            print("\n".join(" ".join(spacy_tokens(line, asked.language)) for line in lines))


def _check(name: str, lines: Iterable[str], language: str) -> None:
    import spacy

    tokenizer = spacy.blank(language).tokenizer
    pairs = [([t.text for t in tokenizer(line) if not t.is_space], spacy_tokens(line, language)) for line in lines]
    other = [(theirs, own) for theirs, own in pairs if theirs != own]
    print(f"{name}: {len(pairs) - len(other):,} of {len(pairs):,} lines are cut alike")
    for theirs, own in other[:20]:
        print(*(f"  {' '.join(tokens)}" for tokens in (theirs, own)), sep="\n")


if __name__ == "__main__":
    main()
