"""Editions that look like real ones: what the golden mails and the browser tests show."""

from dataclasses import replace

from digest.model.articles import Image, Rating
from digest.model.editions import Edition, Story
from digest.settings import NewsletterSettings
from digest.testing.factories import make_edition, make_merged, make_story

ENGLISH = NewsletterSettings(postal_address="1 Example Street\n12345 Example")
ARABIC = NewsletterSettings(name="أسبوع التطبيقات", slug="apps-ar", language="ar")
PICTURE = "https://news.example.com/media/lead.jpg"

# Headline, summary, stars, votes, topic, outlet, words, language
_STORIES = (
    (
        "The notes app that outlived its company is now run by its users",
        "When its makers went bankrupt in March, 4,000 customers bought the source code. Eight "
        "months later it syncs faster, costs less, and publishes its accounts every quarter.",
        (4.63, 1204, "Productivity", "The Long Screen", 1840, "en"),
    ),
    (
        "Ferry Chat’s new backup format, explained by the people who broke the old one",
        "Three cryptographers walk through the design & the two mistakes in the first draft.",
        (4.58, 412, "Privacy", "Cipher & Co.", 2300, "en"),
    ),
    (
        "Offline maps are finally good enough to leave the signal at home",
        "We walked 140 km with five apps and no SIM card. Two of them got us to dinner.",
        (4.41, 268, "Travel", "Weekend Build", 1210, "en"),
    ),
    (
        "A weather app for the colour-blind, made in eleven days by one nurse",
        "It draws rain as texture instead of colour. Its maker gives it away.",
        (4.39, 96, "Accessibility", "Small Software Review", 640, "en"),
    ),
    (
        "Why every calendar gets time zones wrong in the same four ways",
        "A patient tour of the faults, with the one-line tests that would have found them.",
        (4.22, 731, "Craft", "", 1500, "en"),
    ),
    (
        "„Eine Taschenlampe braucht kein Abo“: Wie der Laden seine Regeln ändert",
        "Ab Januar müssen Abos kleiner Apps begründet werden. Die Entwickler sind sich uneins.",
        (4.1, 58, "Stores", "App-Magazin", 300, "de"),
    ),
    (
        "A paint app ships a pressure curve editor, and illustrators cancel their weekend",
        "The update adds curves for each brush, a palm map and a way to share both.",
        (4.06, 143, "Creativity", "Ink <&> Pixel", 420, "en"),
    ),
    (
        "تطبيق جديد يحوّل الملاحظات الصوتية إلى نصوص دون اتصال بالإنترنت",
        "يعمل التطبيق على الهاتف وحده، ويدعم سبع لهجات، ولا يرسل شيئًا إلى الخوادم.",
        (3.98, 77, "Voice", "تقنية اليوم", 520, "ar"),
    ),
    (
        "通勤電車で使える、片手で操作できる読書アプリ五選",
        "縦書き、オフライン、バッテリー。三つの条件で選びました。",
        (3.9, 33, "Reading", "アプリ通信", 900, "ja"),
    ),
    (
        "A tiny habit tracker that refuses to count streaks",
        "It shows a garden instead. Miss a week and nothing dies.",
        (5.0, 3, "Health", "Garden Path", 200, "en"),
    ),
)
_ARABIC_STORIES = (
    ("تطبيق الملاحظات الذي عاش بعد شركته يديره الآن مستخدموه", "اشترى أربعة آلاف عميل الشيفرة."),
    ("خرائط بلا اتصال أصبحت أخيرًا كافية لترك الشبكة في البيت", "مشينا مئة وأربعين كيلومترًا."),
    ("Why every calendar gets time zones wrong in the same four ways", "A patient tour."),
    ("تطبيق طقس لمن لا يميزون الألوان صنعته ممرضة في أحد عشر يومًا", "يرسم المطر نسيجًا لا لونًا."),
    ("صيغة جديدة للنسخ الاحتياطي يشرحها من كسروا القديمة", "ثلاثة خبراء وخطآن في المسودة الأولى."),
    ("A tiny habit tracker that refuses to count streaks", "It shows a garden instead."),
    ("مصباح جيب لا يحتاج إلى اشتراك", "المتجر يغيّر قواعده بدءًا من كانون الثاني."),
    ("خمسة تطبيقات للقراءة بيد واحدة في القطار", "ثلاثة شروط: البطارية والاتصال وحجم الخط."),
    ("A paint app ships a pressure curve editor", "Illustrators cancel their weekend."),
    ("يحوّل الملاحظات الصوتية إلى نصوص دون اتصال بالإنترنت", "يعمل على الهاتف وحده."),
)


def rich_edition(count: int = 10) -> Edition:
    """Return an English edition of up to ten stories in four languages; the last one is new."""
    stories = tuple(_story(number) for number in range(1, count + 1))
    return make_edition(
        count,
        stories=stories,
        subject="The notes app that outlived its company, and nine more",
        preheader="Also: new backups explained, maps without a signal, and rain drawn as texture",
        intro="A week about software that lasts: a notes app saved by the people who use it, "
        "backups you can trust, and a tracker that lets you fail in peace.",
    )


def arabic_edition(count: int = 10) -> Edition:
    """Return an Arabic edition of up to ten stories; every third is English."""
    stories = []
    for number in range(1, count + 1):
        headline, summary = _ARABIC_STORIES[number - 1]
        story = make_story(
            number,
            headline=headline,
            summary=summary,
            language="en" if number % 3 == 0 else "ar",
            outlet="The Long Screen" if number % 3 == 0 else "تقنية اليوم",
            topics=("تطبيقات",),
            words=230 * number,
            rating=Rating(mean=4.8 - number / 10, votes=40 * number, origin="feed"),
            url=f"https://news.example.com/ar/{number}",
        )
        stories.append(story)
    return make_edition(
        count,
        stories=tuple(stories),
        subject="تطبيق الملاحظات الذي عاش بعد شركته",
        preheader="وأيضًا: خرائط بلا اتصال، وأربعة أخطاء في كل تقويم، وما يمكن تعلمه منها",
        intro="أسبوع عن البرامج التي تدوم.",
    )


def combined(edition: Edition) -> Edition:
    """Return the edition with others merged into its first stories, which are updates."""
    others = (
        make_merged(21, outlet="Cipher & Co.", url="https://cipher.example.com/a?b=1&c=2"),
        make_merged(22, outlet="تقنية اليوم", headline="خرائط بلا اتصال", language="ar"),
        make_merged(23, outlet="On paper", url=""),
    )
    lead, second, *rest = edition.stories
    first = [
        replace(lead, also=others, update_of="2026-W46"),
        replace(second, also=(make_merged(24, outlet="Cipher & Co."),), update_of="2026-W47"),
    ]
    return replace(edition, stories=(*first, *rest))


def _story(number: int) -> Story:
    headline, summary, (mean, votes, topic, outlet, words, language) = _STORIES[number - 1]
    image = Image(url=PICTURE, width=1120, height=630, alt="A paper notebook beside a phone")
    return make_story(
        number,
        headline=headline,
        summary=summary,
        rating=Rating(mean=mean, votes=votes, origin="feed"),
        topics=(topic,),
        outlet=outlet,
        words=words,
        language=language,
        image=image if number == 1 else None,
        url=f"https://news.example.com/2026/11/story-{number}?page=1&part=2",
    )
