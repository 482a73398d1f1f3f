"""How a call says a code. Pure."""

from __future__ import annotations


def spelled(code: str) -> str:
    """A code or a phone number for saying: each character alone, a longer pause where a group ends.

    `K7P2-4M9` is `K, 7, P, 2. 4, M, 9`.
    """
    groups = "".join(each if each.isalnum() else " " for each in code).split()
    return ". ".join(", ".join(group) for group in groups)
