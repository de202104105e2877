"""A small cache of answers that stay true: keyed by revision, good until a known moment."""

import datetime as dt
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class TruthCache(Generic[Answer]):
    """Keeps the `size` last used answers; an answer past its moment is never given."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._answers: OrderedDict[Hashable, tuple[Answer, dt.datetime | None]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, now: dt.datetime) -> Answer | None:
        """The answer under `key` if it is still true at `now`."""
        with self._lock:
            kept = self._answers.get(key)
            if kept is None:
                return None
            answer, until = kept
            if until is not None and now >= until:
                del self._answers[key]
                return None
            self._answers.move_to_end(key)
            return answer

    def put(self, key: Hashable, answer: Answer, until: dt.datetime | None) -> None:
        """Keep `answer` until that moment; None means until its key changes."""
        with self._lock:
            self._answers[key] = (answer, until)
            self._answers.move_to_end(key)
            while len(self._answers) > self._size:
                self._answers.popitem(last=False)

    def remember(
        self, key: Hashable, now: dt.datetime, make: Callable[[], tuple[Answer, dt.datetime | None]]
    ) -> Answer:
        """The kept answer, or the one that `make` gives together with its moment."""
        answer = self.get(key, now)
        if answer is None:
            answer, until = make()
            self.put(key, answer, until)
        return answer
