"""The words of the log-in pages, in English and Italian."""

# ruff: noqa: S106 - the words about passwords are no passwords

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class Words:
    """All words in one language."""

    log_in: str
    email: str
    password: str
    forgot: str
    back: str
    reset_title: str
    reset_text: str
    send_code: str
    have_code: str
    code_title: str
    code_text: str
    """Holds {email}. It is the same for an unknown address, because it must not reveal who is a user."""

    code: str
    new_password: str
    repeat_password: str
    password_rules: str
    save: str
    another_code: str
    first_title: str
    first_text: str
    saved: str
    mail_here: str
    problem_title: str
    start_again: str
    error: str
    """Begins the title of a page with an error, for screen readers."""

    wrong_password: str
    missing: str
    different: str
    weak: str
    wrong_code: str
    expired_code: str
    too_often: str
    bad_link: str
    not_possible: str


ENGLISH = Words(
    log_in="Log in",
    email="E-mail address",
    password="Password",
    forgot="Forgot password?",
    back="Back to the log-in",
    reset_title="Choose a new password",
    reset_text="Enter your e-mail address. We send you a code, with which you choose a new password.",
    send_code="Send the code",
    have_code="I have a code already",
    code_title="Enter the code",
    code_text="If {email} is the address of a user, we have sent a code to it. The code is valid for one hour.",
    code="Code from the e-mail",
    new_password="New password",
    repeat_password="New password again",
    password_rules="At least 12 characters, with an upper-case letter, a lower-case letter and a digit.",
    save="Save the password",
    another_code="Send another code",
    first_title="Choose a password of your own",
    first_text="You have logged in with a temporary password.",
    saved="Your new password is saved. Log in with it.",
    mail_here="On this machine, all mail is here (new tab):",
    problem_title="This log-in cannot go on",
    start_again="Start again",
    error="Error",
    wrong_password="The e-mail address or the password is wrong.",
    missing="Please fill in every field.",
    different="The two passwords are different.",
    weak="This password is too simple.",
    wrong_code="This code is wrong. Check it, or ask for another one.",
    expired_code="This code has expired. Ask for another one.",
    too_often="Too many attempts. Please try again later.",
    bad_link="Its link is not complete, or too much time has passed.",
    not_possible="This is not possible at the moment. Please try again.",
)

ITALIAN = Words(
    log_in="Accedi",
    email="Indirizzo e-mail",
    password="Password",
    forgot="Password dimenticata?",
    back="Torna all'accesso",
    reset_title="Scegliete una nuova password",
    reset_text="Inserite il vostro indirizzo e-mail. Vi inviamo un codice con cui scegliere una nuova password.",
    send_code="Invia il codice",
    have_code="Ho già un codice",
    code_title="Inserite il codice",
    code_text="Se {email} è l'indirizzo di un utente, vi abbiamo inviato un codice. Il codice è valido per un'ora.",
    code="Codice ricevuto per e-mail",
    new_password="Nuova password",
    repeat_password="Ripetete la nuova password",
    password_rules="Almeno 12 caratteri, con una lettera maiuscola, una minuscola e una cifra.",
    save="Salva la password",
    another_code="Invia un altro codice",
    first_title="Scegliete una vostra password",
    first_text="Avete effettuato l'accesso con una password temporanea.",
    saved="La nuova password è salvata. Usatela per accedere.",
    mail_here="Su questo computer, tutta la posta è qui (nuova scheda):",
    problem_title="L'accesso non può continuare",
    start_again="Ricominciate",
    error="Errore",
    wrong_password="L'indirizzo e-mail o la password non sono corretti.",
    missing="Compilate tutti i campi.",
    different="Le due password sono diverse.",
    weak="Questa password è troppo semplice.",
    wrong_code="Il codice non è corretto. Controllatelo o richiedetene un altro.",
    expired_code="Il codice è scaduto. Richiedetene un altro.",
    too_often="Troppi tentativi. Riprovate più tardi.",
    bad_link="Il link non è completo, o è passato troppo tempo.",
    not_possible="Al momento non è possibile. Riprovate.",
)

WORDS = {DEFAULT_LANGUAGE: ENGLISH, "it": ITALIAN}


def language_of(asked: str, accept_language: str) -> str:
    """The language of a page: the one that is asked for, else the browser's, else English.

    `asked` is a language tag such as `it` or `it-IT`, `accept_language` the header (RFC 9110, 12.5.4).
    """
    weighted = []
    for position, each in enumerate(accept_language.split(",")):
        tag, _, weight = each.partition(";")
        name, _, value = weight.strip().partition("=")
        quality = _quality(value) if name == "q" else 1.0
        if quality > 0:
            weighted.append((-quality, position, tag))
    for tag in (asked, *(tag for _, _, tag in sorted(weighted))):
        primary = tag.strip().lower().partition("-")[0]
        if primary in WORDS:
            return primary
    return DEFAULT_LANGUAGE


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
