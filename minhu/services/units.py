"""A systemd unit that runs an installation, or a worker, as a user of its own, hardened."""

import sys
from pathlib import Path

from minhu.errors import Refused, foreign
from minhu.settings import PROJECT_ROOT, Settings

UNIT = """\
# Written by `minhu service install`. Then: systemctl daemon-reload && systemctl enable --now {name}
[Unit]
Description=minhu (民呼), {what}
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
User={user}
WorkingDirectory={root}
Environment=MINHU_HOME={home} MINHU_CONFIG={config} MINHU_DROP={drop}
# Secrets and the addresses of servers, one NAME=value a line, mode 0600
EnvironmentFile=-{home}/environment
ExecStart={python} -m {module}
KillMode=mixed
TimeoutStopSec={patience}
Restart=always
RestartSec=5
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={home} {drop}{landing}
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

OF_SERVICES = {
    "name": "minhu",
    "what": "the data warehouse of a city's hotlines",
    "module": "minhu up --stay",
    "patience": "90",
}
OF_WORKER = {
    "name": "minhu-worker",
    "what": "a worker: it runs tasks that the services hand out",
    "module": "minhu worker",
    "patience": "600",  # what runs has that long to end; what is cut off then is taken up elsewhere
}


def write_unit(settings: Settings, user: str, folder: Path, *, is_worker: bool = False) -> Path:
    """Writes ``minhu.service``, or ``minhu-worker.service``, into ``folder``; where it lies.

    Raises Refused for root, or where it cannot write.
    """
    if user == "root":
        raise Refused(
            "the service runs as a user of its own, not as root: useradd --system minhu, and give him the home"
        )
    is_local = settings.landing_zone and not settings.landing_url
    told = UNIT.format(
        **(OF_WORKER if is_worker else OF_SERVICES),
        user=user,
        root=PROJECT_ROOT,
        home=settings.home,
        config=settings.config,
        drop=settings.drop,
        landing=f" {settings.landing}" if is_local else "",
        python=sys.executable,
    )
    file = folder / f"{OF_WORKER['name'] if is_worker else OF_SERVICES['name']}.service"
    with foreign.told("write file", file=file):
        file.write_text(told, encoding="utf-8")
    return file
