"""The query language: text to a tree of conditions, tolerantly, and with the place of everything in the text.

    query  = all ("OR" all)*                 all = one ("AND"? one)*
    one    = ("-" | "NOT") one | "(" query ")" | term | word | "phrase"
    term   = field ":" value | field ":(" value ("OR" value)* ")"
    value  = "quoted" | bare | >2 | >=1 | 1..5 | sup*

Quoted text is always meant literally. What is not understood becomes a problem, and is left out of the tree: lists may
show what the rest finds, but nothing may be done to "all that match" while there is a problem.

Places are counted in Unicode characters; JavaScript counts those beyond U+FFFF twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from django.utils import timezone
from django.utils.translation import gettext as _

from tracing.queries.explorer.fields import Field, Kind, find_field, nearest_field
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.values import Value, ValueReader
from tracing.queries.explorer.writing import UNESCAPES, write_term

#: Longer is no question of a person; the database would take seconds to understand it.
LONGEST = 4000
MOST_TERMS = 100
DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was not understood: a sentence, and the stretch of the text that it is about."""

    message: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Term:
    """A field compared with any of some values. `key` is that of `metadata.key` and `scores.name`."""

    field: Field
    values: tuple[Value, ...]
    start: int
    end: int
    key: str = ""
    is_negated: bool = False

    @property
    def name(self) -> str:
        return f"{self.field.name}.{self.key}" if self.key else self.field.name


@dataclass(frozen=True, slots=True)
class Words:
    """Text that must occur: one word, or a phrase as it stands."""

    text: str
    start: int
    end: int
    is_phrase: bool = False
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class All:
    children: tuple[Node, ...]
    start: int = 0
    end: int = 0
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Any_:
    children: tuple[Node, ...]
    start: int = 0
    end: int = 0
    is_negated: bool = False


Node = Term | Words | All | Any_


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was read. `tree` holds what was understood."""

    text: str
    noun: Noun
    tree: All
    problems: tuple[Problem, ...] = ()

    @property
    def terms(self) -> tuple[Node, ...]:
        """The conditions that must all hold, each for itself: what is shown as a pill, and what facets touch."""
        return self.tree.children

    @property
    def is_empty(self) -> bool:
        return not self.tree.children

    @property
    def words(self) -> tuple[Words, ...]:
        """What is looked for in texts, wherever in the tree."""
        return tuple(_words_in(self.tree))


def _words_in(node: Node) -> list[Words]:
    if isinstance(node, Words):
        return [] if node.is_negated else [node]
    if isinstance(node, Term) or node.is_negated:
        return []
    return [words for child in node.children for words in _words_in(child)]


@lru_cache(maxsize=512)
def _parse(text: str, noun: Noun, language: str, zone: str) -> Query:
    return _Parser(text, noun).parse()


def parse(text: str, noun: Noun) -> Query:
    """Never fails: what is wrong is told in `problems`."""
    from django.utils.translation import get_language

    return _parse(text, noun, get_language() or "", str(timezone.get_current_timezone()))


def exactly(name: str, value: str, noun: Noun) -> Query:
    """What `write_term(name, value)` asks for, however long the value is. The noun knows the field."""
    text = write_term(name, value)
    field = find_field(name, noun)
    if field is None:
        raise LookupError(f"{noun} have no field {name}")
    term = Term(field, (Value("=", value, 0, len(text)),), 0, len(text))
    return Query(text, noun, All((term,), 0, len(text)))


# --- Reading ---------------------------------------------------------------------------------------------
_NAME = re.compile(r"[A-Za-z_]\w*")
_COMPARISON = re.compile(r"(>=|<=|>|<|=)")
_IS = {"bookmarked": "bookmarked", "starred": "bookmarked", "public": "public", "root": "root"}


class _Parser:
    def __init__(self, text: str, noun: Noun) -> None:
        self.text = text
        self.noun = noun
        self.at = 0
        self.depth = 0
        self.count = 0
        self.problems: list[Problem] = []

    def parse(self) -> Query:
        if len(self.text) > LONGEST:
            self._tell(_("The query is longer than %(most)d characters.") % {"most": LONGEST}, LONGEST, len(self.text))
            return Query(self.text, self.noun, All(()), tuple(self.problems))
        node = self._alternatives()
        tree = node if isinstance(node, All) and not node.is_negated else All((node,) if node else ())
        problems = tuple(sorted(self.problems, key=lambda problem: problem.start))
        return Query(self.text, self.noun, tree, problems)

    def _tell(self, message: str, start: int, end: int) -> None:
        self.problems.append(Problem(message, start, max(end, start)))

    # --- Trees -------------------------------------------------------------------------------------------
    def _alternatives(self) -> Node | None:
        start = self.at
        found = [self._conjunction()]
        while self._take_word("OR"):
            place = self.at
            found.append(self._conjunction())
            if found[-1] is None:
                self._tell(_("Something is missing beside OR."), place - 2, place)
        nodes = [node for node in found if node is not None]
        if len(nodes) < 2:
            return nodes[0] if nodes else None
        return Any_(tuple(nodes), start, nodes[-1].end)

    def _conjunction(self) -> Node | None:
        found: list[Node] = []
        while True:
            self._skip_blanks()
            if self._is_at_end() or self._sees_word("OR"):
                break
            if self._take_word("AND"):
                continue
            node = self._one()
            if node is not None:
                found.append(node)
        return All(tuple(found), found[0].start, found[-1].end) if found else None

    def _is_at_end(self) -> bool:
        return self.at >= len(self.text) or (self.depth > 0 and self.text[self.at] == ")")

    def _one(self) -> Node | None:
        start = self.at
        if self._sees("-") and not self._is_blank(self.at + 1):
            self.at += 1
            return self._opposite(start)
        if self._take_word("NOT"):
            self._skip_blanks()
            if self._is_at_end():
                self._tell(_("Something is missing after NOT."), start, self.at)
                return None
            return self._opposite(start)
        if self._sees("("):
            return self._group()
        self.count += 1
        if self.count > MOST_TERMS:
            if self.count == MOST_TERMS + 1:
                self._tell(_("There are more than %(most)d conditions.") % {"most": MOST_TERMS}, start, len(self.text))
            self.at = len(self.text)
            return None
        if self._sees('"'):
            text, _closed = self._quoted()
            return Words(text, start, self.at, is_phrase=True) if text.strip() else None
        return self._term_or_word()

    def _opposite(self, start: int) -> Node | None:
        node = self._one()
        return replace(node, is_negated=not node.is_negated, start=start) if node is not None else None

    def _group(self) -> Node | None:
        start = self.at
        if self.depth >= DEEPEST:
            self._tell(_("Parentheses are nested too deeply."), start, len(self.text))
            self.at = len(self.text)
            return None
        self.at += 1
        self.depth += 1
        node = self._alternatives()
        self.depth -= 1
        if self._sees(")"):
            self.at += 1
        else:
            self._tell(_("This parenthesis is never closed."), start, start + 1)
        if node is None:
            return None
        if isinstance(node, All) and len(node.children) == 1 and not node.is_negated:
            return replace(node.children[0], start=start, end=self.at)
        return replace(node, start=start, end=self.at)

    # --- Terms -------------------------------------------------------------------------------------------
    def _term_or_word(self) -> Node | None:
        start = self.at
        named = _NAME.match(self.text, start)
        if named:
            key = self._key(named.end())
            if key is not None:
                text, end = key
                if end < len(self.text) and self.text[end] == ":":
                    self.at = end + 1
                    return self._term(named.group(), text, start)
        word = self._bare()
        return Words(word, start, self.at) if word else None

    def _key(self, at: int) -> tuple[str, int] | None:
        """What stands between the dot after a name and the colon, and where it ends; None where it is no key."""
        if at >= len(self.text) or self.text[at] != ".":
            return "", at
        if self.text[at + 1 : at + 2] == '"':
            self.at, before = at + 1, self.at
            text, is_closed = self._quoted(is_trial=True)
            end, self.at = self.at, before
            return (text, end) if is_closed else None
        found = re.compile(r"[^\s\"\\()*,:]*").match(self.text, at + 1)
        return (found.group(), found.end()) if found else None

    def _term(self, name: str, key: str, start: int) -> Node | None:
        colon = self.at
        if name.lower() in ("has", "is"):
            return self._flag(name.lower(), start)
        found = find_field(name, self.noun)
        if found is None:
            self._unknown(name, start, colon - 1)
            self._values_of(None, start)
            return None
        if key and not found.has_keys:
            message = _("%(field)s has no parts: write %(field)s:value.") % {"field": found.name}
            self._tell(message, start, colon - 1)
            self._values_of(None, start)
            return None
        if found.kind is Kind.SCORES and not key:
            self._tell(_("Which score? Write scores.name:>0.8."), start, colon)
            self._values_of(None, start)
            return None
        values = self._values_of(found, start)
        if not values:
            return None
        return Term(found, tuple(values), start, self.at, key)

    def _unknown(self, name: str, start: int, end: int) -> None:
        near = nearest_field(name, self.noun)
        other = Noun.OBSERVATIONS if self.noun is Noun.TRACES else Noun.TRACES
        if find_field(name, other):
            message = (
                _("Only observations have the field %(name)s.")
                if other is Noun.OBSERVATIONS
                else _("Only traces have the field %(name)s.")
            ) % {"name": name}
        elif near:
            message = _("There is no field %(name)s. Did you mean %(near)s?") % {"name": name, "near": near}
        else:
            message = _("There is no field %(name)s. To look for it as text, put it in quotes.") % {"name": name}
        self._tell(message, start, end)

    def _values_of(self, found: Field | None, start: int) -> list[Value]:
        """What follows the colon: one value, or several in parentheses. Without a field nothing is said about them."""
        if self._sees("("):
            return self._list_of_values(found)
        if self.at >= len(self.text) or self._is_blank(self.at) or self._is_at_end():
            if found is not None:
                self._tell(_("A value is missing after %(name)s:") % {"name": found.name}, start, self.at)
            return []
        value = self._value(found)
        return [value] if value is not None else []

    def _list_of_values(self, found: Field | None) -> list[Value]:
        start = self.at
        self.at += 1
        self.depth += 1
        values: list[Value] = []
        is_separated = True
        while True:
            self._skip_blanks()
            if self._sees(","):
                self.at, is_separated = self.at + 1, True
                continue
            if self._take_word("OR"):
                is_separated = True
                continue
            if self._is_at_end():
                break
            place = self.at
            value = self._value(found)
            if not is_separated and found is not None:
                self._tell(_("Put OR between the values."), place, self.at)
            is_separated = False
            if value is not None:
                values.append(value)
            if self.at == place:
                self.at += 1
        self.depth -= 1
        if self._sees(")"):
            self.at += 1
        else:
            self._tell(_("This parenthesis is never closed."), start, start + 1)
        if not values and found is not None and not self.problems:
            self._tell(_("A value is missing after %(name)s:") % {"name": found.name}, start, self.at)
        return values

    def _value(self, found: Field | None) -> Value | None:
        start = self.at
        compared = _COMPARISON.match(self.text, start)
        operator = compared.group() if compared else ""
        self.at += len(operator)
        if self._sees('"'):
            text, _closed = self._quoted()
            is_quoted = True
        else:
            text, is_quoted = self._bare(in_list=True), False
        if found is None:
            return None
        read = ValueReader(found, text, operator, is_quoted, start, self.at, self._tell)
        return read.value()

    def _flag(self, name: str, start: int) -> Node | None:
        """`has:field` and `is:bookmarked`."""
        place = self.at
        if self._sees("("):
            self._tell(_("Write %(name)s: with one word after it.") % {"name": name}, start, place)
            self._values_of(None, start)
            return None
        named = _NAME.match(self.text, place)
        key = self._key(named.end()) if named else None
        if named and key:
            self.at = key[1]
        word = self.text[place : self.at] if named else self._bare()
        if name == "is":
            field_name = _IS.get(word.lower(), "")
            found = find_field(field_name, self.noun) if field_name else None
            if found is None:
                options = " ".join(
                    f"is:{one}" for one in ("bookmarked", "public", "root") if find_field(one, self.noun)
                )
                self._tell(_("Write one of %(options)s.") % {"options": options}, start, self.at)
                return None
            return Term(found, (Value("=", "true", place, self.at, True),), start, self.at)
        found = find_field(named.group(), self.noun) if named else None
        if found is None or (key and key[0] and not found.has_keys):
            self._unknown(word or "has", place, self.at)
            return None
        if found.kind is Kind.SCORES and not (key and key[0]):
            pass  # any score at all
        return Term(found, (Value("has", "", place, self.at),), start, self.at, key[0] if key else "")

    # --- Characters --------------------------------------------------------------------------------------
    def _sees(self, character: str) -> bool:
        return self.text.startswith(character, self.at)

    def _is_blank(self, at: int) -> bool:
        return at >= len(self.text) or self.text[at].isspace()

    def _skip_blanks(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def _sees_word(self, word: str) -> bool:
        end = self.at + len(word)
        return self._sees(word) and (self._is_blank(end) or self.text[end] in "()")

    def _take_word(self, word: str) -> bool:
        self._skip_blanks()
        if not self._sees_word(word):
            return False
        self.at += len(word)
        return True

    def _quoted(self, *, is_trial: bool = False) -> tuple[str, bool]:
        """What stands in quotes from here, and whether they are closed."""
        start = self.at
        self.at += 1
        found: list[str] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == '"':
                self.at += 1
                return "".join(found), True
            if character == "\\" and self.text[self.at + 1 : self.at + 2] in UNESCAPES:
                self.at += 1
                character = UNESCAPES[self.text[self.at]]
            found.append(character)
            self.at += 1
        if not is_trial:
            self._tell(_("This quotation mark is never closed."), start, start + 1)
        return "".join(found), False

    def _bare(self, *, in_list: bool = False) -> str:
        """Up to the next blank, or the parenthesis that closes what is open."""
        start = self.at
        while self.at < len(self.text) and not self.text[self.at].isspace():
            character = self.text[self.at]
            if self.depth > 0 and (character == ")" or (in_list and character == ",")):
                break
            self.at += 1
        return self.text[start : self.at]
