"""Regular expressions that people write, in an engine that takes linear time on whatever it is given.

Python's own engine backtracks: one pattern like `(a+)+$` would hold up a whole worker. Rust's, which comes with
pydantic, cannot. It has neither look-around nor back-references; the price is named in the error message.
"""

from __future__ import annotations

from collections.abc import Callable

from pydantic_core import SchemaError, SchemaValidator, core_schema

from config.errors import Invalid

LONGEST_PATTERN = 1000

Test = Callable[[str], bool]


def compile_pattern(pattern: str, longest: int = LONGEST_PATTERN) -> Test:
    """A test whether the pattern occurs in a text (anchor it with ^ and $). Raises Invalid."""
    if len(pattern) > longest:
        raise Invalid(f"The pattern is longer than {longest} characters")
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, strict=True)).isinstance_python
    except SchemaError as error:
        reason = str(error).rpartition("error: ")[2].strip() or "it cannot be compiled"
        raise Invalid(f"Not a valid regular expression: {reason}") from error
