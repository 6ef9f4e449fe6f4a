"""Text on MQTT topics as its entry point offers it. `[mqtt]` is the core's own section; both use one broker."""

from bot.bridge import Bridge, Office, Plugin
from bot.settings.sections import MqttSettings
from bridges.mqtt.topics import mistake_in


def _opened(settings: MqttSettings, office: Office) -> Bridge:
    from bridges.mqtt.bridge import MqttBridge  # noqa: PLC0415 - who only reads the configuration needs no connection

    return MqttBridge(settings, office)


plugin = Plugin(settings=MqttSettings, open=_opened, place_mistake=mistake_in, post_mistake=mistake_in)

__all__ = ["plugin"]
