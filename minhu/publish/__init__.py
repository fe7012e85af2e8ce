"""Publishing: what is closed and approved by another person is published for good, and can be proved."""

from minhu.publish.close import (
    Closing,
    Release,
    approved_by,
    close,
    list_closings,
    publish,
    publish_closing,
    revise,
    sign_closing,
)
from minhu.publish.diff import Diff, diff, list_releases, show_closing, show_release
from minhu.publish.render import render_access, render_closing, render_diff, render_verification
from minhu.publish.verify import FILES, Verification, verify

__all__ = [
    "FILES",
    "Closing",
    "Diff",
    "Release",
    "Verification",
    "approved_by",
    "close",
    "diff",
    "list_closings",
    "list_releases",
    "publish",
    "publish_closing",
    "render_access",
    "render_closing",
    "render_diff",
    "render_verification",
    "revise",
    "show_closing",
    "show_release",
    "sign_closing",
    "verify",
]
