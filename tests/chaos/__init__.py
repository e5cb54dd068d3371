"""Faults of real processes: killed, paused and cut off, against the real simulated locks."""
