"""A coherent city that produces what its feeds would send: the same seed gives the same bytes.

    city, stream, lifecycle   what is true: who calls about what, which unit does what when
    delivery, invert          the day's rows of each delivery, in the sender's own columns and words
    traps, writers            what real files do to them, and the bytes

Everything it knows of files it reads from the feeds' declarations; there is no second registry of layouts.
"""

from minhu.simulate.run import FileAccount, SimulationSummary, write_city

__all__ = ["FileAccount", "SimulationSummary", "write_city"]
