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
