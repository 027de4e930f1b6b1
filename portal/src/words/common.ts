/** Words that several screens use: the menu, statuses, what any request may be answered with. */

import type { View } from "../api";
import { both, type Language } from "../language";
import type { Screen } from "../route";

export const common = both({
  en: {
    loading: "Loading…",
    again: "Try again",
    edit: "Edit",
    save: "Save",
    saving: "Saving…",
    saved: "Saved.",
    takenUp: "What you typed is still here, and not saved yet.",
    cancel: "Do not change",
    close: "Close",
    back: "Back",
    more: "Show more",
    none: "None",
    yes: "Yes",
    no: "No",
    optional: "optional",
    request: "Request",
    skip: "Skip to the content",
    account: "Management account",
    chooseAccount: "Choose a management account",
    noAccount: "You have no access to an account yet. Ask an admin of your company to invite you.",
    search: "Search",
    searchFor: "Search for a screen",
    nothingFound: "No screen has this name.",
    menu: "Menu",
    language: "Language",
    logOut: "Log out",
    staffView: "You see this as the customer does, and change nothing.",
    admins: "Only an admin can change this. Your admins:",
    askAdmin: "Ask an admin of your company",
    unknownScreen: "There is no such screen.",
    yourAccounts: "Your accounts",
    notLoaded: "This part of the page could not be loaded. Check your connection, then load the page again.",
    of: (part: string, whole: string) => `${part} of ${whole}`,
    roles: { admin: "Admin", member: "Member", staff: "Staff" },
  },
  it: {
    loading: "Caricamento…",
    again: "Riprova",
    edit: "Modifica",
    save: "Salva",
    saving: "Salvataggio…",
    saved: "Salvato.",
    takenUp: "Quanto avete scritto è ancora qui, e non è ancora salvato.",
    cancel: "Non modificare",
    close: "Chiudi",
    back: "Indietro",
    more: "Mostra altro",
    none: "Nessuno",
    yes: "Sì",
    no: "No",
    optional: "facoltativo",
    request: "Richiesta",
    skip: "Vai al contenuto",
    account: "Account di gestione",
    chooseAccount: "Scegliete un account di gestione",
    noAccount: "Non avete ancora accesso a un account. Chiedete un invito a un amministratore della vostra società.",
    search: "Cerca",
    searchFor: "Cerca una pagina",
    nothingFound: "Nessuna pagina ha questo nome.",
    menu: "Menu",
    language: "Lingua",
    logOut: "Esci",
    staffView: "Vedete questa pagina come il cliente, senza modificare nulla.",
    admins: "Solo un amministratore può modificare questi dati. I vostri amministratori:",
    askAdmin: "Chiedete a un amministratore della vostra società",
    unknownScreen: "Questa pagina non esiste.",
    yourAccounts: "I vostri account",
    notLoaded: "Questa parte della pagina non è stata caricata. Controllate la connessione e ricaricate la pagina.",
    of: (part: string, whole: string) => `${part} di ${whole}`,
    roles: { admin: "Amministratore", member: "Membro", staff: "Personale" },
  },
});

interface Named {
  title: string;
  /** Other words by which people search for the screen. */
  words: string;
}

const NAMES: Record<Language, Record<Screen, Named>> = {
  en: {
    overview: { title: "Overview", words: "home start" },
    billing: { title: "Billing", words: "current subscription information price discount card bank iban sepa payment details method company address vat contact invoice" },
    invoices: { title: "Invoices", words: "download pdf e-invoice xml csv archive zip credit note receipt past due" },
    usage: { title: "Usage", words: "dashboard volume month average forecast chart" },
    reduction: { title: "Use less", words: "reduce content save advice" },
    decisions: { title: "Tier decisions", words: "autoscaling scale peak black friday" },
    reviews: { title: "Reviews", words: "customer success manager appointment lower tier call" },
    users: { title: "Users", words: "people invite admin member role access" },
    cancellation: { title: "Cancellation", words: "how do i cancel my account end terminate close delete" },
    reactivation: { title: "Reactivation", words: "come back restore" },
    export: { title: "Export", words: "data download archive zip" },
    log: { title: "Log", words: "events audit history changes" },
  },
  it: {
    overview: { title: "Panoramica", words: "inizio home" },
    billing: { title: "Fatturazione", words: "abbonamento corrente informazioni di fatturazione prezzo sconto carta banca conto iban sepa dettagli di pagamento metodo società indirizzo iva contatto fatture fattura dati" },
    invoices: { title: "Fatture", words: "fattura elettronica scaricare pdf xml csv archivio zip nota di credito ricevuta scaduta" },
    usage: { title: "Utilizzo", words: "dashboard volume mese media previsione grafico" },
    reduction: { title: "Ridurre l'utilizzo", words: "contenuti risparmiare consigli" },
    decisions: { title: "Decisioni sulle fasce", words: "scalabilità automatica livello picco black friday" },
    reviews: { title: "Revisioni", words: "customer success manager appuntamento fascia inferiore" },
    users: { title: "Utenti", words: "persone invitare amministratore membro ruolo accesso" },
    cancellation: { title: "Cancellazione", words: "come faccio a cancellare il mio account disdetta recesso chiudere eliminare" },
    reactivation: { title: "Riattivazione", words: "tornare ripristinare" },
    export: { title: "Esportazione", words: "dati scaricare archivio zip" },
    log: { title: "Registro", words: "eventi storico modifiche" },
  },
};

/** The screens as the menu names them. */
export const screens = both(NAMES);

/** The titles of a screen, in every language. */
export function titlesOf(screen: Screen): string[] {
  return Object.values(NAMES).map((names) => names[screen].title);
}

/** All names of a screen, in every language. */
export function screensIn(screen: Screen): string[] {
  return Object.values(NAMES).flatMap((names) => [names[screen].title, names[screen].words]);
}

/** The parts of billing that are edited, each at an address of its own. */
export type Section = "company" | "billing" | "contact" | "payment";

export const sections = both<Record<Section, string>>({
  en: { company: "Company", billing: "Billing", contact: "Contact", payment: "Payment method" },
  it: { company: "Società", billing: "Fatturazione", contact: "Contatto", payment: "Metodo di pagamento" },
});

export const statuses = both<Record<View<"InvoiceStatus">, string>>({
  en: {
    open: "Open",
    in_transit: "In transit",
    paid: "Paid",
    past_due: "Past due",
    void: "Void",
    uncollectible: "Uncollectible",
  },
  it: {
    open: "Aperta",
    in_transit: "In corso",
    paid: "Pagata",
    past_due: "Scaduta",
    void: "Annullata",
    uncollectible: "Inesigibile",
  },
});

export const accountStatuses = both<Record<View<"Status">, string>>({
  en: { active: "Active", cancelling: "Cancelled, still active", deactivated: "Deactivated" },
  it: { active: "Attivo", cancelling: "Cancellato, ancora attivo", deactivated: "Disattivato" },
});

/** Intervals between charges, by months. */
export const intervals = both<(months: number) => string>({
  en: (months) => ({ 1: "Monthly", 3: "Quarterly", 6: "Half-yearly", 12: "Yearly" })[months] ?? `Every ${months} months`,
  it: (months) => ({ 1: "Mensile", 3: "Trimestrale", 6: "Semestrale", 12: "Annuale" })[months] ?? `Ogni ${months} mesi`,
});

export const methods = both<Record<View<"Method">, string>>({
  en: { card: "Card", sepa_debit: "SEPA direct debit", bank_transfer: "Bank transfer" },
  it: { card: "Carta", sepa_debit: "Addebito diretto SEPA", bank_transfer: "Bonifico" },
});
