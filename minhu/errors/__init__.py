"""Errors, as a tree by what the caller should do.

    MinhuError            base; the command line prints its message in one line and exits 1
    ├── Retryable         nothing is wrong with the request; try again later (a file still growing, a disk full)
    │   └── SourceAway        a feed's source cannot be reached or broke off; its data-quality score counts it
    ├── Refused           trying again will not help; tell the owner
    │   ├── NotSignedIn       whoever asks through the portal has to sign in first
    │   ├── BadDeclaration    what a city edits is wrong: every slip with file, line and key, in two languages
    │   └── BadDelivery       a delivery cannot be taken: names feed, file, line, column and the mend
    └── Unforeseen        a load broke where nobody foresaw it: tell its maker what the log of failures says

A row that cannot be taken is not an exception: the door sets it aside with a reason code and the batch goes on.
A message never carries a value of a citizen's data, only its shape. What others raise becomes one of ours by the table
of `minhu.errors.foreign`.
"""


class MinhuError(Exception):
    """Base of every error this project raises on purpose."""


class Retryable(MinhuError):
    """The same request may succeed later."""


class SourceAway(Retryable):
    """A feed's server, store or database is away or broke off."""


class Refused(MinhuError):
    """The same request will fail again until somebody mends its cause."""


class NotSignedIn(Refused):
    """The session is unknown here, has ended or has expired."""


class BadDeclaration(Refused):
    """Something in ``config/`` is wrong."""


class BadDelivery(Refused):
    """A delivery is refused whole. ``code`` goes into the manifest beside the message.

    ``batch_id``: the refused batch that stands in the manifest; None while there is none.
    """

    def __init__(self, code: str, message: str, batch_id: int | None = None):
        super().__init__(message)
        self.code, self.batch_id = code, batch_id


class Unforeseen(MinhuError):
    """Something broke that no line of the code expects."""
