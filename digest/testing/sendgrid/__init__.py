"""A stand-in for SendGrid, to test against: a real server on loopback that delivers to nobody.

`docs/testing-with-the-stand-in.md` shows what it can do. It needs nothing else of digest.
"""

from digest.testing.sendgrid.account import Request
from digest.testing.sendgrid.api import LISTS
from digest.testing.sendgrid.clocks import RunningClock
from digest.testing.sendgrid.events import KINDS, EventPost
from digest.testing.sendgrid.faults import ACCEPTS, ENDPOINTS, Fault, Script, read_script, sequence
from digest.testing.sendgrid.messages import Mail
from digest.testing.sendgrid.standin import SendgridStandIn

__all__ = [
    "ACCEPTS",
    "ENDPOINTS",
    "KINDS",
    "LISTS",
    "EventPost",
    "Fault",
    "Mail",
    "Request",
    "RunningClock",
    "Script",
    "SendgridStandIn",
    "read_script",
    "sequence",
]
