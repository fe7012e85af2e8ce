"""The API answers whatever its schema allows by its schema, whoever asks, and breaks by nothing that it forbids."""

from datetime import timedelta

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from minhu.portal.api.app import PREFIX
from minhu.portal.api.calling import Buckets
from minhu.portal.app import application
from tests.portal.conftest import GROUP, House

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
EXAMPLES = 4


def asked(house: House, group: str, examples: int) -> int:
    """Asks every address that much as this group, with a key that may decide; how many answers were looked at."""
    session = house.desk.sign_in(*house.credentials(group))
    _, token = house.desk.make_key(session, f"schema {group}", True, timedelta(hours=1))
    app = application(house.desk)
    [of_programs] = [route.app for route in app.routes if getattr(route, "path", "") == PREFIX]
    of_programs.state.buckets = Buckets(per_second=1e6, at_once=1_000_000)
    schema = schemathesis.openapi.from_asgi(f"{PREFIX}/openapi.json", app)
    looked_at = []

    def looked(case) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)
        looked_at.append(case.method)

    how = settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    wrong = {}
    for found in schema.get_all_operations():
        for mode in schemathesis.GenerationMode:
            operation = found.ok()
            try:
                how(given(operation.as_strategy(generation_mode=mode))(looked))()
            except FailureGroup as told:
                wrong[f"{operation.method} {operation.path} {mode.name}"] = [str(one) for one in told.exceptions]
    assert wrong == {}
    return len(looked_at)


@pytest.mark.parametrize("group", GROUP)
def test_what_the_schema_says_holds(house, group):
    assert asked(house, group, EXAMPLES) > 100


@pytest.mark.long
@pytest.mark.parametrize("group", GROUP)
def test_what_the_schema_says_holds_for_much_more(house, group):
    assert asked(house, group, 100) > 1000
