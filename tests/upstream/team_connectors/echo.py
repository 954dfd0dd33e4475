"""Connectors that give back what they were given, so that a caller sees what reached them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Optional

from flyteidl.core.execution_pb2 import TaskExecution
from flyteidl.core.literals_pb2 import LiteralMap as LiteralMapMessage
from flytekit.extend.backend.base_connector import (
    AsyncConnectorBase,
    ConnectorRegistry,
    Resource,
    ResourceMeta,
    SyncConnectorBase,
)
from flytekit.models.literals import LiteralMap
from flytekit.models.task import TaskExecutionMetadata, TaskTemplate
from google.protobuf import json_format

from . import jobs


@dataclass
class EchoMeta(ResourceMeta):
    """All that a create was given. A meta of one's own is a dataclass that JSON can hold."""

    job: str
    template: dict
    output_prefix: str
    execution: Optional[dict] = None
    inputs: Optional[str] = None


def written(task_template: TaskTemplate) -> dict:
    return json_format.MessageToDict(task_template.to_flyte_idl())


def told(template: dict, output_prefix: str, execution: Optional[dict]) -> dict[str, Any]:
    return {"template": template, "output_prefix": output_prefix, "execution": execution}


class EchoConnector(AsyncConnectorBase):
    """Its outputs are its inputs, its custom_info is the rest of the request."""

    name = "Team Echo Connector"

    def __init__(self, task_type_name: str, task_type_version: int = 0) -> None:
        super().__init__(
            task_type_name=task_type_name, task_type_version=task_type_version, metadata_type=EchoMeta
        )

    def create(
        self,
        task_template: TaskTemplate,
        output_prefix: str,
        inputs: Optional[LiteralMap] = None,
        task_execution_metadata: Optional[TaskExecutionMetadata] = None,
        **kwargs: Any,
    ) -> EchoMeta:
        execution, packed = None, None
        if task_execution_metadata:
            execution = json_format.MessageToDict(task_execution_metadata.to_flyte_idl())
        if inputs:
            packed = base64.b64encode(inputs.to_flyte_idl().SerializeToString(deterministic=True)).decode()
        return EchoMeta(jobs.create(task_template.custom["job"]), written(task_template), output_prefix, execution, packed)

    def get(self, resource_meta: EchoMeta, **kwargs: Any) -> Resource:
        outputs = None
        if resource_meta.inputs is not None:
            message = LiteralMapMessage.FromString(base64.b64decode(resource_meta.inputs))
            outputs = LiteralMap.from_flyte_idl(message)
        info = told(resource_meta.template, resource_meta.output_prefix, resource_meta.execution)
        return Resource(phase=TaskExecution.SUCCEEDED, outputs=outputs, custom_info=info)

    def delete(self, resource_meta: EchoMeta, **kwargs: Any) -> None:
        jobs.note(resource_meta.job, "deleted")


class SyncEchoConnector(SyncConnectorBase):
    """The same in one call."""

    name = "Team Sync Echo Connector"

    def __init__(self) -> None:
        super().__init__(task_type_name="team_sync_echo")

    async def do(
        self, task_template: TaskTemplate, output_prefix: str, inputs: Optional[LiteralMap] = None, **kwargs: Any
    ) -> Resource:
        jobs.create(task_template.custom["job"])
        return Resource(
            phase=TaskExecution.SUCCEEDED,
            message="echoed",
            outputs=inputs,
            custom_info=told(written(task_template), output_prefix, None),
        )


ConnectorRegistry.register(EchoConnector("team_echo"))
ConnectorRegistry.register(EchoConnector("team_echo", task_type_version=2))
ConnectorRegistry.register(SyncEchoConnector())
