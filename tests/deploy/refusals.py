"""The longer texts with which times are refused."""


def timeout_refusal(timeout: str, *, longest: str, interval: str) -> str:
    return (
        f"timeout is {timeout}, expected 1ms to {longest}: a probe must end before the next begins, {interval} later, "
        "and blackbox keeps 50ms for its answer"
    )


def threshold_refusal(threshold: int) -> str:
    return (
        f"threshold is {threshold}, expected 2 to 5: one lost packet is no dead worker, and after 6 intervals without "
        "a verdict the receiver is blind for the worker"
    )


def window_refusal(window: str, *, shortest: str, longest: str) -> str:
    return (
        f"window is {window}, expected {shortest} to {longest}: 3 x interval + timeout + 10ms, because a failed probe is "
        "stored only when it has timed out; and no further probe may fit in"
    )


def resend_refusal(delay: str) -> str:
    return (
        f"resend_delay is {delay}, expected 1s to 5s: an alert outlives a dead Prometheus by four of them, and the "
        "receiver must be blind 20s after the last Watchdog; below it one late evaluation would resolve what still holds"
    )


def group_interval_refusal(turn: str, *, interval: str) -> str:
    return (
        f"group_interval is {turn}, expected 100ms to {interval}, the interval: a worker that fails again shortly after "
        "it was up waits for Alertmanager's next turn"
    )


def repeat_refusal(repeat: str) -> str:
    return (
        f"repeat_interval is {repeat}, expected 100ms to 30s: one lost message must be made good before the receiver "
        "forgets the alert"
    )


def missing_half(given: str, value: str, missing: str) -> str:
    return f"{given} is {value!r} and {missing} is not given, expected both or neither"
