"""Which publishers the configuration names. What one of them needs is imported only if it is named."""

from failover_receiver.publishing.publisher import Publisher
from failover_receiver.settings import Settings

# ruff: noqa: PLC0415 - Whoever names no broker need not have its library, nor its memory.


def configured(settings: Settings) -> list[Publisher]:
    """The publishers that are named, each ready to be run.

    Raises:
        ConfigurationError: a file that one needs cannot be used, or its library is not installed.

    """
    publishers: list[Publisher] = []
    if settings.file is not None:
        from failover_receiver.publishing.file import FilePublisher

        publishers.append(FilePublisher(settings.file))
    return publishers
