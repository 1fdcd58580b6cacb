"""Files as they should not be: what disks, networks, editors and people make of good ones."""

import gzip
from random import Random

PAGE = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>Please log in: {user}</body></html>\n"
WORDS = (
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\n", b"\t", b" ", b"\r", b"'", b'"', b"#", b"%", b"@", b"|", b"!"),
    *(b"{", b"}", b"[", b"]", b"[" * 3000, b": ", b"- ", b"? ", b"---\n", b"&a ", b"*a", b"<<: ", b", "),
    *(b"null", b"true", b"-1", b"0", b"1e999", b".nan", b"NaN", b"9" * 5000, b"2020-13-45", b"0x", b"!!binary x"),
    *(b"class_path", b"init_args", b"!!python/object/apply:os.abort []", "\u2028é".encode()),
)


def mutated(content: bytes, chance: Random) -> bytes:
    """The content after one to three changes, or more until it is another."""
    changed = content
    while changed == content:
        for _ in range(chance.randint(1, 3)):
            changed = chance.choice(CHANGES)(changed, chance)
    return changed


def _place(content: bytes, chance: Random) -> int:
    # Half of them near the beginning, where headers and names are.
    return chance.randint(0, min(len(content), 24) if chance.random() < 0.5 else len(content))


def _bit(content: bytes, chance: Random) -> bytes:
    place = _place(content[1:], chance)
    flipped = bytes(byte ^ 1 << chance.randrange(8) for byte in content[place : place + 1])
    return content[:place] + flipped + content[place + 1 :]


def _truncation(content: bytes, chance: Random) -> bytes:
    return content[: _place(content, chance)]


def _span(content: bytes, chance: Random) -> tuple[int, int]:
    start = _place(content, chance)
    return start, start + chance.randint(1, 40)


def _deletion(content: bytes, chance: Random) -> bytes:
    start, end = _span(content, chance)
    return content[:start] + content[end:]


def _repetition(content: bytes, chance: Random) -> bytes:
    start, end = _span(content, chance)
    return content[:end] + content[start:]


def _word(content: bytes, chance: Random) -> bytes:
    place = _place(content, chance)
    return content[:place] + chance.choice(WORDS) + content[place:]


def _noise(content: bytes, chance: Random) -> bytes:
    place = _place(content, chance)
    return content[:place] + chance.randbytes(chance.randint(1, 8)) + content[place:]


def _value(content: bytes, chance: Random) -> bytes:
    """Another value behind a colon of a text."""
    parts = content.split(b": ")
    if len(parts) > 1:
        number = chance.randrange(1, len(parts))
        rest = parts[number][1:].lstrip(b"0123456789abcdefghijklmnopqrstuvwxyz_/.-")
        parts[number] = chance.choice(WORDS) + rest
    return b": ".join(parts)


def _page(content: bytes, chance: Random) -> bytes:
    return PAGE + content[len(PAGE) :] if chance.random() < 0.5 else PAGE


def _archive(content: bytes, chance: Random) -> bytes:
    return gzip.compress(content, mtime=0)


CHANGES = (_bit, _bit, _truncation, _deletion, _repetition, _word, _word, _value, _value, _noise, _page, _archive)
