"""Setting up a venue: its settings, zone, rooms, team, categories, and further venues."""

from blueprints.setup import categories, rooms, settings, team, time_off, venues, zone, zones
from blueprints.setup.area import bp

__all__ = ["bp", "categories", "rooms", "settings", "team", "time_off", "venues", "zone", "zones"]
