"""Our name for a credential on a lock. It carries the ids of key and assignment, so that an event can be matched without asking keys."""

from __future__ import annotations


def handle_of(*, key_id: int, assignment_id: int) -> str:
    """The name of this assignment on its lock."""
    return f"k{key_id}a{assignment_id}"


def ids_of(handle: str) -> tuple[int | None, int | None]:
    """The key and assignment ids of a name of ours, nones for anything else."""
    key, _, assignment = handle.removeprefix("k").partition("a")
    if handle.startswith("k") and key.isdigit() and assignment.isdigit():
        return int(key), int(assignment)
    return None, None
