"""The venue's own levers: sessions cancelled and changed, the outbox, who is told what."""

from blueprints.house import notices, outbox, sessions
from blueprints.house.area import bp

__all__ = ["bp", "notices", "outbox", "sessions"]
