"""What each job does: the handlers by name. A handler runs in one transaction, together with the end of its job."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from server.chat import activation_rules, archiving
from server.db import Transaction
from server.people import patients
from server.roster import asking, following, members

Handler = Callable[[Transaction, dict[str, Any]], Awaitable[None]]

HANDLERS: Final[Mapping[str, Handler]] = {
    archiving.JOB: archiving.carry_out,
    **activation_rules.JOBS,
    asking.JOB: following.carry_out,
    patients.ARCHIVED: members.end_archived,
}
GIVEN_UP: Final[Mapping[str, Handler]] = {archiving.JOB: archiving.give_up}
"""What is to be done when a job is called dead, in the transaction that does so."""
