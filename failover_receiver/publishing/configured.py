"""Which publishers the configuration names. What one of them needs is imported only if it is named."""

# ruff: noqa: PLC0415 - Whoever names no broker need not have its library, nor its memory.
from collections import Counter
from collections.abc import Iterator

from failover_receiver.publishing.publisher import Publisher
from failover_receiver.settings import ConfigurationError, Settings


def configured(settings: Settings) -> list[Publisher]:
    """The publishers that are named, each ready to be run; for a running event loop.

    Raises:
        ConfigurationError: a file that one needs cannot be used, its library is not installed, or two have one name.

    """
    try:
        publishers = list(_named(settings))
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"the package {missing.name} is not installed here, and one that is published to needs it: "
            "`pip install --require-hashes -r requirements/receiver.txt`"
        ) from None
    name, times = Counter(one.name for one in publishers).most_common(1)[0] if publishers else ("", 1)
    if times > 1:
        kind, _, own = name.partition(":")
        raise ConfigurationError(f"{kind}s: two are named {own!r}: choose another name for one")
    return publishers


def _named(settings: Settings) -> Iterator[Publisher]:
    if settings.mqtt is not None:
        from failover_receiver.publishing.mqtt import MqttPublisher

        yield MqttPublisher(settings.mqtt, settings.fleet)
    if settings.webhooks:
        from failover_receiver.publishing.webhook import WebhookPublisher

        yield from map(WebhookPublisher, settings.webhooks)
    if settings.file is not None:
        from failover_receiver.publishing.file import FilePublisher

        yield FilePublisher(settings.file)
    if settings.uploads:
        from failover_receiver.publishing.upload import UploadPublisher

        yield from map(UploadPublisher, settings.uploads)
    if settings.dns is not None:
        from failover_receiver.publishing.dns.publisher import DnsPublisher

        yield DnsPublisher(settings.dns)
