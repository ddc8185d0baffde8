"""What the tests of notices share: a push service, a pusher that trusts it, and the means to see what reaches people."""

import pytest

from tests.support.cast import Clinic
from tests.support.push_fixtures import endpoint, push_certificate, push_settings, pusher
from tests.support.reaching import Reaching

__all__ = ["endpoint", "push_certificate", "push_settings", "pusher"]


@pytest.fixture
async def reaching(clinic: Clinic) -> Reaching:
    """What reaches the people of `clinic`; the clock starts at the present moment."""
    made = Reaching(clinic)
    await made.plan()  # what other tests of the file have left, where they share a database
    return made
