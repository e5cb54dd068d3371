"""A simulated Seam: the vendor's cloud with its book of access codes, the locks it drives, and a page to control both.

Its behaviour follows the vendor's documentation (github.com/seamapi/docs) and the official Python SDK, version 3.18.
"""
