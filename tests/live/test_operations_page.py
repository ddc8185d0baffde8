"""docs/operations.md for operators: its table is of the settings there are, and its commands do what they say, in their order."""

import asyncio
import os
import sys
from pathlib import Path

from server.dev import programs
from server.dev.embedded import Postgres
from tests.support import docs
from tests.support.cluster import Databases
from tests.support.site import Site


def test_the_table_of_settings_is_that_of_the_class() -> None:
    page = (docs.ROOT / docs.OPERATIONS).read_text()
    assert docs.with_settings(page) == page, "run: make docs"


async def run(block: str, environment: dict[str, str]) -> str:
    """One block of commands; all of them must succeed."""
    pipe = asyncio.subprocess.PIPE
    shell = ["bash", "-euo", "pipefail", "-c", block]
    process = await asyncio.create_subprocess_exec(
        *shell, env=environment, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, f"{block}\n{told.decode()}"
    return told.decode()


async def test_the_commands_of_the_page_work_in_their_order(
    own_postgres: Postgres, redis_url: str, roomy_path: Path, site: Site
) -> None:
    databases = Databases(own_postgres.url())
    kept = roomy_path / "kept"
    kept.mkdir()
    environment = {
        "HOME": str(roomy_path),
        "PATH": os.pathsep.join(
            [str(Path(sys.executable).parent), str(programs.postgres_bin(roomy_path)), os.environ["PATH"]]
        ),
        "DATABASE_URL": await databases.create_empty(),
        "REDIS_URL": redis_url,
        "WARMLINE_MASTER_KEY_FILE": str(roomy_path / "master.key"),
        "WARMLINE_AUDIT_KEY_FILE": str(roomy_path / "audit.key"),
        "WARMLINE_TOKEN_ISSUER": "tests",
        "WARMLINE_TOKEN_KEYS_FILE": str(site.settings.token_keys_file),
        "BACKUP": str(roomy_path / "backup"),
        "EXPORT": str(roomy_path / "export"),
        "KEPT_ELSEWHERE": str(kept),
    }
    blocks = [text for _name, text in docs.blocks(docs.OPERATIONS, "sh")]
    assert len(blocks) >= 7
    for block in blocks:
        if "audit heads" in block:  # by then a worker has been running
            await run("warmline work & sleep 4; kill -TERM $!; wait $!", environment)
        told = await run(block, environment)
        if "organizations found" in block:
            environment["ORGANIZATION"] = (await run("warmline organizations list", environment)).split()[0]
            environment["PERSON"] = (await run("warmline people list", environment)).split()[0]
        if "audit verify" in block:
            assert "whole" in told
    assert (roomy_path / "export").stat().st_size > 0
