"""What every PMS stand-in is made of: a clock, a store, webhooks that go astray, and faults on wish.

Nothing here knows a vendor. A simulator gives its own words, tables and defaults to these pieces.
"""

from __future__ import annotations
