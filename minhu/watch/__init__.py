"""What is noticed and told, and never decides over a point: patterns worth a look, frequent callers."""
