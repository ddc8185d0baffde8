"""What the tests of workers share."""

import pytest

from server.notices.pushing import Pusher
from tests.support.cast import Clinic
from tests.support.push_endpoint import PushEndpoint
from tests.support.push_fixtures import endpoint, push_certificate, push_settings, pusher
from tests.support.pushes import Pushes

__all__ = ["endpoint", "push_certificate", "push_settings", "pusher"]


@pytest.fixture
def pushes(clinic: Clinic, endpoint: PushEndpoint, pusher: Pusher, redis_url: str) -> Pushes:
    """The pushes of `clinic`."""
    return Pushes(clinic, endpoint, pusher, redis_url)
