"""An MQTT broker on the receiver's host, as an operator sets one up: mosquitto, over TLS."""

from pathlib import Path

from tests.lab.authority import Authority
from tests.lab.host import Host
from tests.lab.monitoring import START_SECONDS
from tests.lab.programs import library_path, program

PORT = 8883
CONFIGURATION = """\
listener {port} {address}
cafile {authority}
certfile {certificate}
keyfile {key}
allow_anonymous true
persistence false
user root
"""


class Broker:
    """Runs from when it is made until the lab ends; `process` can be killed and started again."""

    def __init__(self, host: Host, directory: Path) -> None:
        """Write its files into a folder that is to be made, and start it."""
        authority = Authority(directory)
        certificate, key = authority.sign("broker", host.address)
        file = directory / "mosquitto.conf"
        file.write_text(
            CONFIGURATION.format(
                port=PORT,
                address=host.address,
                authority=authority.certificate_file,
                certificate=certificate,
                key=key,
            )
        )
        self.settings: dict[str, object] = {
            "mqtt.url": f"mqtts://{host.address}:{PORT}",
            "mqtt.ca_file": str(authority.certificate_file),
        }
        """What both the receiver and clients say of it."""
        self.process = host.spawn(
            "mosquitto",
            [program("mosquitto"), "-c", file],
            ready=lambda: host.listens(PORT),
            timeout=START_SECONDS,
            environment={"LD_LIBRARY_PATH": library_path()},
        )
