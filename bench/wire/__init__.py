"""Commands over MQTT: the bot beside a bare client, with the same broker and the same components."""
