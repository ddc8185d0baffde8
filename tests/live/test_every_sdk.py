"""The SDKs as anybody installs them, in both codecs: live delivery, cut off and recovered, sending until it is known, refresh."""

from pathlib import Path

import pytest

from tests.live.conftest import Pair
from tests.support.apps import command, running
from tests.support.cast import Clinic
from tests.support.proxy import proxy
from tests.support.site import Site


@pytest.mark.parametrize("codec", ["json", "protobuf"])
@pytest.mark.parametrize("sdk", ["python", "python-0.5.0", "js"])
async def test_it_hears_recovers_refreshes_and_sends_once(
    sdk: str,
    codec: str,
    pair: Pair,
    site: Site,
    clinic: Clinic,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    arguments, environment = command(sdk, tmp_path_factory.getbasetemp().parent / "sdks", tmp_path)
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    token = tmp_path / "token"
    token.write_text(site.token(clinic.identity(patient), 3))
    async with (
        proxy(pair.a.port, pair.b.port) as way,
        running([*arguments, way.socket_url, codec, channel, str(token)], environment) as app,
    ):
        await app.says("subscribed anew")
        await clinic.send(clinic.clinician, channel, "live")
        await app.type("send mine")
        await app.says("pub 2 live", "sent", "pub 3 mine")

        # Its token ends after three seconds: it fetches another one, and its connection lives on.
        token.write_text(site.token(clinic.identity(patient), 900))
        await app.says("token", times=2)

        way.targets = []  # nobody is there for a moment
        way.cut()
        for number in range(20):
            await clinic.send(clinic.clinician, channel, f"away-{number}")
        await app.type("send retried")
        await app.says("again")
        way.targets = [pair.b.port]
        await app.says("subscribed recovered", "sent 24 retried", "pub 24 retried")

        texts = ["live", "mine", *(f"away-{number}" for number in range(20)), "retried"]
        assert app.heard == list(enumerate(texts, 2)), "everything, once, in order"
        assert app.count("subscribed") == 2
        assert not app.count("unsubscribed") + app.count("refused"), app.lines
        if sdk != "python-0.5.0":  # that one says so of every lost connection
            assert not app.count("disconnected"), app.lines
