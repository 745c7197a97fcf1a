"""Where the peer set goes beside those who ask for it: brokers, webhooks, files, buckets; each optional, each failing alone."""

from failover_receiver.publishing.publisher import Publisher, PublishingError
from failover_receiver.publishing.runner import Publishing

__all__ = ["Publisher", "Publishing", "PublishingError"]
