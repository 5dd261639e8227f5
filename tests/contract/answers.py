"""Bodies that many routes answer: a numbered page, and what is wrong with a parameter."""

from __future__ import annotations

from typing import Any

NUL = "Invalid string: must not hold a NUL character"


def page(*items: dict[str, Any], total: int = 1, number: int = 1, limit: int = 50) -> dict[str, Any]:
    pages = -(-total // limit)
    return {"data": list(items), "meta": {"page": number, "limit": limit, "totalItems": total, "totalPages": pages}}


def issue(code: str, name: str, message: str, **more: Any) -> dict[str, Any]:
    return {"message": "Invalid request data", "error": [{"code": code, "path": [name], "message": message, **more}]}


def too_small(name: str, low: int = 1) -> dict[str, Any]:
    message = f"Too small: expected number to be >={low}"
    return issue("too_small", name, message, minimum=low, origin="number", inclusive=True)


def too_big(name: str, high: int = 100) -> dict[str, Any]:
    message = f"Too big: expected number to be <={high}"
    return issue("too_big", name, message, maximum=high, origin="number", inclusive=True)


def no_number(name: str) -> dict[str, Any]:
    return issue("invalid_type", name, "Invalid input: expected number, received NaN", expected="number")


def no_whole_number(name: str) -> dict[str, Any]:
    return issue("invalid_type", name, "Invalid input: expected int, received number", expected="int")


def no_time(name: str) -> dict[str, Any]:
    return issue("invalid_format", name, "Invalid ISO datetime", format="datetime", origin="string")


def several(name: str) -> dict[str, Any]:
    return issue("invalid_type", name, "Invalid input: expected string, received array", expected="string")


def no_option(name: str, *options: str) -> dict[str, Any]:
    expected = "|".join(f'"{option}"' for option in options)
    return issue("invalid_value", name, f"Invalid option: expected one of {expected}", values=list(options))
