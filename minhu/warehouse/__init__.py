"""Builds: the facts of what was accepted, touched cases only, applied at once; who is missing, what leads nowhere."""
