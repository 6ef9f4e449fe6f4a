"""What a component is made with. Whoever writes one needs these names, and no other of this package."""

from components.component import Component, Values
from components.jobs import Job
from components.kinds import Between, Longest, OneOf, Shortest
from components.program import main
from components.threads import ThreadStep
from components.trouble import Cancelled, Stopped
from wire.birth import Danger, OnSilence
from wire.errors import Rejected
from wire.work import Severity

__all__ = [
    "Between",
    "Cancelled",
    "Component",
    "Danger",
    "Job",
    "Longest",
    "OnSilence",
    "OneOf",
    "Rejected",
    "Severity",
    "Shortest",
    "Stopped",
    "ThreadStep",
    "Values",
    "main",
]
