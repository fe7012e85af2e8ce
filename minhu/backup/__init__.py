"""Backups of an installation and the way back: database, landing zone and configuration; keys by a path of their own.

    FOLDER/landing/               landed files, named by their sha256: each backup adds what is new
    FOLDER/20261031T020000/       base/ or warehouse.dump and roles.sql; config/; backup.json
    KEYS/20261031T020000/         the secrets of the home: never in the same place as what they open

A base backup takes the embedded server as a whole, Airflow's database too, and with its archived log any moment since
comes back. A dump takes the warehouse from any server. What was measured when it was taken is compared after a restore.
"""

from minhu.backup.restoring import Restored, restore
from minhu.backup.taking import Backup, archive, backup

__all__ = ["Backup", "Restored", "archive", "backup", "restore"]
