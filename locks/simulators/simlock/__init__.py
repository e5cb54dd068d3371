"""A simulated lock system: a vendor's lock cloud with the locks behind it, for demos, training and tests.

It is a service of its own with its own memory. It knows nothing of Portal; Portal knows only its vendor API.
``python -m locks.simulators.simlock --help`` says how to run it.
"""

from __future__ import annotations
