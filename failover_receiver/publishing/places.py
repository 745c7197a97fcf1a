"""What `receiver.toml` may say of the places where the peer set is published: a table for each."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Place(BaseModel):
    """A table of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class File(Place):
    """`[file]`."""

    path: Path
    """Where; its folder must be there, and this user's to write in."""
    world_readable: bool = True
    """The document holds no secret; false: for this user alone."""
