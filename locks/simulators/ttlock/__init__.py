"""A simulated TTLock: the vendor's cloud with its book, and the locks behind it, each with a memory of its own.

It is a service of its own. It knows nothing of Portal; Portal knows only the vendor's cloud API. What it does is what
the TTLock Open Platform documents of its cloud API v3, its refusals and limits included; where the documents are silent
the docstring says what was chosen. ``python -m locks.simulators.ttlock --help`` says how to run it.
"""

from __future__ import annotations
