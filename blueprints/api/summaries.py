"""Small objects that several things embed (2.6)."""

from blueprints.api.kinds import Answer, ObjectId


class PractitionerSummary(Answer):
    """Who leads it."""

    id: ObjectId
    name: str


class RoomSummary(Answer):
    """Where it takes place."""

    id: ObjectId
    name: str
