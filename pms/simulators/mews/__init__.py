"""A MEWS stand-in: their wire format, a front desk to play with, and trouble on demand.

A service in a process of its own with its own store. It knows neither Portal nor Django; Portal
knows it only as an address that speaks MEWS' Connector API.
"""

from __future__ import annotations
