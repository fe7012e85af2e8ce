"""The landing zone: every delivery as it came, under its sha256, before anything reads it."""
