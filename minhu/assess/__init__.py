"""What people decide: appeals, exclusions, manual points, violations, waivers, approvals.

They live in schema ``assess``. Its functions check an act and record it; this package masks free text, calls them and
reads what stands. Who acts is the login of the connection and nothing else: ``MINHU_DATABASE_URL`` says whose it is.
"""

from minhu.assess.acts import case_id, record, record_attached, record_file, record_table, try_table
from minhu.assess.attachments import attach, attachments, detach, take
from minhu.assess.listing import LISTINGS, listing
from minhu.assess.waiting import waiting

__all__ = [
    "LISTINGS",
    "attach",
    "attachments",
    "case_id",
    "detach",
    "listing",
    "record",
    "record_attached",
    "record_file",
    "record_table",
    "take",
    "try_table",
    "waiting",
]
