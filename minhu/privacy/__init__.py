"""Keeps citizens' data inside the loader: caller tokens, and masks for what people write about themselves and others.

A caller's phone becomes a keyed HMAC-SHA256 token, so that the same caller can be recognised and nobody can be called,
and a masked form for screens. Numbers that identify a person are masked wherever people wrote them, names where a
pattern gives them away. What is promised, and the measured recall, is in ``docs/privacy.md``.

    callers    tokens, masked phones, links between the tokens of two keys
    keys       the key of an installation: read, rotated
    signs      what a run of digits says without its spelling
    numbers    one run of digits: which part identifies a person
    text       rows of free text; Python sees only distinct runs of digits
    coded      codes and names that a register knows
    strict     whether a key is a citizen's number
    line       one line of it
    small      counts of so few cases that one could be told from others
    access_log what opened citizens' data, took results away or let them out
"""
