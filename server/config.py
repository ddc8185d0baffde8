"""Frozen settings from the environment. A wrong one stops the start, with its name and the fix.

Every setting is documented on its field; `docs/operations.md` reads them off this class.
"""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from server import config_checks
from server.config_checks import origin_of
from server.errors import Misconfigured
from server.ids import OrganizationId

_PORT = r"(:[1-9]\d{0,4})?/?"
_RELAY = rf"^(smtps?://([^/?#@\s]+@)?(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+){_PORT}|file:///.+)$"
_ORIGIN = rf"^(https://(\[[0-9a-f:]+\]|[a-z0-9.-]+)|http://(127\.0\.0\.1|localhost|\[::1\])){_PORT}$"
_ADDRESS = r"^[A-Za-z0-9._+=-]{1,64}@[A-Za-z0-9.-]{1,180}$"

PUSH_PROVIDERS = ("fcm.googleapis.com", "push.services.mozilla.com", "push.apple.com", "notify.windows.com")
"""Where Chrome, Firefox, Safari and Edge have their push endpoints: these hosts, and those below them."""


class Settings(BaseSettings):
    """What a process is told from outside. Names without a prefix are those that hosting platforms set."""

    model_config = SettingsConfigDict(
        frozen=True, env_ignore_empty=True, populate_by_name=True, extra="ignore", use_attribute_docstrings=True
    )

    database_url: str = Field(validation_alias="DATABASE_URL", pattern="^postgres(ql)?://")
    """postgresql://… of a login that is a member of the role warmline_app (and, for `schema apply`, owns the database)."""
    redis_url: str = Field(validation_alias="REDIS_URL", pattern=r"^(rediss?(\+cluster)?|unix)://")
    """redis://… or rediss://… ; holds nothing that must last. redis+cluster://… or rediss+cluster://… of any node: a cluster,
    Redis 7 or later or Valkey, with its topics spread over the nodes."""
    host: str = Field("127.0.0.1", validation_alias="HOST")
    """The address to listen on; TLS ends at a proxy in front."""
    port: int = Field(8000, ge=0, le=65535, validation_alias="PORT")
    """The one port for HTTP and WebSocket."""
    tls_at_proxy: bool = Field(False, validation_alias="WARMLINE_TLS_AT_PROXY")
    """`true`: a proxy in front ends TLS, sets X-Forwarded-Proto, and is the only way in. Then HSTS is sent and what came to
    the proxy unencrypted is refused. In profile production nothing but loopback is listened on without it."""
    profile: Literal["production", "dev"] = Field("production", validation_alias="WARMLINE_PROFILE")
    """`dev` adds the development issuer, and refuses to leave loopback."""
    master_key_files: Annotated[tuple[Path, ...], NoDecode] = Field(
        validation_alias="WARMLINE_MASTER_KEY_FILE", min_length=1
    )
    """A file with 32 random bytes in base64, which wrap the organisations' keys (`warmline keys make`). Back it up apart
    from the database. While the master key is being changed: several, comma-separated; the first wraps, any unwraps."""
    audit_key_file: Path | None = Field(None, validation_alias="WARMLINE_AUDIT_KEY_FILE")
    """Workers only: the Ed25519 key (PEM) that the ends of the access log are signed with; `warmline audit make-key FILE`.
    Required in profile production. Keep it where whoever owns the database cannot read it."""
    token_issuer: str = Field(validation_alias="WARMLINE_TOKEN_ISSUER")
    """The `iss` that tokens must carry: the sign-in provider's address, exactly as its discovery document has it."""
    token_audience: str = Field("warmline", validation_alias="WARMLINE_TOKEN_AUDIENCE")
    """The `aud` that tokens must carry."""
    token_keys_file: Path | None = Field(None, validation_alias="WARMLINE_TOKEN_KEYS_FILE")
    """Instead of a sign-in provider: an issuer's public keys as a JWKS file; tokens then name `org` and `sub` by our ids."""
    token_leeway: int = Field(10, ge=0, le=60, validation_alias="WARMLINE_TOKEN_LEEWAY")
    """Seconds by which the issuer's clock and ours may differ."""
    sign_in_hours: int = Field(24, ge=0, le=24 * 90, validation_alias="WARMLINE_SIGN_IN_HOURS")
    """How long a sign-in lasts at most, on open connections too, counted from the token's `auth_time` (without one, from its
    `iat`); 0: as long as the provider gives tokens."""
    sign_in_idle_minutes: int = Field(0, ge=0, le=24 * 60, validation_alias="WARMLINE_SIGN_IN_IDLE_MINUTES")
    """After so long without anything done by the person, their page signs out and their connection is closed; 0: never."""
    oidc_client_id: str | None = Field(None, validation_alias="WARMLINE_OIDC_CLIENT_ID")
    """The pages' client id at the provider: a public client, authorization code with PKCE, redirects to / and /portal."""
    oidc_scope: str = Field("openid email", validation_alias="WARMLINE_OIDC_SCOPE", pattern="(^| )openid( |$)")
    """The scope that the pages ask for. Some providers give refresh tokens for `offline_access` only."""
    oidc_parameters: str = Field("", validation_alias="WARMLINE_OIDC_PARAMETERS")
    """Further parameters of the authorization request, as name=value&name=value: some providers want an `audience`."""
    oidc_jwks_url: str | None = Field(None, validation_alias="WARMLINE_OIDC_JWKS_URL")
    """Where the provider's keys are, instead of where its discovery document says."""
    oidc_origins: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias="WARMLINE_OIDC_ORIGINS")
    """Further origins on which the provider has endpoints, comma-separated; the pages may connect there, and no further."""
    oidc_organization: OrganizationId | None = Field(None, validation_alias="WARMLINE_OIDC_ORGANIZATION")
    """The one organisation whose people sign in with this provider."""
    oidc_organization_claim: str | None = Field(None, validation_alias="WARMLINE_OIDC_ORGANIZATION_CLAIM")
    """The claim that holds the organisation's id, where the provider serves several."""
    oidc_link_by_email: bool = Field(False, validation_alias="WARMLINE_OIDC_LINK_BY_EMAIL")
    """Whether somebody unknown is linked at the first sign-in to the one person with their verified email address."""
    dev_key_file: Path | None = Field(None, validation_alias="WARMLINE_DEV_KEY_FILE")
    """The development issuer's private key (JWK); only in profile `dev`."""
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias="WARMLINE_ALLOWED_ORIGINS")
    """Origins whose pages may open a WebSocket, comma-separated, scheme and port included; matched exactly."""
    pool_size: int = Field(8, ge=1, le=200, validation_alias="WARMLINE_POOL_SIZE")
    """Database connections per process for operations; reads of the log and sends have a few of their own."""
    vapid_key_file: Path | None = Field(None, validation_alias="WARMLINE_VAPID_KEY_FILE")
    """Gateways and workers: the P-256 key (PEM) that pushes are signed with; `warmline keys vapid FILE`. Unset: push is off.
    Browsers register for this one key: with another one, each of them has to register again."""
    vapid_subject: str | None = Field(
        None, validation_alias="WARMLINE_VAPID_SUBJECT", pattern=r"^(mailto:[!-?A-~]+@[!-?A-~]+|https://[a-z0-9.-]+)$"
    )
    """mailto:… or https://… of whom the providers of push should turn to; goes with each push. Required with the key."""
    push_providers: Annotated[tuple[str, ...], NoDecode] = Field(
        PUSH_PROVIDERS, validation_alias="WARMLINE_PUSH_PROVIDERS"
    )
    """Hosts that pushes may go to, comma-separated, each with what ends in `.` and its name. Nothing else is ever called."""
    push_local: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias="WARMLINE_PUSH_LOCAL")
    """Origins on this machine that pushes may go to as well, comma-separated, in profile dev only: for tests."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", validation_alias="WARMLINE_LOG_LEVEL")
    """From which level on our own records are logged; of other libraries only warnings and errors ever are."""
    log_format: Literal["json", "readable"] | None = Field(None, validation_alias="WARMLINE_LOG_FORMAT")
    """One JSON object per line, or lines for people; unset: `readable` in profile dev, else `json`."""
    metrics_port: int | None = Field(None, ge=1, le=65535, validation_alias="WARMLINE_METRICS_PORT")
    """The operators' port: /metrics, /health/live and /health/ready of this process, unencrypted and open to whoever reaches
    it, so it is a port of its own, for the inside only. Each process of a machine takes another one; unset: none is opened."""
    metrics_host: str = Field("127.0.0.1", validation_alias="WARMLINE_METRICS_HOST")
    """The address that the operators' port listens on; an inner one, if Prometheus asks from elsewhere."""

    smtp_url: str | None = Field(None, validation_alias="WARMLINE_SMTP_URL", pattern=_RELAY)
    """The mail relay: smtp://USER@HOST:PORT (STARTTLS; required outside loopback) or smtps://… (TLS); USER:PASSWORD where there
    is no WARMLINE_SMTP_PASSWORD_FILE. In profile dev also file:///FOLDER, to which emails are written. Unset: none are sent."""
    smtp_password_file: Path | None = Field(None, validation_alias="WARMLINE_SMTP_PASSWORD_FILE")
    """A file with the password for the mail relay."""
    smtp_ca_file: Path | None = Field(None, validation_alias="WARMLINE_SMTP_CA_FILE")
    """Certificates (PEM) that vouch for the mail relay's, where the system's do not."""
    smtp_connections: int = Field(1, ge=1, le=32, validation_alias="WARMLINE_SMTP_CONNECTIONS")
    """Connections to the mail relay that one worker keeps; each carries a few hundred emails per second at best."""
    mail_from: str | None = Field(None, validation_alias="WARMLINE_MAIL_FROM", pattern=_ADDRESS)
    """The address that unread emails come from, and nothing else: notices@clinic.example. Required with WARMLINE_SMTP_URL."""
    public_url: str | None = Field(None, validation_alias="WARMLINE_PUBLIC_URL", pattern=_ORIGIN)
    """The origin of the pages as people reach them, for links: https://chat.clinic.example. Required with WARMLINE_SMTP_URL."""

    # Limits: each gateway counts for itself, so a person connected to two has twice as much

    sends_per_second: float = Field(10, gt=0, validation_alias="WARMLINE_SENDS_PER_SECOND")
    """Messages that one person may send per second in the long run; beyond the burst they are delayed, then refused."""
    sends_burst: int = Field(50, ge=1, validation_alias="WARMLINE_SENDS_BURST")
    """Messages that one person may send at once after a pause."""
    sends_patience: float = Field(3, ge=0, le=10, validation_alias="WARMLINE_SENDS_PATIENCE")
    """Seconds that a message, or another operation, is held back before the next is refused instead."""
    operations_per_second: float = Field(50, gt=0, validation_alias="WARMLINE_OPERATIONS_PER_SECOND")
    """Operations other than sends that one person may call per second in the long run, over HTTP and WebSocket."""
    operations_burst: int = Field(250, ge=1, validation_alias="WARMLINE_OPERATIONS_BURST")
    """Operations other than sends that one person may call at once after a pause."""
    connections_per_person: int = Field(30, ge=1, validation_alias="WARMLINE_CONNECTIONS_PER_PERSON")
    """Connections that one person may have; more are refused for now (error 111), so that they get in when others end."""
    connects_per_second: float = Field(1, gt=0, validation_alias="WARMLINE_CONNECTS_PER_SECOND")
    """Times that one person may connect per second in the long run; at once, twice as often as connections are allowed."""
    commands_per_second: float = Field(100, gt=0, validation_alias="WARMLINE_COMMANDS_PER_SECOND")
    """Commands of one connection per second in the long run; beyond it error 111, and who goes on is closed with 3013."""
    subscriptions_per_connection: int = Field(1000, ge=1, validation_alias="WARMLINE_SUBSCRIPTIONS_PER_CONNECTION")
    """Channels that one connection may listen to; more are refused with error 106."""
    connects_at_once: int = Field(64, ge=1, validation_alias="WARMLINE_CONNECTS_AT_ONCE")
    """Connects that are looked up at a time, by a few statements together."""
    connects_waiting: int = Field(10_000, ge=1, validation_alias="WARMLINE_CONNECTS_WAITING")
    """Requests for a WebSocket that wait for that, nine seconds at most; more are refused (503)."""
    connect_seconds: float = Field(10, gt=0, validation_alias="WARMLINE_CONNECT_SECONDS")
    """Seconds after which a WebSocket that has not said who it is gets closed (3502)."""
    unauthenticated: int = Field(1000, ge=1, validation_alias="WARMLINE_UNAUTHENTICATED")
    """Sockets that have not said yet what they want, and WebSockets of whom nobody knows yet who they are, of each so many."""
    unauthenticated_per_address: int = Field(200, ge=1, validation_alias="WARMLINE_UNAUTHENTICATED_PER_ADDRESS")
    """The same of one address (of IPv6, one /64), and as many that wait. A clinic behind one address reconnects as one."""
    trusted_proxies: str = Field(
        "127.0.0.1,::1", pattern="^[0-9a-fA-F.:/, ]*$", validation_alias="WARMLINE_TRUSTED_PROXIES"
    )
    """Addresses or networks of the proxies whose X-Forwarded-For is believed, comma-separated. Without: all are one address."""
    max_sockets: int = Field(10_000, ge=10, validation_alias="WARMLINE_MAX_SOCKETS")
    """Sockets of one gateway, HTTP and WebSocket together, if the limit of open files allows; more are told 503."""
    max_request_kib: int = Field(256, ge=128, le=1024, validation_alias="WARMLINE_MAX_REQUEST_KIB")
    """KiB of an HTTP body and of a WebSocket command (error 107); four times as much in one message, then close 3501."""
    max_head_kib: int = Field(32, ge=4, le=256, validation_alias="WARMLINE_MAX_HEAD_KIB")
    """KiB of an HTTP request's line and headers; more is told 431."""
    head_seconds: float = Field(10, gt=0, validation_alias="WARMLINE_HEAD_SECONDS")
    """Seconds that a request's line and headers may take to arrive."""
    request_seconds: float = Field(60, gt=0, validation_alias="WARMLINE_REQUEST_SECONDS")
    """Seconds that its body may take after that."""

    @field_validator(
        *("allowed_origins", "master_key_files", "oidc_origins", "push_providers", "push_local"), mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _safe(self) -> "Settings":
        if wrong := list(config_checks.wrong(self)):
            raise ValueError("\n".join(wrong))
        return self

    @cached_property
    def provider_origins(self) -> frozenset[str]:
        """Where the sign-in provider's endpoints may be; empty where keys come from a file."""
        if self.token_keys_file is not None:
            return frozenset()
        urls = (self.token_issuer, self.oidc_jwks_url, *self.oidc_origins)
        return frozenset(origin for url in urls if url is not None and (origin := origin_of(url)) is not None)

    @property
    def readable_logs(self) -> bool:
        """Whether logs are for people to read."""
        return (self.log_format or ("readable" if self.profile == "dev" else "json")) == "readable"

    @cached_property
    def origins(self) -> frozenset[str]:
        """The allow-list of the handshake; in profile dev the server's own two names are in it."""
        own = {f"http://{name}:{self.port}" for name in ("127.0.0.1", "localhost")} if self.profile == "dev" else set()
        return frozenset(own | set(self.allowed_origins))


def load() -> Settings:
    """Read the settings from the environment.

    Raises:
        Misconfigured: one line per wrong or missing setting, naming it and what it takes; values are not repeated.
    """
    try:
        return Settings()  # type: ignore[call-arg]  # the fields come from the environment
    except ValidationError as wrong:
        takes = {
            field.validation_alias: " ".join((field.description or "").split())
            for field in Settings.model_fields.values()
        }
        lines = [
            f"{name}: {error['msg']}. It takes: {takes.get(name)}"
            if (name := str(*error["loc"][:1]))
            else error["msg"].removeprefix("Value error, ")
            for error in wrong.errors()
        ]
        raise Misconfigured("\n".join(lines)) from None
