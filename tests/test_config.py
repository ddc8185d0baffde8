"""Settings: a wrong one stops the start, and the message names it and what it takes, without repeating it."""

from pathlib import Path
from typing import Any

import pytest

from server.config import Settings, load
from server.errors import Misconfigured

GOOD = {
    "DATABASE_URL": "postgresql://login@localhost/warmline",
    "REDIS_URL": "redis://localhost/0",
    "WARMLINE_MASTER_KEY_FILE": "/keys/master.key",
    "WARMLINE_TOKEN_ISSUER": "issuer",
    "WARMLINE_TOKEN_KEYS_FILE": "/keys/issuer.jwks",
}


REQUIRED = set(GOOD) - {"WARMLINE_TOKEN_KEYS_FILE"}
"""Without keys in a file the issuer must be a sign-in provider: see below."""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the environment to good settings, changed; a setting changed to None is missing."""

    def change(**changes: str | None) -> None:
        for name in [
            *GOOD,
            "HOST",
            "PORT",
            *(
                f"WARMLINE_{what}"
                for what in ("PROFILE", "DEV_KEY_FILE", "POOL_SIZE", "TLS_AT_PROXY", "ALLOWED_ORIGINS")
            ),
            *("WARMLINE_VAPID_KEY_FILE", "WARMLINE_VAPID_SUBJECT", "WARMLINE_PUSH_PROVIDERS", "WARMLINE_PUSH_LOCAL"),
        ]:
            monkeypatch.delenv(name, raising=False)
        for name, value in (GOOD | changes).items():
            if value is not None:
                monkeypatch.setenv(name, value)

    change()
    return change


def test_good_settings_are_read_and_the_rest_has_defaults(environment: Any) -> None:
    settings = load()
    assert settings.database_url == GOOD["DATABASE_URL"]
    assert settings.master_key_files == (Path("/keys/master.key"),)
    assert (settings.profile, settings.host, settings.port, settings.token_audience) == (
        "production", "127.0.0.1", 8000, "warmline",
    )  # fmt: skip
    assert settings.origins == frozenset()


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_setting_is_named(environment: Any, name: str, value: str | None) -> None:
    environment(**{name: value})
    with pytest.raises(Misconfigured, match=name):
        load()


def test_all_that_is_wrong_is_named_at_once(environment: Any) -> None:
    environment(**dict.fromkeys(GOOD))
    with pytest.raises(Misconfigured) as told:
        load()
    assert len(str(told.value).splitlines()) == len(REQUIRED)


@pytest.mark.parametrize(
    "issuer", ["issuer", "http://id.example", "ftp://id.example", "https://", "https://a@b.example"]
)
def test_without_keys_in_a_file_the_issuer_is_a_provider_over_tls(environment: Any, issuer: str) -> None:
    environment(WARMLINE_TOKEN_KEYS_FILE=None, WARMLINE_TOKEN_ISSUER=issuer)
    with pytest.raises(Misconfigured, match=r"WARMLINE_TOKEN_ISSUER.*https://"):
        load()


def test_a_provider_has_its_own_origin_and_those_that_are_named(
    environment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(WARMLINE_TOKEN_KEYS_FILE=None, WARMLINE_TOKEN_ISSUER="https://id.example/clinic")
    assert load().provider_origins == {"https://id.example"}
    monkeypatch.setenv("WARMLINE_OIDC_ORIGINS", "https://keys.id.example, http://127.0.0.1:8444")
    assert load().provider_origins == {"https://id.example", "https://keys.id.example", "http://127.0.0.1:8444"}
    monkeypatch.setenv("WARMLINE_OIDC_ORIGINS", "http://keys.id.example")
    with pytest.raises(Misconfigured, match="WARMLINE_OIDC_ORIGINS"):
        load()


def test_an_organisation_is_named_once(environment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARMLINE_OIDC_ORGANIZATION", "org_" + "0" * 20)
    assert load().oidc_organization == "org_" + "0" * 20
    monkeypatch.setenv("WARMLINE_OIDC_ORGANIZATION_CLAIM", "clinic")
    with pytest.raises(Misconfigured, match="WARMLINE_OIDC_ORGANIZATION"):
        load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WARMLINE_TOKEN_LEEWAY", "61"),
        ("WARMLINE_OIDC_SCOPE", "email"),
        ("WARMLINE_OIDC_ORGANIZATION", "clinic"),
        ("WARMLINE_SIGN_IN_HOURS", "-1"),
        ("PORT", "70000"),
        ("PORT", "-1"),
        ("PORT", "http"),
        ("WARMLINE_PROFILE", "staging"),
        ("WARMLINE_POOL_SIZE", "0"),
        ("WARMLINE_POOL_SIZE", "many"),
    ],
)
def test_a_wrong_setting_is_named_and_not_repeated(environment: Any, name: str, value: str) -> None:
    environment(**{name: value})
    with pytest.raises(Misconfigured, match=name) as told:
        load()
    assert GOOD["DATABASE_URL"] not in str(told.value)


@pytest.mark.catalogue("S36")
def test_the_development_issuer_does_not_leave_home(environment: Any) -> None:
    environment(WARMLINE_DEV_KEY_FILE="/keys/dev.jwk")
    with pytest.raises(Misconfigured, match=r"WARMLINE_DEV_KEY_FILE.*WARMLINE_PROFILE=dev only"):
        load()
    environment(WARMLINE_DEV_KEY_FILE="/keys/dev.jwk", WARMLINE_PROFILE="dev", HOST="0.0.0.0")
    with pytest.raises(Misconfigured, match=r"HOST.*loopback only"):
        load()
    for host in ("127.0.0.1", "localhost", "::1"):
        environment(WARMLINE_DEV_KEY_FILE="/keys/dev.jwk", WARMLINE_PROFILE="dev", HOST=host)
        assert load().dev_key_file == Path("/keys/dev.jwk")


@pytest.mark.catalogue("S02", "S36")
@pytest.mark.parametrize(
    ("says", "changes"),
    [
        ("HOST: on 0.0.0.0", {"HOST": "0.0.0.0"}),
        ("HOST: on ::", {"HOST": "::"}),
        ("HOST: on 10.0.0.7", {"HOST": "10.0.0.7"}),
        ("WARMLINE_ALLOWED_ORIGINS: .*https", {"WARMLINE_ALLOWED_ORIGINS": "https://a.example,http://b.example"}),
        ("WARMLINE_ALLOWED_ORIGINS: .*https", {"WARMLINE_ALLOWED_ORIGINS": "http://localhost.evil.example"}),
        ("WARMLINE_ALLOWED_ORIGINS: .*https", {"WARMLINE_ALLOWED_ORIGINS": "null"}),
        ("WARMLINE_DEV_KEY_FILE: ", {"WARMLINE_DEV_KEY_FILE": "/keys/dev.jwk"}),
        ("WARMLINE_PUSH_LOCAL: ", {"WARMLINE_PUSH_LOCAL": "https://127.0.0.1:8443"}),
        ("DATABASE_URL: its password", {"DATABASE_URL": "postgresql://warmline:Secret@db.example/warmline"}),
        ("DATABASE_URL: its password", {"DATABASE_URL": "postgresql://postgres:postgres@db.example/warmline"}),
        ("REDIS_URL: its password", {"REDIS_URL": "rediss://:changeme@redis.example/0"}),
        ("REDIS_URL: its port", {"REDIS_URL": "redis://redis.example:port/0"}),
        ("REDIS_URL: its port .* password", {"REDIS_URL": "redis://:a/b@redis.example:6379/0"}),
        ("WARMLINE_ALLOWED_ORIGINS: .*no / at the end", {"WARMLINE_ALLOWED_ORIGINS": "https://a.example/"}),
        ("WARMLINE_ALLOWED_ORIGINS: .*small", {"WARMLINE_ALLOWED_ORIGINS": "https://A.example"}),
        ("WARMLINE_TRUSTED_PROXIES: 999.1.1.1", {"WARMLINE_TRUSTED_PROXIES": "127.0.0.1, 999.1.1.1"}),
        ("WARMLINE_TRUSTED_PROXIES: 10.0.0.1/8", {"WARMLINE_TRUSTED_PROXIES": "10.0.0.1/8"}),
    ],
)
def test_production_does_not_start_with_what_is_for_development(
    environment: Any, says: str, changes: dict[str, str]
) -> None:
    environment(**changes)
    with pytest.raises(Misconfigured, match=f"^{says}") as told:
        load()
    assert "\n" not in str(told.value)


@pytest.mark.catalogue("S02")
def test_production_listens_to_the_network_behind_a_proxy_that_ends_tls(environment: Any) -> None:
    environment(HOST="0.0.0.0", WARMLINE_TLS_AT_PROXY="true", WARMLINE_ALLOWED_ORIGINS="https://a.example")
    assert load().tls_at_proxy
    environment(HOST="127.0.0.1", WARMLINE_ALLOWED_ORIGINS="http://localhost:8000")
    assert not load().tls_at_proxy
    environment(HOST="0.0.0.0", WARMLINE_PROFILE="dev", WARMLINE_TLS_AT_PROXY="true")
    with pytest.raises(Misconfigured, match="loopback only"):
        load()


@pytest.mark.catalogue("S36")
def test_all_that_is_unsafe_is_named_at_once(environment: Any) -> None:
    environment(HOST="0.0.0.0", WARMLINE_DEV_KEY_FILE="/keys/dev.jwk", REDIS_URL="redis://:redis@redis.example/0")
    with pytest.raises(Misconfigured) as told:
        load()
    assert [line.split(":")[0] for line in str(told.value).splitlines()] == [
        "WARMLINE_DEV_KEY_FILE",
        "HOST",
        "REDIS_URL",
    ]


def test_origins_are_taken_as_they_are(environment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARMLINE_ALLOWED_ORIGINS", " https://a.example , https://b.example:8443,, ")
    assert load().origins == {"https://a.example", "https://b.example:8443"}
    environment(
        WARMLINE_PROFILE="dev", PORT="8001", WARMLINE_ALLOWED_ORIGINS="https://a.example,https://b.example:8443"
    )
    assert load().origins == {
        "https://a.example", "https://b.example:8443", "http://127.0.0.1:8001", "http://localhost:8001",
    }  # fmt: skip


def test_proxies_and_the_origins_of_apps_are_taken(environment: Any) -> None:
    environment(
        WARMLINE_TRUSTED_PROXIES="10.0.0.0/8, ::1,", WARMLINE_ALLOWED_ORIGINS="capacitor://localhost,https://[::1]:8443"
    )
    assert load().origins == {"capacitor://localhost", "https://[::1]:8443"}


def test_while_the_master_key_changes_there_are_several(environment: Any) -> None:
    environment(WARMLINE_MASTER_KEY_FILE="/keys/new.key, /keys/old.key")
    assert load().master_key_files == (Path("/keys/new.key"), Path("/keys/old.key"))
    environment(WARMLINE_MASTER_KEY_FILE=" , ")
    with pytest.raises(Misconfigured, match="WARMLINE_MASTER_KEY_FILE"):
        load()


def test_settings_do_not_change(environment: Any) -> None:
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_every_setting_has_a_name_in_the_environment() -> None:
    named = [field.validation_alias for field in Settings.model_fields.values()]
    assert [name for name in named if not isinstance(name, str) or name != name.upper()] == []


def test_pushes_go_to_named_providers_alone_and_somebody_is_named_for_them(environment: Any) -> None:
    environment(WARMLINE_VAPID_KEY_FILE="/keys/vapid.pem")
    with pytest.raises(Misconfigured, match="WARMLINE_VAPID_SUBJECT: required"):
        load()
    environment(WARMLINE_VAPID_KEY_FILE="/keys/vapid.pem", WARMLINE_VAPID_SUBJECT="mailto:it@clinic.invalid")
    assert "fcm.googleapis.com" in load().push_providers
    for subject in ("it@clinic.invalid", "http://clinic.invalid", "mailto:", "mailto:a@b@c", "mailto:a@b c"):
        environment(WARMLINE_VAPID_SUBJECT=subject)
        with pytest.raises(Misconfigured, match="WARMLINE_VAPID_SUBJECT"):
            load()
    for hosts in ("localhost", "10.0.0.1", "*.example.com", ".example.com", "https://push.example.com", "a.example:1"):
        environment(WARMLINE_PUSH_PROVIDERS=hosts)
        with pytest.raises(Misconfigured, match="WARMLINE_PUSH_PROVIDERS"):
            load()
    environment(WARMLINE_PUSH_PROVIDERS="push.example.com, updates.example.org")
    assert load().push_providers == ("push.example.com", "updates.example.org")


def test_in_development_pushes_may_stay_on_this_machine(environment: Any) -> None:
    environment(WARMLINE_PROFILE="dev", WARMLINE_PUSH_LOCAL="https://127.0.0.1:8443, https://localhost:8444")
    assert load().push_local == ("https://127.0.0.1:8443", "https://localhost:8444")
    for origin in ("http://127.0.0.1:8443", "https://127.0.0.1:8443/", "https://10.0.0.1:8443", "https://a.example"):
        environment(WARMLINE_PROFILE="dev", WARMLINE_PUSH_LOCAL=origin)
        with pytest.raises(Misconfigured, match="WARMLINE_PUSH_LOCAL"):
            load()


MAIL = {
    "WARMLINE_SMTP_URL": "smtp://relay:secret-of-the-relay@mail.example:587",
    "WARMLINE_MAIL_FROM": "notices@clinic.example",
    "WARMLINE_PUBLIC_URL": "https://chat.clinic.example",
}


def test_emails_have_a_relay_a_sender_and_somewhere_to_lead_to(
    environment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load().smtp_url is None
    for name, value in MAIL.items():
        monkeypatch.setenv(name, value)
    assert load().mail_from == "notices@clinic.example"
    for name in ("WARMLINE_MAIL_FROM", "WARMLINE_PUBLIC_URL"):
        monkeypatch.delenv(name)
        with pytest.raises(Misconfigured, match=f"WARMLINE_SMTP_URL: .*{name}"):
            load()
        monkeypatch.setenv(name, MAIL[name])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WARMLINE_SMTP_URL", "mail.example:587"),
        ("WARMLINE_SMTP_URL", "http://mail.example"),
        ("WARMLINE_SMTP_URL", "smtp://"),
        ("WARMLINE_SMTP_URL", "smtp://relay:secret-of-the-relay@"),
        ("WARMLINE_SMTP_URL", "smtp://mail.example:700000"),
        ("WARMLINE_SMTP_URL", "smtp://mail.example:0"),
        ("WARMLINE_SMTP_URL", "smtp://mail.example:port"),
        ("WARMLINE_SMTP_URL", "smtp://mail.example/path"),
        ("WARMLINE_SMTP_URL", "file:///var/mails"),
        ("WARMLINE_SMTP_CONNECTIONS", "0"),
        ("WARMLINE_MAIL_FROM", "Clinic <notices@clinic.example>"),
        ("WARMLINE_MAIL_FROM", "notices@clinic.example\nBcc: thief@evil.example"),
        ("WARMLINE_PUBLIC_URL", "http://chat.clinic.example"),
        ("WARMLINE_PUBLIC_URL", "https://chat.clinic.example/chat"),
        ("WARMLINE_PUBLIC_URL", "chat.clinic.example"),
        ("WARMLINE_PUBLIC_URL", "https://chat.clinic.example?a=b"),
    ],
)
def test_emails_that_could_not_be_sent_or_lead_nowhere_stop_the_start(
    environment: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for each, good in (MAIL | {name: value}).items():
        monkeypatch.setenv(each, good)
    with pytest.raises(Misconfigured, match=f"^{name}") as told:
        load()
    assert "secret-of-the-relay" not in str(told.value)


def test_in_development_emails_go_to_a_folder(environment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (MAIL | {"WARMLINE_SMTP_URL": "file:///tmp/mails", "WARMLINE_PROFILE": "dev"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WARMLINE_PUBLIC_URL", "http://127.0.0.1:8000")
    assert load().smtp_url == "file:///tmp/mails"
