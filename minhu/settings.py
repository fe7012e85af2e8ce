"""Where things are: folders, servers and secrets of one installation, read from the environment.

| variable | meaning | default |
|---|---|---|
| ``MINHU_HOME`` | data of this installation | ``.minhu/`` beside the package |
| ``MINHU_DATABASE_URL`` | another PostgreSQL ≥ 15 instead of the embedded one | (embedded) |
| ``MINHU_CONFIG`` | the folder a city edits | ``config/`` |
| ``MINHU_DROP`` | root that drop-folder sources are relative to | ``$MINHU_HOME/drop`` |
| ``MINHU_CALLER_KEY`` | the key of caller tokens, hex | ``$MINHU_HOME/secrets/caller-key`` |
| ``MINHU_CALLER_KEYS_OLD`` | keys before it, hex, comma-separated | ``$MINHU_HOME/secrets/caller-key.<id>`` |
"""

import os
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """One installation. Paths are absolute; nothing is created by looking."""

    home: Path
    config: Path
    drop: Path
    database_url: str | None

    @classmethod
    def from_env(cls, env: os._Environ | dict = os.environ) -> "Settings":
        home = Path(env.get("MINHU_HOME") or PROJECT_ROOT / ".minhu").resolve()
        return cls(
            home=home,
            config=Path(env.get("MINHU_CONFIG") or PROJECT_ROOT / "config").resolve(),
            drop=Path(env.get("MINHU_DROP") or home / "drop").resolve(),
            database_url=env.get("MINHU_DATABASE_URL") or None,
        )

    @property
    def landing(self) -> Path:
        """Raw deliveries, named by their sha256; readable by the loader alone."""
        return self.home / "landing"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def data_docs(self) -> Path:
        return self.home / "data_docs"

    @cached_property
    def caller_keys(self) -> tuple[bytes, ...]:
        """Keys of the caller tokens (HMAC-SHA256), outside the database: the one that writes, then earlier ones."""
        from minhu.privacy import keys

        return keys.read(self)

    @property
    def caller_key(self) -> bytes:
        """The key that writes; made on first use."""
        return self.caller_keys[0]

    def secret(self, name: str) -> str:
        """The secret ``name`` of this installation as 64 hex digits, made on first use, readable by its owner alone."""
        path = self.home / "secrets" / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            fresh = path.with_name(f".{name}.{os.getpid()}")
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_hex(32))
            try:
                os.link(fresh, path)  # two first runs at once agree on one secret: the second link fails
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_text().strip()
