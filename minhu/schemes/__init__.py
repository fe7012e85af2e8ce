"""The law itself: the language of schemes, its arithmetic, periods, trials. Knows no database."""

from minhu.schemes.compare import Change, compare
from minhu.schemes.scheme import Scheme, find_scheme, load_scheme, load_schemes, read_scheme
from minhu.schemes.trial import Trial, try_scheme

__all__ = [
    "Change",
    "Scheme",
    "Trial",
    "compare",
    "find_scheme",
    "load_scheme",
    "load_schemes",
    "read_scheme",
    "try_scheme",
]
