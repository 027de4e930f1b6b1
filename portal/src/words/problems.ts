/** What the API answers instead of a success, in words: problems by their code, fields by theirs. */

import type { FieldError, Problem, View } from "../api";
import { day, number } from "../format";
import { both } from "../language";

interface Said {
  /** By the code of the problem. One without words of its own is said by its status. */
  codes: Record<string, string>;
  missing: string;
  forbidden: string;
  conflict: string;
  invalid: string;
  busy: string;
  failed: string;
}

const problems = both<Said>({
  en: {
    codes: {
      offline: "There was no answer. Check your connection.",
      "admins-only": "Only an admin of your account can do this.",
      "account-not-found": "There is no such account, or you have no access to it.",
      "stale-version": "Somebody else has changed this meanwhile.",
      "second-factor-missing": "Staff need an authenticator app. Set one up when you log in.",
      "last-admin": "An account needs an admin. Make somebody else an admin first.",
      "already-paid": "This has been paid meanwhile.",
      "slot-taken": "This time has just been taken. Choose another one.",
      "review-open": "A review is booked already.",
      "review-not-yet": "A review can be booked once the average of three closed months fits a lower tier.",
      "no-success-manager": "Your account has no customer success manager yet.",
      "too-many-invitations": "No more invitations can be sent today.",
      "too-many-promotions": "No more admins can be made today.",
      "account-closed": "The account is deactivated. Nothing can be changed but its reactivation.",
      "account-ended": "The account has ended.",
      deactivated: "The account is deactivated.",
      "cancellation-dates-changed": "The dates have changed meanwhile. Read them again before you confirm.",
      "cancellation-charges-changed": "The charges have changed meanwhile. Read them again before you confirm.",
      "reactivation-changed": "The offer has changed meanwhile. Read it again before you confirm.",
      "not-deactivated": "The account is not deactivated.",
      "nothing-sold": "None of your products is sold any more. Ask us for an offer.",
      "no-payment-method": "No payment method is set up. Set one up first.",
      "not-cancelling": "There is no cancellation any more that could be taken back.",
      "appointment-ended": "The announcement has ended meanwhile.",
      "setup-superseded": "Another payment method was saved after this one.",
      "named-in-billing-information": "This person is named in the billing information. Change that first.",
      "refund-under-way": "A refund is under way. Try again later.",
      "no-invoice": "No invoice is to come.",
      "not-electronic": "There is no e-invoice of this document. The PDF is the document.",
      "concurrent-change": "Somebody has changed this at the same moment. Try again.",
      "upstream-failed": "A service that we need does not answer. Nothing is lost; try again in a minute.",
      "answer-lost": "A service that we need has not answered. Look in a minute what came of it.",
      held: "Invoices are held for a check. Nothing needs to be done.",
    },
    missing: "There is nothing here, or you have no access to it.",
    forbidden: "You may not do this.",
    conflict: "This is not possible now.",
    invalid: "Some of it cannot be taken as it is.",
    busy: "Too much is asked at the moment. Try again in a minute.",
    failed: "Something has failed on our side. Nothing is lost; try again.",
  },
  it: {
    codes: {
      offline: "Nessuna risposta. Controllate la connessione.",
      "admins-only": "Solo un amministratore del vostro account può farlo.",
      "account-not-found": "Questo account non esiste, o non vi avete accesso.",
      "stale-version": "Nel frattempo qualcun altro ha modificato questi dati.",
      "second-factor-missing": "Il personale ha bisogno di un'app di autenticazione. Configuratela all'accesso.",
      "last-admin": "Un account ha bisogno di un amministratore. Nominatene prima un altro.",
      "already-paid": "Nel frattempo è stato pagato.",
      "slot-taken": "Questo orario è appena stato preso. Sceglietene un altro.",
      "review-open": "Una revisione è già prenotata.",
      "review-not-yet": "Si può prenotare una revisione quando la media di tre mesi chiusi rientra in una fascia inferiore.",
      "no-success-manager": "Il vostro account non ha ancora un customer success manager.",
      "too-many-invitations": "Per oggi non si possono inviare altri inviti.",
      "too-many-promotions": "Per oggi non si possono nominare altri amministratori.",
      "account-closed": "L'account è disattivato. Si può solo riattivarlo.",
      "account-ended": "L'account è terminato.",
      deactivated: "L'account è disattivato.",
      "cancellation-dates-changed": "Nel frattempo le date sono cambiate. Rileggetele prima di confermare.",
      "cancellation-charges-changed": "Nel frattempo gli addebiti sono cambiati. Rileggeteli prima di confermare.",
      "reactivation-changed": "Nel frattempo l'offerta è cambiata. Rileggetela prima di confermare.",
      "not-deactivated": "L'account non è disattivato.",
      "nothing-sold": "Nessuno dei vostri prodotti è più in vendita. Chiedeteci un'offerta.",
      "no-payment-method": "Nessun metodo di pagamento è impostato. Impostatene prima uno.",
      "not-cancelling": "Non c'è più una cancellazione da annullare.",
      "appointment-ended": "Nel frattempo l'annuncio è terminato.",
      "setup-superseded": "Dopo questo è stato salvato un altro metodo di pagamento.",
      "named-in-billing-information": "Questa persona è indicata nelle informazioni di fatturazione. Modificatele prima.",
      "refund-under-way": "Un rimborso è in corso. Riprovate più tardi.",
      "no-invoice": "Non è prevista nessuna fattura.",
      "not-electronic": "Di questo documento non c'è una fattura elettronica. Vale il PDF.",
      "concurrent-change": "Qualcuno ha modificato questi dati nello stesso momento. Riprovate.",
      "upstream-failed": "Un servizio di cui abbiamo bisogno non risponde. Nulla è perso; riprovate tra un minuto.",
      "answer-lost": "Un servizio di cui abbiamo bisogno non ha risposto. Guardate tra un minuto com'è andata.",
      held: "Le fatture sono sospese per una verifica. Non dovete fare nulla.",
    },
    missing: "Qui non c'è nulla, o non vi avete accesso.",
    forbidden: "Non siete autorizzati a farlo.",
    conflict: "Ora non è possibile.",
    invalid: "Alcuni dati non possono essere accettati così.",
    busy: "Troppe richieste in questo momento. Riprovate tra un minuto.",
    failed: "Qualcosa non ha funzionato da parte nostra. Nulla è perso; riprovate.",
  },
});

/** A problem as a sentence. */
export function said(problem: Problem): string {
  const words = problems();
  const known = words.codes[problem.code];
  if (known) return known;
  if (problem.status === 404) return words.missing;
  if (problem.status === 403) return words.forbidden;
  if (problem.status === 409 || problem.status === 412) return words.conflict;
  if (problem.status === 400 || problem.status === 422) return words.invalid;
  if (problem.status === 429 || problem.status === 503) return words.busy;
  return words.failed;
}

type Limits = Record<string, unknown>;

const fields = both<Record<View<"FieldCode">, (limits: Limits) => string>>({
  en: {
    missing: () => "This is needed.",
    "unknown-field": () => "There is no such field.",
    "wrong-type": () => "This is not of the right kind.",
    malformed: () => "This cannot be read.",
    "too-short": ({ min }) => `At least ${count(min)} characters.`,
    "too-long": ({ max }) => `At most ${count(max)} characters.`,
    "too-few": ({ min }) => `At least ${count(min)}.`,
    "too-many": ({ max }) => `At most ${count(max)}.`,
    "too-small": ({ min, above }) => (min === undefined ? `More than ${count(above)}.` : `At least ${count(min)}.`),
    "too-large": ({ max, below }) => (max === undefined ? `Less than ${count(below)}.` : `At most ${count(max)}.`),
    "too-early": ({ min, above }) => (min === undefined ? `Later than ${when(above)}.` : `Not before ${when(min)}.`),
    "too-late": ({ max, below }) => (max === undefined ? `Earlier than ${when(below)}.` : `Not after ${when(max)}.`),
    "too-many-decimals": ({ decimals }) => `At most ${count(decimals)} decimals.`,
    "not-a-multiple": ({ step }) => `Only multiples of ${count(step)}.`,
    "not-allowed": () => "This is none of the possible values.",
    pattern: () => "This is not written as it must be.",
    "not-a-number": () => "This is no number.",
    "not-a-date": () => "This is no day.",
    "not-a-month": () => "This is no month.",
    "not-a-time": () => "This is no time.",
    "not-a-time-of-day": () => "This is no time of the day.",
    "not-an-email": () => "This is no e-mail address.",
    undeliverable: () => "No mail can be delivered to this address.",
    "not-a-country": () => "This is no country.",
    "not-a-currency": () => "This is no currency.",
    "not-a-time-zone": () => "This is no time zone.",
    "not-a-vat-number": ({ allowed }) => `This is no VAT number of this country.${begins(allowed, "It begins with")}`,
    "not-an-attribute": () => "This is no attribute.",
    "bad-cursor": () => "The list has changed. Begin again.",
    "not-plain-text": () => "There are characters in it that cannot be printed.",
    invisible: () => "Nothing of this can be seen.",
    link: () => "A name must not be a link.",
    "not-ascii": () => "Only letters and digits without accents.",
    duplicate: () => "This is named twice.",
    "not-together": () => "These do not go together.",
    overlapping: () => "These overlap.",
    unknown: () => "There is nothing of this name.",
    conflict: () => "This contradicts what is known.",
    "no-change": () => "This changes nothing.",
    unsupported: () => "This is not possible here.",
    unusable: () => "This cannot be used.",
    deactivated: () => "The account is deactivated.",
    unverified: () => "The address is not verified yet.",
    staff: () => "This address belongs to our staff.",
    invalid: () => "This cannot be taken.",
  },
  it: {
    missing: () => "Questo campo è necessario.",
    "unknown-field": () => "Questo campo non esiste.",
    "wrong-type": () => "Il tipo non è corretto.",
    malformed: () => "Non è leggibile.",
    "too-short": ({ min }) => `Almeno ${count(min)} caratteri.`,
    "too-long": ({ max }) => `Al massimo ${count(max)} caratteri.`,
    "too-few": ({ min }) => `Almeno ${count(min)}.`,
    "too-many": ({ max }) => `Al massimo ${count(max)}.`,
    "too-small": ({ min, above }) => (min === undefined ? `Più di ${count(above)}.` : `Almeno ${count(min)}.`),
    "too-large": ({ max, below }) => (max === undefined ? `Meno di ${count(below)}.` : `Al massimo ${count(max)}.`),
    "too-early": ({ min, above }) => (min === undefined ? `Dopo il ${when(above)}.` : `Non prima del ${when(min)}.`),
    "too-late": ({ max, below }) => (max === undefined ? `Prima del ${when(below)}.` : `Non dopo il ${when(max)}.`),
    "too-many-decimals": ({ decimals }) => `Al massimo ${count(decimals)} decimali.`,
    "not-a-multiple": ({ step }) => `Solo multipli di ${count(step)}.`,
    "not-allowed": () => "Non è uno dei valori possibili.",
    pattern: () => "Non è scritto come deve essere.",
    "not-a-number": () => "Non è un numero.",
    "not-a-date": () => "Non è un giorno.",
    "not-a-month": () => "Non è un mese.",
    "not-a-time": () => "Non è un orario.",
    "not-a-time-of-day": () => "Non è un'ora del giorno.",
    "not-an-email": () => "Non è un indirizzo e-mail.",
    undeliverable: () => "A questo indirizzo non si può recapitare posta.",
    "not-a-country": () => "Non è un paese.",
    "not-a-currency": () => "Non è una valuta.",
    "not-a-time-zone": () => "Non è un fuso orario.",
    "not-a-vat-number": ({ allowed }) => `Non è una partita IVA di questo paese.${begins(allowed, "Inizia con")}`,
    "not-an-attribute": () => "Non è un attributo.",
    "bad-cursor": () => "L'elenco è cambiato. Ricominciate.",
    "not-plain-text": () => "Contiene caratteri che non si possono stampare.",
    invisible: () => "Non si vede nulla di questo testo.",
    link: () => "Un nome non può essere un link.",
    "not-ascii": () => "Solo lettere e cifre senza accenti.",
    duplicate: () => "È indicato due volte.",
    "not-together": () => "Non vanno insieme.",
    overlapping: () => "Si sovrappongono.",
    unknown: () => "Nulla ha questo nome.",
    conflict: () => "Contraddice ciò che è noto.",
    "no-change": () => "Non cambia nulla.",
    unsupported: () => "Qui non è possibile.",
    unusable: () => "Non può essere usato.",
    deactivated: () => "L'account è disattivato.",
    unverified: () => "L'indirizzo non è ancora verificato.",
    staff: () => "Questo indirizzo appartiene al nostro personale.",
    invalid: () => "Non può essere accettato.",
  },
});

/** What is wrong with a field, as a sentence. */
export function fieldSaid(error: FieldError): string {
  const words = fields();
  return (words[error.code] ?? words.invalid)(error.limits ?? {});
}

function count(value: unknown): string {
  return typeof value === "number" ? number(value) : String(value);
}

function when(value: unknown): string {
  const text = String(value);
  return /^\d{4}-\d\d-\d\d$/.test(text) ? day(text) : text;
}

function begins(allowed: unknown, words: string): string {
  return Array.isArray(allowed) && allowed.length ? ` ${words} ${allowed.join(", ")}.` : "";
}
