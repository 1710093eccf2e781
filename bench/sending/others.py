"""What others do for the same mail and readers: `python -m bench.sending.others WAY HOST READERS`.

Each mails the same thousand over and over, from memory, and keeps no record of anything.
"""

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence

from bench.sending.figures import measured
from bench.sending.scene import PER_REQUEST, mail_parts, people
from digest.model.deliveries import Addressee, Handover, Mail
from digest.testing.factories import make_mail
from digest.transports.sendgrid_body import Bodies
from digest.transports.sendgrid_connections import Connections, Limits

Reader = tuple[int, str, str]
Send = Callable[[Sequence[Reader]], None]

URL = "https://news.example.com/u/"
SENDER, SUBJECT = "news@example.com", "Headline number 1, and two more"
TOKEN = "t" * 36


def main() -> None:
    """Send to so many readers, in requests of the way's size."""
    way, host, readers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    size = 1 if way == "single" else PER_REQUEST
    everyone = list(people(PER_REQUEST))
    send = WAYS[way](host)
    with measured(readers):
        for start in range(0, readers, size):
            place = start % PER_REQUEST
            send(everyone[place : place + size])


def floor(host: str) -> Send:
    """Bodies that are made before: what the connection alone costs."""
    body = Bodies().body(_handover(_mail(), list(people(PER_REQUEST))))
    return _poster(host, lambda _readers: body)


def single(host: str) -> Send:
    """A request a reader, made and posted as digest does it."""
    bodies, mail = Bodies(), _mail()
    return _poster(host, lambda readers: bodies.body(_handover(mail, readers)))


def helpers(host: str) -> Send:
    """The objects and the client of the provider's own package."""
    from sendgrid import SendGridAPIClient
    from sendgrid.helpers import mail as made

    client = SendGridAPIClient("SG.none", host)
    html, text = mail_parts()

    def send(readers: Sequence[Reader]) -> None:
        mail = made.Mail(made.Email(SENDER), subject=SUBJECT)
        mail.add_content(made.Content("text/plain", text))
        mail.add_content(made.Content("text/html", html))
        for number, address, name in readers:
            person = made.Personalization()
            person.add_to(made.Email(address, name))
            person.add_substitution(made.Substitution(":a:", address))
            person.add_substitution(made.Substitution(":t:", TOKEN))
            person.add_header(made.Header("List-Unsubscribe", f"<{URL}{TOKEN}>"))
            person.add_custom_arg(made.CustomArg("rid", str(number)))
            mail.add_personalization(person)
        assert client.send(mail).status_code == 202

    return send


def anymail(host: str) -> Send:
    """Django's mails through django-anymail."""
    import django
    from django.conf import settings
    from django.core.mail import get_connection

    settings.configure(
        EMAIL_BACKEND="anymail.backends.sendgrid.EmailBackend",
        ANYMAIL={
            "SENDGRID_API_KEY": "SG.none",
            "SENDGRID_API_URL": f"{host}/v3/",
            "SENDGRID_MERGE_FIELD_FORMAT": ":{}:",
        },
    )
    django.setup()
    from anymail.message import AnymailMessage

    warnings.simplefilter("ignore")
    connection = get_connection()
    connection.open()  # one session for all requests
    html, text = mail_parts()

    def send(readers: Sequence[Reader]) -> None:
        mail = AnymailMessage(SUBJECT, text, SENDER, connection=connection)
        mail.attach_alternative(html, "text/html")
        mail.to = [f"{name} <{address}>" for _, address, name in readers]
        mail.merge_data = {address: {"a": address, "t": TOKEN} for _, address, _ in readers}
        mail.merge_metadata = {address: {"rid": str(number)} for number, address, _ in readers}
        mail.merge_headers = {
            address: {"List-Unsubscribe": f"<{URL}{TOKEN}>"} for _, address, _ in readers
        }
        assert mail.send() == 1

    return send


def _handover(mail: Mail, readers: Sequence[Reader]) -> Handover:
    return Handover(
        mail=mail,
        batch=1,
        attempt=1,
        readers=[Addressee(number, address, name, TOKEN) for number, address, name in readers],
    )


def _mail() -> Mail:
    html, text = mail_parts()
    return make_mail(html=html, text=text)


def _poster(host: str, body: Callable[[Sequence[Reader]], bytes]) -> Send:
    connections = Connections(host, tls=None, limits=Limits())
    headers = {"Authorization": "Bearer SG.none", "Content-Type": "application/json"}

    def send(readers: Sequence[Reader]) -> None:
        answer = connections.ask("POST", "/v3/mail/send", headers, body(readers))
        assert answer.status == 202

    return send


WAYS: Mapping[str, Callable[[str], Send]] = {
    "anymail": anymail,
    "floor": floor,
    "helpers": helpers,
    "single": single,
}

if __name__ == "__main__":
    main()
