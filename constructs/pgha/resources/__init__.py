"""Small pure builders, dict out, that the engines share: one kind, one file."""
