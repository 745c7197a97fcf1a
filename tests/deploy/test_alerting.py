"""The times by which the receiver is told are those that it counts on."""

from datetime import timedelta

from failover_receiver.state import Policy
from wgfleet.cli.alerting import Alerting
from wgfleet.cli.probing import ALERT_LIFETIME, BLIND_AFTER, Probing

POLICY = Policy(probe_interval=30.0)


def test_the_receiver_counts_on_the_same_times() -> None:
    """
    When it is blind and when it forgets an alert is written once there and once for `wgfleet render`: the same.
    """
    assert timedelta(seconds=POLICY.watchdog_timeout) == BLIND_AFTER
    assert timedelta(seconds=POLICY.alert_lifetime) == ALERT_LIFETIME
    for seconds in (1.0, 7.0, 7.5, 30.0):
        policy, probing = (
            Policy(probe_interval=seconds),
            Probing(timedelta(seconds=seconds), timedelta(seconds=0.5)),
        )
        assert timedelta(seconds=policy.worker_silence) == probing.worker_silence


def test_turns_follow_the_rules() -> None:
    """
    Alertmanager's turns are as frequent as the rules' evaluation, unless it is said otherwise.
    """
    fast = Probing(timedelta(milliseconds=200), timedelta(milliseconds=100))

    assert Alerting().group_interval_for(Probing()) == timedelta(seconds=1)
    assert Alerting().group_interval_for(fast) == timedelta(milliseconds=200)
    assert Alerting(group_interval=timedelta(seconds=2)).group_interval_for(Probing()) == timedelta(seconds=2)
