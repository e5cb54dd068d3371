"""The screens of the hotel's staff."""
