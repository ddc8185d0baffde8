"""A push service for tests, and what a process needs to push there: fixtures that several folders of tests import."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.config import Settings
from server.notices import vapid
from server.notices.pushing import Pusher
from tests.support.issuer import Issuer
from tests.support.push_endpoint import PushEndpoint, certify, serving


@pytest.fixture(scope="session")
def push_certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Whom the push service of the tests says it is."""
    return certify(tmp_path_factory.mktemp("push"))


@pytest.fixture
async def endpoint(push_certificate: tuple[Path, Path]) -> AsyncIterator[PushEndpoint]:
    """A push service."""
    async with serving(push_certificate) as made:
        yield made


@pytest.fixture
def push_settings(
    endpoint: PushEndpoint,
    push_certificate: tuple[Path, Path],
    issuer: Issuer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """Settings under which pushes go to the push service of the test."""
    monkeypatch.setenv("SSL_CERT_FILE", str(push_certificate[0]))
    vapid.make(tmp_path / "vapid.pem")
    return issuer.settings("postgresql://none@localhost/none").model_copy(
        update={
            "vapid_key_file": tmp_path / "vapid.pem",
            "vapid_subject": "mailto:it@clinic.invalid",
            "push_local": (endpoint.origin,),
        }
    )


@pytest.fixture
async def pusher(push_settings: Settings) -> AsyncIterator[Pusher]:
    """The means to push."""
    made = Pusher(push_settings)
    yield made
    await made.stop()
