"""The demo's data folder: one user at a time, keys that stay and that nobody else reads."""

import base64
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.dev.datafolder import SETTINGS, DataFolder
from server.errors import Misconfigured


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    made = DataFolder(tmp_path / "data")
    with made.held():
        yield made


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    made = {name: f"{name}-8123" for name in SETTINGS}
    for name, value in made.items():
        monkeypatch.setenv(name, value)
    return made


def test_a_second_one_is_told_where_the_first_is(folder: DataFolder, settings: dict[str, str]) -> None:
    folder.publish_settings()
    with (
        pytest.raises(Misconfigured, match=r"already runs(.|\n)*127\.0\.0\.1:PORT-8123"),
        DataFolder(folder.path).held(),
    ):
        pass


def test_other_commands_find_the_running_one_and_only_that(tmp_path: Path, settings: dict[str, str]) -> None:
    folder = DataFolder(tmp_path)
    with folder.held():
        folder.publish_settings()
        assert DataFolder(tmp_path).running_settings() == settings
    assert DataFolder(tmp_path).running_settings() == {}
    assert DataFolder(tmp_path / "nowhere").running_settings() == {}


def test_keys_are_made_once_and_are_private(folder: DataFolder) -> None:
    settings = folder.key_settings()
    master = Path(settings["WARMLINE_MASTER_KEY_FILE"])
    assert len(base64.b64decode(master.read_text(), validate=True)) == 32
    before = {path.name: path.read_text() for path in folder.keys.iterdir()}
    assert folder.key_settings() == settings
    assert before == {path.name: path.read_text() for path in folder.keys.iterdir()}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.keys.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.keys.stat().st_mode) == 0o700


def test_the_published_keys_hold_nothing_secret(folder: DataFolder) -> None:
    settings = folder.key_settings()
    private = json.loads(Path(settings["WARMLINE_DEV_KEY_FILE"]).read_text())
    [public] = json.loads(Path(settings["WARMLINE_TOKEN_KEYS_FILE"]).read_text())["keys"]
    assert "d" in private
    assert public == {name: value for name, value in private.items() if name != "d"}


def test_data_whose_master_key_is_gone_is_not_given_another_one(roomy_path: Path) -> None:
    folder = DataFolder(roomy_path)
    (folder.servers() / "postgres" / "cluster").mkdir(parents=True)
    with folder.held(), pytest.raises(Misconfigured, match="cannot be read without it"):
        folder.key_settings()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    nowhere = DataFolder(tmp_path / "file" / "data")
    with pytest.raises(Misconfigured, match=r"WARMLINE_DATA: .*file/data cannot be used"), nowhere.held():
        pass


def test_unread_emails_go_to_a_folder_unless_there_is_a_relay(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WARMLINE_SMTP_URL", raising=False)
    made = folder.mail_settings("http://127.0.0.1:8000")
    assert made["WARMLINE_SMTP_URL"] == f"file://{folder.path}/mails"
    assert made["WARMLINE_PUBLIC_URL"] == "http://127.0.0.1:8000"
    monkeypatch.setenv("WARMLINE_SMTP_URL", "smtp://127.0.0.1:1025")
    assert folder.mail_settings("http://127.0.0.1:8000") == {"WARMLINE_PUBLIC_URL": "http://127.0.0.1:8000"}
