"""Typesetting: blocks and drawings as PDF, DOCX and HTML. Knows no score."""
