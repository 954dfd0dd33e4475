"""An async connector with everything a connector can have: phases, links, outputs, metrics, logs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Optional

from flyteidl.admin.agent_pb2 import (
    GetTaskLogsResponse,
    GetTaskLogsResponseBody,
    GetTaskLogsResponseHeader,
    GetTaskMetricsResponse,
)
from flyteidl.core.execution_pb2 import TaskExecution, TaskLog
from flyteidl.core.metrics_pb2 import ExecutionMetricResult
from flytekit.extend.backend.base_connector import AsyncConnectorBase, ConnectorRegistry, Resource, ResourceMeta
from flytekit.models.literals import LiteralMap
from flytekit.models.task import TaskTemplate
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from . import jobs


@dataclass
class JobMeta(ResourceMeta):
    """Where the job is."""

    job: str
    console: str


def links(job: str) -> list[TaskLog]:
    return [
        TaskLog(name="Job Console", uri=f"https://jobs.example.com/{job}?tab=a b&é=世", message_format=TaskLog.JSON),
        TaskLog(name="", uri=f"https://logs.example.com/{job}", ttl={"seconds": 3600}),
    ]


def resource(job: str, phase: str) -> Resource:
    """What there is to tell of a job in this phase."""
    told = Resource(phase=TaskExecution.Phase.Value(phase), message=f"{job} is {phase} – schön\nwith a second line")
    if phase != "QUEUED":
        told.log_links = links(job)
    if phase in ("RUNNING", "SUCCEEDED"):
        told.custom_info = {"job": job, "steps": [1, 2.5, None, True], "nested": {"é": "世"}}
    if phase == "SUCCEEDED":
        when = datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)
        told.outputs = {"rows": 7, "ratio": 0.1, "table": "s3://b/世", "when": when, "took": timedelta(seconds=1.5)}
    return told


class JobConnector(AsyncConnectorBase):
    name = "Team Job Connector"

    def __init__(self) -> None:
        super().__init__(task_type_name="team_job", metadata_type=JobMeta)

    async def create(
        self, task_template: TaskTemplate, inputs: Optional[LiteralMap] = None, **kwargs: Any
    ) -> JobMeta:
        job = jobs.create(task_template.custom["job"])
        return JobMeta(job=job, console="https://jobs.example.com")

    async def get(self, resource_meta: JobMeta, **kwargs: Any) -> Resource:
        return resource(resource_meta.job, jobs.stage(resource_meta.job))

    async def delete(self, resource_meta: JobMeta, **kwargs: Any) -> None:
        jobs.note(resource_meta.job, "deleted")

    async def get_metrics(self, resource_meta: JobMeta, **kwargs: Any) -> GetTaskMetricsResponse:
        data = Struct()
        json_format.ParseDict({"result": [{"metric": {"job": resource_meta.job}, "values": [[1.0, "2.5"]]}]}, data)
        return GetTaskMetricsResponse(results=[ExecutionMetricResult(metric="EXECUTION_METRIC_USED_CPU_AVG", data=data)])

    async def get_logs(self, resource_meta: JobMeta, **kwargs: Any) -> GetTaskLogsResponse:
        """flytekit drops whatever comes of this: its service answers with an empty stream."""
        jobs.note(resource_meta.job, "logs asked")
        return GetTaskLogsResponse(
            header=GetTaskLogsResponseHeader(token=""), body=GetTaskLogsResponseBody(results=["a line of the job"])
        )


ConnectorRegistry.register(JobConnector())
