"""`warmline mail test`: an email that arrives, or why it does not."""

from pathlib import Path

import pytest

from server.dev.datafolder import DataFolder
from tests.support.commands import here
from tests.support.mailbox import relaying


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    with DataFolder(tmp_path).held():
        found = DataFolder(tmp_path).key_settings()
    return found | {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "WARMLINE_MAIL_FROM": "notices@clinic.example",
        "WARMLINE_PUBLIC_URL": "https://chat.clinic.example",
    }


async def test_it_is_sent_or_it_is_said_why_not(settings: dict[str, str]) -> None:
    async with relaying() as mailbox:
        settings["WARMLINE_SMTP_URL"] = f"smtp://127.0.0.1:{mailbox.port}"
        tried = await here("mail", "test", "demo@home.example", "--dry-run", **settings)
        assert (tried.returncode, mailbox.received) == (0, [])
        sent = await here("mail", "test", "demo@home.example", **settings)
        [received] = mailbox.received
        assert sent.returncode == 0
        assert str(received.message["Message-ID"]) in sent.stdout
        assert received.to == ["demo@home.example"]
        mailbox.tell("RCPT", "550 5.1.1 <demo@home.example> Demo Patient is unknown here")
        refused = await here("mail", "test", "demo@home.example", **settings)
        assert (refused.returncode, "smtp_550" in refused.stderr, "Demo Patient" in refused.stderr) == (1, True, False)
        wrong = await here("mail", "test", "demo@home.example, other@home.example", **settings)
        assert (wrong.returncode, len(mailbox.received)) == (1, 1)
    away = await here("mail", "test", "demo@home.example", **settings)
    assert away.returncode == 1
    assert "cannot be reached" in away.stderr
    settings["WARMLINE_SMTP_URL"] = ""
    none = await here("mail", "test", "demo@home.example", **settings)
    assert none.returncode == 2
    assert "WARMLINE_SMTP_URL" in none.stderr
