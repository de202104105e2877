"""The pages about the API: how it works, and one chapter of its operations."""

from stories import Story, at

API_STORIES = (
    Story("api start", at("/api/docs")),
    Story("api chapter", at("/api/docs/zones")),
)
