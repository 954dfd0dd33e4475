"""A caller as FlytePropeller is one, but for its pace: it asks for every task every second until the task has ended."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import grpc
from flyteidl.admin import agent_pb2
from flyteidl.core import tasks_pb2
from flyteidl.core.execution_pb2 import TaskExecution
from flyteidl.service import agent_pb2_grpc

from build import header, inputs

DEADLINE = 10.0
"""Propeller's own, of every call."""

Phase = TaskExecution.Phase

TERMINAL = {TaskExecution.SUCCEEDED, TaskExecution.FAILED, TaskExecution.ABORTED, TaskExecution.RETRYABLE_FAILED}


@dataclass
class Task:
    """What propeller keeps of a task, and what it has seen."""

    handle: bytes
    category: str
    phase: int = TaskExecution.UNDEFINED


@dataclass
class Propeller:
    """The calls, and what went wrong with them."""

    port: int
    tasks: list[Task] = field(default_factory=list)
    gets: int = 0
    failed_gets: list[str] = field(default_factory=list)
    failed_creates: list[str] = field(default_factory=list)
    lists: int = 0
    failed_lists: list[str] = field(default_factory=list)
    slowest_get: float = 0.0
    slowest_create: float = 0.0
    messages: Counter[str] = field(default_factory=Counter)

    async def __aenter__(self) -> Propeller:
        self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    def connect(self) -> None:
        """A connection that waits no longer than needed before it tries again."""
        options = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)]
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.port}", options=options)
        self._stub = agent_pb2_grpc.AsyncAgentServiceStub(self._channel)

    async def create(self, request: agent_pb2.CreateTaskRequest) -> bool:
        """Send a Create once; its task is asked about from then on."""
        begun = time.monotonic()
        try:
            reply = await self._stub.CreateTask(request, timeout=DEADLINE)
        except grpc.RpcError as error:
            self.failed_creates.append(said(error))
            return False
        self.slowest_create = max(self.slowest_create, time.monotonic() - begun)
        self.tasks.append(Task(reply.resource_meta, request.template.type))
        return True

    async def create_all(self, requests: list[agent_pb2.CreateTaskRequest], at_once: int = 50) -> None:
        for begin in range(0, len(requests), at_once):
            await asyncio.gather(*(self.create(request) for request in requests[begin : begin + at_once]))

    async def get(self, task: Task) -> None:
        request = agent_pb2.GetTaskRequest(resource_meta=task.handle)
        request.task_category.name = task.category
        begun = time.monotonic()
        try:
            resource = (await self._stub.GetTask(request, timeout=DEADLINE)).resource
        except grpc.RpcError as error:
            self.failed_gets.append(said(error))
            return
        self.gets += 1
        self.slowest_get = max(self.slowest_get, time.monotonic() - begun)
        task.phase = resource.phase
        if resource.message and task.category == "sensor":  # these have no message of their own
            self.messages[resource.message[:200]] += 1

    async def list(self) -> None:
        """On a connection of its own, as propeller does it; a task type that is not listed is forgotten."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            try:
                request = agent_pb2.ListAgentsRequest()
                reply = await agent_pb2_grpc.AgentMetadataServiceStub(channel).ListAgents(request, timeout=DEADLINE)
            except grpc.RpcError as error:
                self.failed_lists.append(said(error))
                return
        listed = {category.name for agent in reply.agents for category in agent.supported_task_categories}
        self.lists += 1
        if missing := {task.category for task in self.tasks} - listed:
            self.failed_lists.append(f"{missing} not listed")

    async def execute(self, template: tasks_pb2.TaskTemplate) -> None:
        """A task in one call."""
        stub = agent_pb2_grpc.SyncAgentServiceStub(self._channel)
        begun = time.monotonic()
        try:
            replies = [reply async for reply in stub.ExecuteTaskSync(iter([header(template), inputs()]), timeout=DEADLINE)]
        except grpc.RpcError as error:
            self.failed_creates.append(said(error))
            return
        self.slowest_create = max(self.slowest_create, time.monotonic() - begun)
        if [reply.header.resource.phase for reply in replies] != [TaskExecution.SUCCEEDED]:
            self.failed_creates.append(f"{replies}")

    async def round(self) -> None:
        """List the agents, and ask for every task that has not ended, once, over most of a second."""
        listed = asyncio.create_task(self.list())
        waiting = [task for task in self.tasks if task.phase not in TERMINAL]
        slices = 10
        for begin in range(slices):
            pause = asyncio.create_task(asyncio.sleep(1 / slices))
            await asyncio.gather(*(self.get(task) for task in waiting[begin::slices]))
            await pause
        await listed

    async def rounds(self, count: int) -> None:
        for _ in range(count):
            await self.round()

    async def until(self, phase: int, limit: float) -> bool:
        """Ask until all tasks are in this phase, or ended in another."""
        end = time.monotonic() + limit
        while True:
            await self.round()
            if all(task.phase == phase for task in self.tasks):
                return True
            if time.monotonic() > end:
                return False

    def phases(self) -> dict[str, int]:
        return dict(Counter(Phase.Name(task.phase) for task in self.tasks))


def said(error: grpc.RpcError) -> str:
    return f"{error.code().name}: {(error.details() or '')[:120]}"
