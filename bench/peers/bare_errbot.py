"""errbot: from `process_message` to the end of the command, on the same thread, through its access lists."""
# pyright: basic, reportMissingImports=false
# (errbot is not in our environment, and its types are partial.)

from types import SimpleNamespace

from errbot import BotPlugin, botcmd
from errbot.backends.base import Message, Person
from errbot.bootstrap import bot_config_defaults
from errbot.core import ErrBot
from errbot.core_plugins.acls import ACLS

from bench.peers.watch import Watch


class Anna(Person):
    """Who asks."""

    person = nick = fullname = aclattr = email = "anna"
    client = None


class Nowhere(ErrBot):
    """A backend that receives nothing and sends nothing."""

    mode = "nowhere"
    bot_identifier = "bot"

    def _nothing(self, *_: object, **__: object) -> None: ...

    build_identifier = build_reply = change_presence = prefix_groupchat_reply = query_room = rooms = _nothing


def measure(watch: Watch) -> None:
    """Call each command by its name alone. It answers nothing, so that nothing is rendered."""
    config = SimpleNamespace(BOT_ADMINS=("nobody",), BOT_ASYNC=False, BOT_IDENTITY={"username": "bot"})
    bot_config_defaults(config)
    bot = Nowhere(config)
    bot.attach_repo_manager(SimpleNamespace(plugin_dir=""))
    bot.inject_command_filters_from(ACLS(bot, "ACLs"))
    bot.inject_commands_from(_plugin(watch)(bot, "Many"))
    anna = Anna()
    lines = [f"!{name}" for name in watch.names]
    while watch.goes_on():
        for line in lines:
            bot.process_message(Message(line, frm=anna, to=bot.bot_identifier))
    watch.report()


def _plugin(watch: Watch) -> type[BotPlugin]:
    def command(name: str) -> object:
        def run(_self: BotPlugin, _message: Message, _arguments: str) -> None:
            watch.called += 1

        run.__name__ = name
        return botcmd(run)

    return type("Many", (BotPlugin,), {name: command(name) for name in watch.names})


measure(Watch("errbot"))
