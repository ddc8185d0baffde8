"""Which push endpoints are taken: those of the known providers in their plain form, and nothing that looks like one (S18)."""

import pytest

from server.errors import Invalid
from server.notices.devices import AddDevice
from server.notices.endpoints import LONGEST, Allowed
from tests.support.cast import Clinic

GOOD = (
    "https://fcm.googleapis.com/fcm/send/dF3x-_:APA91bE",
    "https://fcm.googleapis.com:443/wp/abc%20def",
    "https://updates.push.services.mozilla.com/wpush/v2/gAAAAABl",
    "https://web.push.apple.com/QGuQyavXutnMH3Ty",
    "https://wns2-par02p.notify.windows.com/w/?token=BQYAAAB%2bA%3d",
)
HOSTILE = {
    "unencrypted": "http://fcm.googleapis.com/a",
    "another scheme": "file:///etc/passwd",
    "gopher": "gopher://fcm.googleapis.com:443/_x",
    "javascript": "javascript:alert(1)",
    "no scheme": "//fcm.googleapis.com/a",
    "loopback": "https://127.0.0.1/a",
    "loopback by name": "https://localhost/a",
    "loopback in IPv6": "https://[::1]/a",
    "loopback in IPv6 over IPv4": "https://[::ffff:127.0.0.1]/a",
    "loopback as one number": "https://2130706433/a",
    "loopback in hexadecimal": "https://0x7f000001/a",
    "loopback in octal": "https://0177.0.0.1/a",
    "loopback, short": "https://127.1/a",
    "a cloud's metadata": "https://169.254.169.254/latest/meta-data/",
    "a private network": "https://10.0.0.1/a",
    "a public address": "https://142.250.0.1/a",
    "a name that leads to a private address": "https://10.0.0.1.nip.example/a",
    "our own Redis": "https://redis:6379/a",
    "another port": "https://fcm.googleapis.com:6379/a",
    "another port, longer": "https://fcm.googleapis.com:0443/a",
    "no port": "https://fcm.googleapis.com:/a",
    "somebody's name in front": "https://me@fcm.googleapis.com/a",
    "a name and a password in front": "https://fcm.googleapis.com:443@evil.example/a",
    "the provider's name as a user": "https://fcm.googleapis.com@evil.example/a",
    "the provider's name below another's": "https://fcm.googleapis.com.evil.example/a",
    "the provider's name as the end of another's": "https://evilfcm.googleapis.com/a",
    "the provider's name in the path": "https://evil.example/fcm.googleapis.com/a",
    "the provider's name in the query": "https://evil.example/?https://fcm.googleapis.com/a",
    "the provider's name in the fragment": "https://evil.example#.fcm.googleapis.com/a",
    "a fragment": "https://fcm.googleapis.com/a#b",
    "a backslash": "https://evil.example\\.fcm.googleapis.com/a",
    "a backslash before the name": "https:\\\\fcm.googleapis.com/a",
    "a sibling of the provider": "https://googleapis.com/a",
    "the provider's parent": "https://windows.com/a",
    "a dot at the end": "https://fcm.googleapis.com./a",
    "two dots": "https://a..fcm.googleapis.com/a",
    "a label that begins with a hyphen": "https://-a.fcm.googleapis.com/a",
    "letters that look alike": "https://fcm.googleаpis.com/a",
    "full-width letters": "https://ｆcm.googleapis.com/a",
    "a full-width dot": "https://evil.example。fcm.googleapis.com/a",
    "an escaped dot": "https://evil.example%2efcm.googleapis.com/a",
    "capitals": "https://FCM.googleapis.com/a",
    "a line break": "https://fcm.googleapis.com/a\r\nHost: evil.example",
    "a line break at the end": "https://fcm.googleapis.com/a\n",
    "a line break in the name": "https://evil.example\n.fcm.googleapis.com/a",
    "a tab": "https://fcm.googleapis.com\t/a",
    "a space in front": " https://fcm.googleapis.com/a",
    "a NUL": "https://fcm.googleapis.com/a\0",
    "letters outside ASCII in the path": "https://fcm.googleapis.com/ä",
    "no path": "https://fcm.googleapis.com",
    "nothing but a slash": "https://fcm.googleapis.com/",
    "too long": "https://fcm.googleapis.com/" + "a" * LONGEST,
    "nothing": "",
}


@pytest.mark.parametrize("endpoint", GOOD)
def test_what_browsers_give_is_taken(endpoint: str) -> None:
    assert endpoint.split("/")[2].removesuffix(":443") == Allowed().host(endpoint)


@pytest.mark.catalogue("S18")
@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_none_is_refused_and_not_repeated(what: str) -> None:
    with pytest.raises(ValueError, match=r"^must ") as refused:
        Allowed().host(HOSTILE[what])
    assert "evil" not in str(refused.value)


def test_the_setting_says_whose_are_taken() -> None:
    allowed = Allowed(("push.example",))
    assert allowed.host("https://a.push.example/x") == "a.push.example"
    with pytest.raises(ValueError, match="providers"):
        allowed.host(GOOD[0])
    with pytest.raises(ValueError, match="providers"):
        Allowed(()).host(GOOD[0])


def test_this_machine_only_where_it_is_meant() -> None:
    for endpoint in ("https://127.0.0.1:8443/push/1", "https://localhost:1/x"):
        origin, _, _ = endpoint.rpartition("/" + endpoint.split("/", 3)[3])
        assert Allowed(local=(origin,)).host(endpoint) in ("127.0.0.1", "localhost")
        with pytest.raises(ValueError, match="port 443"):
            Allowed(local=("https://127.0.0.1:844", "https://localhost:2")).host(endpoint)
        with pytest.raises(ValueError, match="port 443"):
            Allowed().host(endpoint)
    for hostile in HOSTILE.values():
        with pytest.raises(ValueError, match=r"^must "):
            Allowed(local=("https://127.0.0.1:8443", "https://localhost:1")).host(hostile)


@pytest.mark.catalogue("S18")
async def test_no_operation_takes_one_either(clinic: Clinic) -> None:
    good = {name: field.examples[0] for name, field in AddDevice.model_fields.items() if field.examples}
    await clinic.call(clinic.clinician, "device.add", **good)
    for hostile in HOSTILE.values():
        with pytest.raises(Invalid, match="endpoint") as refused:
            await clinic.call(clinic.clinician, "device.add", **good | {"endpoint": hostile})
        assert "evil" not in refused.value.message
    [row] = await clinic.sql("select endpoint from devices")
    assert row["endpoint"] == good["endpoint"]
