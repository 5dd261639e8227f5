"""Characters that cannot be seen, or that change how others are read, written as something that can."""

from __future__ import annotations

import re

#: controls but tab and line breaks; directions that are forced; zero-width spaces and marks; what only hides text.
#: Joiners stay (emoji and many scripts need them), and so do the marks for one letter's direction.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u2060-\u2064\u206a-\u206f\ufeff\u202a-\u202e\u2066-\u2069"
    "\u2028\u2029\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
)
#: those that people know by name; fonts have no pictures of them
_NAMES = {0x00: "NUL", 0x07: "BEL", 0x08: "BS", 0x1B: "ESC", 0x7F: "DEL"}
_TAGS = range(0xE0020, 0xE007F)
#: a letter carries a few marks in any language; hundreds are a tower over the lines above
_MARKS = re.compile(
    r"([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{8})([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+)"
)


def visible(text: str) -> str:
    """The text for reading: ⟨ESC⟩ for an escape, ⟨U+202E⟩ for what turns the direction, hidden tags by their letter."""
    if text.isascii() and text.isprintable():
        return text
    shown = _UNSEEN.sub(_shown, text)
    return _MARKS.sub(lambda match: f"{match[1]}⟨+{len(match[2])}⟩", shown)


def visible_json(text: str) -> str:
    """The same inside JSON, as the escapes that JSON has for them."""
    if text.isascii():
        return text
    return _UNSEEN.sub(lambda match: "".join(f"\\u{unit:04x}" for unit in _utf16(match[0])), text)


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code in _NAMES:
        return f"⟨{_NAMES[code]}⟩"
    if code in _TAGS:
        return f"⟨tag {chr(code - 0xE0000)}⟩"
    return f"⟨U+{code:04X}⟩"


def _utf16(character: str) -> list[int]:
    code = ord(character)
    if code < 0x10000:
        return [code]
    return [0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF)]
