"""Hints in error messages: the name that was probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def got_name(given: str, known: Iterable[str]) -> str:
    """End of a message: what was got and, if one is near in any case, the known name."""
    by_lower = {name.lower(): name for name in known}
    # Looser than the default: the start of a long name counts as near.
    near = get_close_matches(str(given).lower(), by_lower, n=1, cutoff=0.45)
    return f"got {given!r}" + (f"; did you mean {by_lower[near[0]]!r}?" if near else "")
