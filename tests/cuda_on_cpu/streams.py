"""Streams and events that run as late, and in as unkind an order, as they may."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Literal

__all__ = ["Event", "Operation", "Order", "Queues", "Stream"]

Order = Literal["needed", "others", "random"]


class Operation:
    """Something to do, once everything it comes after is done."""

    def __init__(self, work: Callable[[], object] | None, after: list[Operation], device: int) -> None:
        self.work = work
        self.done = False
        self.after = [operation for operation in after if not operation.done]
        self.device = device

    def ready(self) -> bool:
        """Whether it may run now."""
        self.after = [operation for operation in self.after if not operation.done]
        return not self.after


class Stream:
    """``cupy.cuda.Stream``."""

    queues: Queues  # of the class made for each set of queues
    null: Stream

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        self.device_id = self.queues.current_device
        self.non_blocking = non_blocking
        self.tail: Operation | None = None
        self.ptr = 0 if null else self.queues.register(self)

    def __enter__(self) -> Stream:
        self.queues.stream_stack.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.queues.stream_stack.pop()

    def use(self) -> Stream:
        """Make it the current stream."""
        self.queues.stream_stack[-1:] = [self]
        return self

    @property
    def done(self) -> bool:
        """Whether nothing is left to do; asking lets some of it happen."""
        return self.queues.poll(self.queues.meant(self).tail)

    def record(self, event: Event | None = None) -> Event:
        """Mark this point of the stream with an event."""
        marked = self.queues.event_type() if event is None else event
        marked.operation = self.queues.enqueue(None, self)
        return marked

    def wait_event(self, event: Event) -> None:
        """What is asked of it from now on comes after the event, as it was last recorded."""
        if event.operation is not None:
            self.queues.enqueue(None, self, event.operation)

    def synchronize(self) -> None:
        """Wait for everything asked of it so far."""
        self.queues.run(self.queues.meant(self).tail)


class Event:
    """``cupy.cuda.Event``."""

    queues: Queues  # of the class made for each set of queues

    def __init__(self, *, disable_timing: bool = False) -> None:
        self.disable_timing = disable_timing
        self.operation: Operation | None = None

    def record(self, stream: Stream | None = None) -> None:
        """Mark this point of a stream; None: of the current one."""
        (self.queues.current_stream() if stream is None else stream).record(self)

    def synchronize(self) -> None:
        """Wait for it."""
        self.queues.run(self.operation)

    @property
    def done(self) -> bool:
        """Whether it has come; asking lets some of what is to do happen."""
        return self.queues.poll(self.operation)


class Queues:
    """All streams of all devices, and what is still to do."""

    def __init__(self, devices: int, order: Order, seed: int) -> None:
        self.order = order
        self.chance = random.Random(seed)
        self.lock = threading.RLock()
        self.pending: list[Operation] = []
        self.streams: dict[int, Stream] = {}
        self.local = threading.local()
        self.event_type: type[Event] = type("Event", (Event,), {"queues": self})
        self.stream_type: type[Stream] = type("Stream", (Stream,), {"queues": self})
        self.nulls = [self.stream_type(null=True) for _ in range(devices)]
        for device, null in enumerate(self.nulls):
            null.device_id = device
        self.stream_type.null = self.nulls[0]

    @property
    def device_stack(self) -> list[int]:
        """This thread's devices; the last is the current one."""
        if not hasattr(self.local, "devices"):
            self.local.devices = [0]
        devices: list[int] = self.local.devices
        return devices

    @property
    def stream_stack(self) -> list[Stream]:
        """This thread's streams of the current device; the last is the current one, none means the null stream."""
        if not hasattr(self.local, "streams"):
            self.local.streams = {}
        streams: list[Stream] = self.local.streams.setdefault(self.current_device, [])
        return streams

    @property
    def current_device(self) -> int:
        """This thread's."""
        return self.device_stack[-1]

    def null(self, device: int) -> Stream:
        """A device's null stream."""
        return self.nulls[device]

    def current_stream(self) -> Stream:
        """This thread's, of the current device."""
        stack = self.stream_stack
        return stack[-1] if stack else self.null(self.current_device)

    def meant(self, stream: Stream | None) -> Stream:
        """None is the current stream; the null stream is that of the current device."""
        if stream is None:
            return self.current_stream()
        return self.null(self.current_device) if stream.ptr == 0 else stream

    def register(self, stream: Stream) -> int:
        """A handle for a new stream."""
        handle = 0x1000 + 64 * len(self.streams)
        self.streams[handle] = stream
        return handle

    def by_ptr(self, ptr: int) -> Stream:
        """The stream of a handle."""
        return self.streams[ptr] if ptr else self.null(self.current_device)

    def enqueue(
        self, work: Callable[[], object] | None, stream: Stream | None = None, also_after: Operation | None = None
    ) -> Operation:
        """Ask something of a stream; None: of the current one."""
        stream = self.meant(stream)
        with self.lock:
            after = [operation for operation in (stream.tail, also_after) if operation is not None]
            null = self.null(stream.device_id)
            if stream is null:  # it comes after all that blocking streams were asked before, and they after it
                others = [other for other in self.streams.values() if other.device_id == stream.device_id]
                after += [other.tail for other in others if other.tail is not None and not other.non_blocking]
            elif not stream.non_blocking and null.tail is not None:
                after.append(null.tail)
            stream.tail = Operation(work, after, stream.device_id)
            self.pending.append(stream.tail)
            return stream.tail

    def run(self, wanted: Operation | None) -> None:
        """Run what an operation needs, and of the others as the order says."""
        if wanted is not None:
            self._run([wanted])

    def run_device(self, device: int) -> None:
        """Run everything asked of a device."""
        self._run([operation for operation in self.pending if operation.device == device])

    def poll(self, wanted: Operation | None) -> bool:
        """Run one operation that may run, any; whether the wanted one is done."""
        with self.lock:
            ready = [operation for operation in self.pending if operation.ready()]
            if wanted is not None and not wanted.done:
                self._execute(self.chance.choice(ready))
            return wanted is None or wanted.done

    def _run(self, wanted: list[Operation]) -> None:
        with self.lock:
            needed = _with_all_before(wanted)
            orders: tuple[Order, ...] = ("needed", "others", "random")
            order = self.chance.choice(orders) if self.order == "random" else self.order
            while not all(operation.done for operation in wanted):
                ready = [operation for operation in self.pending if operation.ready()]
                required = [operation for operation in ready if id(operation) in needed]
                optional = [operation for operation in ready if id(operation) not in needed]
                choices = {"needed": required, "others": optional or required, "random": ready}[order]
                self._execute(self.chance.choice(choices))

    def _execute(self, operation: Operation) -> None:
        operation.done = True  # also if it fails: nobody runs it again
        self.pending.remove(operation)
        if operation.work is not None:
            work, operation.work = operation.work, None
            work()


def _with_all_before(wanted: list[Operation]) -> set[int]:
    found: set[int] = set()
    to_visit = [operation for operation in wanted if not operation.done]
    while to_visit:
        operation = to_visit.pop()
        if id(operation) not in found:
            found.add(id(operation))
            to_visit += [before for before in operation.after if not before.done]
    return found
