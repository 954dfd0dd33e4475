"""What Flightdeck has built in must not go to Python: a sensor on a local file, a webhook."""

from __future__ import annotations

import metrics
from build import DEFAULTS, header, inputs, webhook
from deployments import Deployments
from services import CALL_LIMIT, Service
from team import Team, file_request


def wrong(team: Team, behind: Service, place: Deployments) -> list[str]:
    """Ask the service in front; whatever the one behind it counts is wrong."""
    before = metrics.values(behind.scrape()[1])
    handle = team.create(file_request(place.files, "FileSensor", module="flytekit.sensor.file_sensor"))[0]
    phase = team.get_phase("SUCCEEDED", handle, "sensor").get("phase")
    hook = webhook(DEFAULTS, team.client.backend.port)
    replies = list(team.service.sync.ExecuteTaskSync(iter([header(hook), inputs()]), timeout=CALL_LIMIT))
    found = [f"the service behind counted {name}" for name in metrics.changes(before, metrics.values(behind.scrape()[1]))]
    if phase != "SUCCEEDED":
        found.append(f"the sensor is {phase}")
    if len(replies) != 1:
        found.append(f"the webhook has {len(replies)} replies")
    return found
