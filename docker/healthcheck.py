"""Exits 0 if a part of Airflow is healthy: metadatabase, scheduler, triggerer or dag_processor. Asks the API server."""

import json
import os
import sys
from urllib.request import ProxyHandler, build_opener

SERVER = os.environ.get("MINHU_HEALTH_URL", "http://api-server:8080/api/v2/monitor/health")

try:
    with build_opener(ProxyHandler({})).open(SERVER, timeout=10) as answer:
        sys.exit(json.load(answer)[sys.argv[1]]["status"] != "healthy")
except OSError as error:
    sys.exit(f"{SERVER} does not answer: {error}")
