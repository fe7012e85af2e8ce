"""What happens to each case: dispatched, handed over, signed, returned, answered, closed, reviewed, called back.

Units differ in what they are (a desk that never closes, or office hours) and in how good they are; see `city.Units`.
Times of working units follow the calendar; a second-level unit closes nothing at night or on a holiday.
"""

import numpy as np

from minhu.simulate.aftermath import appeals, review, rework, violations
from minhu.simulate.callbacks import Callbacks, draw_callbacks, join_callbacks
from minhu.simulate.city import City
from minhu.simulate.events import EventLog
from minhu.simulate.handover import dispatch_again, dispatch_twice, hand_over
from minhu.simulate.intake import dispatch, intake, returns
from minhu.simulate.life import Life
from minhu.simulate.senders import Senders
from minhu.simulate.stream import Cases
from minhu.simulate.work import support, work


def live(city: City, senders: Senders, cases: Cases, end: int, rng: np.random.Generator) -> tuple[EventLog, Callbacks]:
    """The life of every case as far as the calendar reaches; the caller cuts off what lies after ``end``."""
    life = Life(city, senders, cases, rng, end, EventLog())
    first = hand_over(life, dispatch(life, intake(life)))
    life.sign(first)
    worked = work(life, dispatch_twice(life, returns(life, first)))
    dispatch_again(life, worked)
    support(life, worked)
    told = []
    for _ in range(3):
        appeals(life, worked.where(worked.closed < end))
        violations(life, worked)
        passed, again = review(life, worked.where(worked.closed < end))
        callbacks, back, at = draw_callbacks(life, passed)
        told.append(callbacks)
        again = again.join(rework(life, passed.where(back), at))
        worked = work(life, again.where(again.start < end))
    return life.log, join_callbacks(told)
