"""The door for a browser: who asks is who acts, and all else is what the command line calls.

desk    from a name and a password to a session, from a session to settings whose connections act as that person
pages   what is shown to whom, each page one call of a function that knows nothing of browsers
app     the web application: headers, forms, errors

Nothing is decided, computed or permitted here: rights are the database's (docs/decisions/people.md, portal-person).
"""
