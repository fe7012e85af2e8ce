"""A systemd unit that runs an installation as a user of its own, hardened."""

import sys
from pathlib import Path

from minhu.errors import Refused, foreign
from minhu.settings import PROJECT_ROOT, Settings

UNIT = """\
# Written by `minhu service install`. Then: systemctl daemon-reload && systemctl enable --now minhu
[Unit]
Description=minhu (民呼), the data warehouse of a city's hotlines
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
User={user}
WorkingDirectory={root}
Environment=MINHU_HOME={home} MINHU_CONFIG={config} MINHU_DROP={drop}
# Secrets and the addresses of servers, one NAME=value a line, mode 0600
EnvironmentFile=-{home}/environment
ExecStart={python} -m minhu.services.supervisor --foreground
KillMode=mixed
TimeoutStopSec=90
Restart=always
RestartSec=5
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={home} {drop}
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
LockPersonality=yes
LimitNOFILE=65536
TasksMax=2048

[Install]
WantedBy=multi-user.target
"""


def write_unit(settings: Settings, user: str, folder: Path) -> Path:
    """Writes ``minhu.service`` into ``folder``; where it lies. Raises Refused for root, or where it cannot write."""
    if user == "root":
        raise Refused(
            "the service runs as a user of its own, not as root: useradd --system minhu, and give him the home"
        )
    told = UNIT.format(
        user=user,
        root=PROJECT_ROOT,
        home=settings.home,
        config=settings.config,
        drop=settings.drop,
        python=sys.executable,
    )
    file = folder / "minhu.service"
    with foreign.told("write file", file=file):
        file.write_text(told, encoding="utf-8")
    return file
