"""The article as a running story against a running demo, seen from outside only: pages, API, and the simulators' own memory."""
