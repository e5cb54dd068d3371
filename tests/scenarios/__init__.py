"""What must hold, however it is reached: done to a hotel of real processes over HTTP, judged by what its locks hold.

docs/scenarios.md maps each number to its test.
"""
