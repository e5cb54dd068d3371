"""Tests of the composition root: its queue, screens and settings."""
