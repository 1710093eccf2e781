"""`digest tick`: one look at the schedule, for cron."""

import click

from digest.cli.options import Options, common_options


@click.command(name="tick", short_help="Do once what the schedule would do now.")
@click.option("--once", is_flag=True, help="As always: there is no other way.", hidden=True)
@common_options
@click.pass_obj
def command(options: Options, once: bool) -> int:  # for those who write it
    """Do once all that `digest schedule run` would do now, and end.

    For a machine on which cron or a timer looks after what runs. Let it run every few minutes; two
    at once do no harm.
    """
    from digest.app import SCHEDULE
    from digest.cli.sending import interruptible
    from digest.errors import DigestError
    from digest.scheduler import open_schedule

    out = options.output()
    with options.open_app(options.require_project(), is_waiting=True, actor=SCHEDULE) as app:
        schedule = open_schedule(app)
        if reason := schedule.objection():
            raise DigestError(
                f"{reason} The schedule stands still; nothing was done.",
                hint="If all is as it should be: digest schedule accept",
            )
        import threading

        stop = threading.Event()
        with interruptible(stop, out):
            schedule.tick(stop)
            app.events.drain()
        out.document({"done": not stop.is_set()})
    return 130 if stop.is_set() else 0
