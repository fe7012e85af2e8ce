"""What an auditor takes home to compute a published result anew: asked for, allowed by another, taken, recomputed.

    ask → (another auditor allows) → take: one file                                        requests.py, write.py
    elsewhere: an empty database → the file's rows → facts, scores → compare with the release      recompute.py

`contents.py` says what lies in it, what was left out, and what is taken as given.
"""

from minhu.audit.bundle.recompute import BundleVerification, verify_bundle
from minhu.audit.bundle.render import render_bundle_verification
from minhu.audit.bundle.requests import BundleRequest, allow, ask, list_requests
from minhu.audit.bundle.write import Taken, take

__all__ = [
    "BundleRequest",
    "BundleVerification",
    "Taken",
    "allow",
    "ask",
    "list_requests",
    "render_bundle_verification",
    "take",
    "verify_bundle",
]
