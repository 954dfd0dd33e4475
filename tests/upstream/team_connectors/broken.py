"""Connectors that fail: each in the operations that its template names."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Any, Optional

from flyteidl.core.execution_pb2 import TaskExecution
from flytekit.exceptions.user import FlyteUserException
from flytekit.extend.backend.base_connector import (
    AsyncConnectorBase,
    ConnectorRegistry,
    Resource,
    ResourceMeta,
    SyncConnectorBase,
)
from flytekit.models.literals import LiteralMap
from flytekit.models.task import TaskTemplate

from . import jobs


@dataclass
class BrokenMeta(ResourceMeta):
    job: str
    fails: str
    how: str


class JobError(Exception):
    """A backend's own exception."""


def fail(how: str, operation: str) -> None:
    """The ways in which a connector can fail."""
    if how == "plain":
        raise JobError(f"the backend refused to {operation}")
    if how == "lines":
        raise JobError(f"the backend refused to {operation}:\n  first é 世\n\n  Message:\n\n    last line.")
    if how == "empty":
        raise JobError
    if how == "cause":
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise JobError(f"the backend refused to {operation}") from error
    if how == "group":
        raise ExceptionGroup("several", [JobError("one"), ValueError("two")])
    if how == "flyte":
        raise FlyteUserException(f"the user is to blame for {operation}")
    if how == "long":
        raise JobError("x" * 20_000)
    if how == "wide":
        raise JobError("世" * 20_000)
    if how == "recursion":
        fail(how, operation)
    if how == "cancelled":
        raise asyncio.CancelledError(f"{operation} was cancelled")
    if how == "exit":
        sys.exit(3)


class BrokenConnector(AsyncConnectorBase):
    """custom: job, fails (create, get or delete), how, and `until`: fails only while the job is in this stage."""

    name = "Team Broken Connector"

    def __init__(self) -> None:
        super().__init__(task_type_name="team_broken", metadata_type=BrokenMeta)

    async def create(
        self, task_template: TaskTemplate, inputs: Optional[LiteralMap] = None, **kwargs: Any
    ) -> BrokenMeta:
        custom = task_template.custom
        if custom["fails"] == "create":
            fail(custom["how"], "create")
        return BrokenMeta(jobs.create(custom["job"]), custom["fails"], custom["how"])

    async def get(self, resource_meta: BrokenMeta, **kwargs: Any) -> Resource:
        stage = jobs.stage(resource_meta.job)
        if resource_meta.fails == "get" and stage == "RUNNING":
            fail(resource_meta.how, "get")
        return Resource(phase=TaskExecution.Phase.Value(stage))

    async def delete(self, resource_meta: BrokenMeta, **kwargs: Any) -> None:
        if resource_meta.fails == "delete" and jobs.stage(resource_meta.job) == "RUNNING":
            fail(resource_meta.how, "delete")
        jobs.note(resource_meta.job, "deleted")


class SyncBrokenConnector(SyncConnectorBase):
    """custom: how."""

    name = "Team Sync Broken Connector"

    def __init__(self) -> None:
        super().__init__(task_type_name="team_sync_broken")

    def do(
        self, task_template: TaskTemplate, output_prefix: str, inputs: Optional[LiteralMap] = None, **kwargs: Any
    ) -> Resource:
        fail(task_template.custom["how"], "do")
        return Resource(phase=TaskExecution.FAILED, message="not today")


ConnectorRegistry.register(BrokenConnector())
ConnectorRegistry.register(SyncBrokenConnector())
