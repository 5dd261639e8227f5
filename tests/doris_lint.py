"""Whether a statement stays within what Apache Doris 4.0.6 has: functions that are known to be there, and none of the
forms of ClickHouse that its grammar refuses or, worse, takes for something else.

There is no Doris to ask on a developer's machine. The names come from its documentation and its parser's grammar.
"""

from __future__ import annotations

import re

#: Function -> the first version that has it. All that the dialect and the schema use; a new one is looked up first.
FUNCTIONS: dict[str, str] = {
    "any_value": "1.2", "array": "1.2", "array_concat": "2.0", "array_contains": "1.2", "array_exists": "2.0",
    "array_join": "1.2", "array_map": "2.0", "array_size": "1.2", "arrays_overlap": "1.2", "avg": "1.0",
    "cast": "1.0", "char": "1.2", "char_length": "1.0", "coalesce": "1.0", "collect_list": "2.0",
    "collect_set": "2.0", "concat": "1.0", "convert_tz": "1.0", "count": "1.0", "date_trunc": "1.2",
    "ends_with": "1.0", "explode": "1.2", "field": "1.0", "floor": "1.0", "greatest": "1.0", "histogram": "2.0",
    "hour_floor": "1.0", "if": "1.0", "json_contains": "2.1", "json_exists_path": "2.0", "json_extract": "1.2",
    "json_extract_string": "2.0", "json_keys": "2.1", "json_length": "2.0", "json_parse_error_to_null": "1.2",
    "json_quote": "1.2", "least": "1.0", "locate": "1.0", "lower": "1.0", "ltrim": "1.0", "max": "1.0",
    "max_by": "1.2", "microseconds_diff": "2.0", "min": "1.0", "min_by": "1.2", "minute_floor": "1.0",
    "nullif": "1.0", "percentile": "1.0", "percentile_approx": "1.0", "percentile_array": "2.0", "right": "1.0",
    "row_number": "1.0", "seconds_diff": "1.0", "starts_with": "1.0", "stddev_samp": "1.0", "substring": "1.0",
    "sum": "1.0", "to_json": "4.0", "try_cast": "4.0",
}  # fmt: skip
#: Words that may stand before a parenthesis without being functions.
_WORDS = frozenset(
    {
        "among", "and", "array", "as", "between", "by", "datetime", "decimal", "distinct", "else", "exists", "from",
        "in", "insert", "into", "is", "like", "not", "on", "or", "over", "select", "then", "union", "all", "values",
        "when", "where", "having", "join",
    }
)  # fmt: skip
_FORBIDDEN: tuple[tuple[str, str], ...] = (
    (r"\bFINAL\b", "FINAL, which would become an alias"),
    (r"\bPREWHERE\b", "PREWHERE"),
    (r"\bILIKE\b", "ILIKE"),
    (r"\|\|", "|| for texts"),
    (r"::", "a cast by ::"),
    (r"->>", "->>"),
    (r"\bARRAY\s+JOIN\b", "ARRAY JOIN"),
    (r"\bLIMIT\s+\S+\s+BY\b", "LIMIT BY"),
    (r"\bWITH\s+FILL\b", "WITH FILL"),
    (r"\bFILTER\s*\(\s*WHERE\b", "FILTER (WHERE …)"),
    (r"\bUNNEST\b", "UNNEST"),
    (r"\b(?:sum|count|avg|min|max)\((?:if\()?[^()]*\bIN\s*\(SELECT\b", "a query within an aggregate"),
    (r"\bRECURSIVE\b", "WITH RECURSIVE"),
    (r"\bSAVEPOINT\b|\bFOR\s+UPDATE\b|\bON\s+DUPLICATE\s+KEY\b|\bREPLACE\s+INTO\b", "a form of MySQL"),
    (r"\{\w+:\w+", "a parameter of ClickHouse"),
    (r"\b[a-z]\w*\([^()]*\)\(", "an aggregate with parameters"),
    (
        r"(?<![\w`])\((?:[^()']|\([^()]*\))+,(?:[^()']|\([^()]*\))+\)\s*(?:<|>|<=|>=|=|IN\b|NOT\s+IN\b)",
        "a comparison of tuples",
    ),
)  # fmt: skip
_QUOTED = re.compile(r"'(?:[^'\\]|\\.|'')*'|`[^`]*`")
_CALL = re.compile(r"\b([A-Za-z_]\w*)\s*\(")


class NotDoris(AssertionError):
    """Something in a statement that Doris does not have."""


def check(sql: str) -> None:
    """Raises NotDoris."""
    bare = _QUOTED.sub(lambda found: "x" if found.group().startswith("`") else "''", sql)
    for pattern, what in _FORBIDDEN:
        if re.search(pattern, bare):
            raise NotDoris(f"{what} in {sql}")
    called = {name.lower() for name in _CALL.findall(bare)}
    if unknown := called - set(FUNCTIONS) - _WORDS:
        raise NotDoris(f"functions that are not known to be in Doris: {', '.join(sorted(unknown))} in {sql}")
    if bare.count("(") != bare.count(")"):
        raise NotDoris(f"parentheses without their partners in {sql}")
