"""The times by which the receiver is told are those that it counts on."""

from datetime import timedelta

from failover_receiver.state import Policy
from wgfleet.cli.alerting import ALERT_LIFETIME, Alerting
from wgfleet.cli.probing import BLIND_AFTER, SILENT_INTERVALS, Probing

POLICY = Policy(probe_interval=30.0)


def test_the_receiver_counts_on_the_same_times() -> None:
    """
    When it is blind and when it forgets an alert is written once there and once for `wgfleet render`: the same.
    """
    assert timedelta(seconds=POLICY.watchdog_timeout) == BLIND_AFTER
    assert timedelta(seconds=POLICY.alert_lifetime) == ALERT_LIFETIME
    assert timedelta(seconds=POLICY.worker_silence) == SILENT_INTERVALS * Probing().interval


def test_turns_follow_the_rules() -> None:
    """
    Alertmanager's turns are as frequent as the rules' evaluation, unless it is said otherwise.
    """
    fast = Probing(timedelta(milliseconds=200), timedelta(milliseconds=100))

    assert Alerting().group_interval_for(Probing()) == timedelta(seconds=1)
    assert Alerting().group_interval_for(fast) == timedelta(milliseconds=200)
    assert Alerting(group_interval=timedelta(seconds=2)).group_interval_for(Probing()) == timedelta(seconds=2)
