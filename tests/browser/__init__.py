"""What a person sees and does in a real browser, beside real processes."""
