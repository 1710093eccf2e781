"""`digest tick`: one look at the schedule, for cron."""

from contextlib import ExitStack

import click

from digest.cli.options import Options, common_options

INTERRUPTED = 130


@click.command(name="tick", short_help="Do once what the schedule would do now.")
@click.option("--once", is_flag=True, help="As always: there is no other way.", hidden=True)
@common_options
@click.pass_obj
def command(options: Options, once: bool) -> int:  # for those who write it
    """Do once all that `digest schedule run` would do now, send letters that wait, and end.

    For a machine on which cron or a timer looks after what runs. Let it run every few minutes; two
    at once do no harm.
    """
    import threading

    from digest.app import SCHEDULE
    from digest.cli.newsletters import open_newsletters, require_real_time
    from digest.cli.sending import interruptible
    from digest.errors import DigestError
    from digest.scheduler import open_schedule

    out, stop = options.output(), threading.Event()
    with ExitStack() as stack, interruptible(stop, out):
        apps = open_newsletters(options, stack, is_waiting=True)
        reasons = []
        for app in apps:
            require_real_time(options, app)
            schedule = open_schedule(app.acting_as(SCHEDULE))
            if reason := schedule.objection():
                reasons.append(reason)
                schedule.tell(stop)
            else:
                schedule.tick(stop)
        if reasons:
            raise DigestError(
                f"{reasons[0]} The schedule stands still; nothing was done.",
                hint="If all is as it should be: digest schedule accept",
            )
        apps[0].events.drain()
        out.document({"done": not stop.is_set()})
    return INTERRUPTED if stop.is_set() else 0
