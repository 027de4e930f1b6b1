// The stand-in's form for a card or an IBAN, and the bank's question (3-D Secure), inside an iframe of the stand-in.
//
// The page asks by messages (stripe.js). They are read from the parent window with the page's origin only, and answered
// to that origin only. What is typed goes to this origin's /v1, never to the page.
(() => {
  "use strict";

  const PAGE = document.querySelector('meta[name="page-origin"]').content;
  const ROOT = document.getElementById("root");
  const UNFINISHED = ["requires_payment_method", "requires_confirmation", "requires_action"];
  const COUNTRIES = (
    "AT AU BE BG BR CA CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IN IS IT JP LI LT LU LV MT MX NL NO NZ PL PT RO SE SG SI SK US"
  ).split(" ");
  /** The lengths of IBANs (ISO 13616) of the countries in SEPA. */
  const IBAN_LENGTHS = {
    AD: 24, AT: 20, BE: 16, BG: 22, CH: 21, CY: 28, CZ: 24, DE: 22, DK: 18, EE: 20, ES: 24, FI: 18, FR: 27, GB: 22,
    GI: 23, GR: 27, HR: 21, HU: 28, IE: 22, IS: 26, IT: 27, LI: 21, LT: 20, LU: 20, LV: 21, MC: 27, MT: 31, NL: 18,
    NO: 15, PL: 28, PT: 25, RO: 24, SE: 24, SI: 19, SK: 24, SM: 27, VA: 22,
  };

  const WORDS = {
    en: {
      method: "Payment method", card: "Card", sepa_debit: "SEPA Direct Debit",
      number: "Card number", expiry: "Expiration date (MM / YY)", cvc: "Security code", country: "Country",
      iban: "IBAN", name: "Full name", email: "Email",
      card_terms: "You allow this card to be charged for future payments in accordance with the vendor's terms.",
      sepa_terms:
        "By providing your payment information and confirming this payment, you authorise (A) the vendor and Stripe, our " +
        "payment service provider, to send instructions to your bank to debit your account and (B) your bank to debit your " +
        "account in accordance with those instructions. You are entitled to a refund from your bank under the terms and " +
        "conditions of your agreement with your bank. A refund must be claimed within 8 weeks starting from the date on " +
        "which your account was debited.",
      challenge: "3D Secure 2 Test Page",
      question: "This is a test 3D Secure 2 authentication. Your bank asks whether this is you.",
      complete: "Complete", fail: "Fail",
      incomplete_number: "Your card number is incomplete.",
      invalid_number: "Your card number is invalid.",
      incomplete_expiry: "Your card's expiration date is incomplete.",
      invalid_expiry_month: "Your card's expiration month is invalid.",
      invalid_expiry_month_past: "Your card's expiration date is in the past.",
      invalid_expiry_year_past: "Your card's expiration year is in the past.",
      incomplete_cvc: "Your card's security code is incomplete.",
      incomplete_iban: "Your IBAN is incomplete.",
      invalid_iban: "Your IBAN is invalid.",
      incomplete_name: "Your name is incomplete.",
      incomplete_email: "Your email is incomplete.",
      invalid_email: "Your email is invalid.",
    },
    it: {
      method: "Metodo di pagamento", card: "Carta", sepa_debit: "Addebito diretto SEPA",
      number: "Numero della carta", expiry: "Data di scadenza (MM / AA)", cvc: "Codice di sicurezza", country: "Paese",
      iban: "IBAN", name: "Nome e cognome", email: "E-mail",
      card_terms: "Autorizzate l'addebito su questa carta per i pagamenti futuri secondo le condizioni del fornitore.",
      sepa_terms:
        "Fornendo i dati di pagamento e confermando, autorizzate (A) il fornitore e Stripe, il nostro fornitore di servizi " +
        "di pagamento, a inviare alla vostra banca istruzioni di addebito sul vostro conto e (B) la vostra banca a " +
        "effettuare l'addebito secondo tali istruzioni. Avete diritto a un rimborso dalla vostra banca secondo i termini " +
        "del contratto con essa. Il rimborso va richiesto entro 8 settimane dalla data dell'addebito.",
      challenge: "Pagina di prova 3D Secure 2",
      question: "Questa è una prova di autenticazione 3D Secure 2. La vostra banca chiede se siete voi.",
      complete: "Conferma", fail: "Rifiuta",
      incomplete_number: "Il numero della carta è incompleto.",
      invalid_number: "Il numero della carta non è valido.",
      incomplete_expiry: "La data di scadenza della carta è incompleta.",
      invalid_expiry_month: "Il mese di scadenza della carta non è valido.",
      invalid_expiry_month_past: "La data di scadenza della carta è passata.",
      invalid_expiry_year_past: "L'anno di scadenza della carta è passato.",
      incomplete_cvc: "Il codice di sicurezza della carta è incompleto.",
      incomplete_iban: "L'IBAN è incompleto.",
      invalid_iban: "L'IBAN non è valido.",
      incomplete_name: "Il nome è incompleto.",
      incomplete_email: "L'indirizzo e-mail è incompleto.",
      invalid_email: "L'indirizzo e-mail non è valido.",
      generic_decline: "La carta è stata rifiutata.",
      insufficient_funds: "Fondi insufficienti sulla carta.",
      card_declined: "La carta è stata rifiutata.",
      expired_card: "La carta è scaduta.",
      incorrect_cvc: "Il codice di sicurezza della carta non è corretto.",
      incorrect_number: "Il numero della carta non è corretto.",
      setup_intent_authentication_failure:
        "Non è stato possibile autenticare il metodo di pagamento. Sceglietene un altro e riprovate.",
      payment_intent_authentication_failure:
        "Non è stato possibile autenticare il metodo di pagamento. Sceglietene un altro e riprovate.",
    },
  };

  let words = WORDS.en;
  let language = "en";
  /** The form that is open: what the page has given, the type that is chosen, and the fields by name. */
  let form = null;

  const tell = (message) => window.parent.postMessage(message, PAGE);

  function speak(locale) {
    language = locale === "it" ? "it" : "en";
    words = WORDS[language];
    document.documentElement.lang = language;
  }

  // ---- Stripe's API, at this origin ----

  const idOf = (secret) => secret.split("_secret_")[0];
  const pathOf = (secret) => `${secret.startsWith("seti_") ? "setup" : "payment"}_intents/${encodeURIComponent(idOf(secret))}`;

  /** The answer of the API as {intent} or {error}, with the error in the customer's language. */
  async function call(method, path, key, parameters) {
    const query = new URLSearchParams(parameters);
    const asked = { method, headers: { Authorization: `Bearer ${key}` }, cache: "no-store" };
    try {
      const response = await fetch(method === "GET" ? `${path}?${query}` : path, method === "GET" ? asked : { ...asked, body: query });
      const body = await response.json();
      return body.error ? { error: translated(body.error) } : { intent: body };
    } catch {
      const message =
        "We are experiencing issues connecting to our payments provider. Please check your internet connection and try again.";
      return { error: { type: "api_connection_error", message } };
    }
  }

  function translated(error) {
    const message = language === "en" ? undefined : (words[error.decline_code] ?? words[error.code]);
    return message ? { ...error, message } : error;
  }

  const retrieve = ({ key, clientSecret }) => call("GET", `/v1/${pathOf(clientSecret)}`, key, { client_secret: clientSecret });

  const confirmation = (secret, returnUrl) => ({
    client_secret: secret,
    use_stripe_sdk: "true",
    ...(returnUrl ? { return_url: returnUrl } : {}),
  });

  /** Confirms an intent with a payment method that Stripe has already. */
  async function confirmIntent({ key, clientSecret, payment_method, return_url }) {
    const parameters = confirmation(clientSecret, return_url);
    if (payment_method) parameters.payment_method = payment_method;
    return call("POST", `/v1/${pathOf(clientSecret)}/confirm`, key, parameters);
  }

  // ---- Fields ----

  const digits = (value) => value.replace(/\D/g, "");

  function luhn(number) {
    const sum = [...number].reverse().reduce((total, each, place) => {
      const doubled = place % 2 ? Number(each) * 2 : Number(each);
      return total + (doubled > 9 ? doubled - 9 : doubled);
    }, 0);
    return sum % 10 === 0;
  }

  const isAmex = (number) => /^3[47]/.test(number);

  function badNumber(value) {
    const number = digits(value);
    if (number.length < (isAmex(number) ? 15 : 16)) return "incomplete_number";
    return luhn(number) ? null : "invalid_number";
  }

  function badExpiry(value) {
    const found = digits(value);
    if (found.length !== 4) return "incomplete_expiry";
    const [month, year] = [Number(found.slice(0, 2)), 2000 + Number(found.slice(2))];
    if (month < 1 || month > 12) return "invalid_expiry_month";
    const now = new Date();
    if (year < now.getFullYear()) return "invalid_expiry_year_past";
    return year === now.getFullYear() && month < now.getMonth() + 1 ? "invalid_expiry_month_past" : null;
  }

  function badCvc(value) {
    const number = digits(form.fields.number.value);
    return digits(value).length === (isAmex(number) ? 4 : 3) ? null : "incomplete_cvc";
  }

  /** ISO 13616: the length of the country, and a remainder of 1 by ISO 7064 (mod 97-10). */
  function badIban(value) {
    const iban = value.replace(/\s/g, "").toUpperCase();
    const length = IBAN_LENGTHS[iban.slice(0, 2)];
    if (iban.length < 2) return "incomplete_iban";
    if (!length || !/^[A-Z]{2}[A-Z0-9]*$/.test(iban) || iban.length > length) return "invalid_iban";
    if (iban.length < length) return "incomplete_iban";
    const turned = iban.slice(4) + iban.slice(0, 4);
    const remainder = [...turned].reduce((rest, each) => Number(`${rest}${parseInt(each, 36)}`) % 97, 0);
    return remainder === 1 ? null : "invalid_iban";
  }

  const badName = (value) => (value.trim() ? null : "incomplete_name");

  function badEmail(value) {
    if (!value.trim()) return "incomplete_email";
    return /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value.trim()) ? null : "invalid_email";
  }

  const grouped = (value, size) => value.match(new RegExp(`.{1,${size}}`, "g"))?.join(" ") ?? "";

  const numberAsShown = (value) => grouped(digits(value).slice(0, 19), 4);
  const ibanAsShown = (value) => grouped(value.replace(/[^0-9a-z]/gi, "").toUpperCase().slice(0, 34), 4);

  function expiryAsShown(value) {
    let found = digits(value).slice(0, 4);
    if (/^[2-9]$/.test(found)) found = `0${found}`;
    return found.length > 2 ? `${found.slice(0, 2)} / ${found.slice(2)}` : found;
  }

  const FIELDS = {
    card: [
      { name: "number", wide: true, mode: "numeric", complete: "cc-number", bad: badNumber, as: numberAsShown },
      { name: "expiry", mode: "numeric", complete: "cc-exp", bad: badExpiry, as: expiryAsShown },
      { name: "cvc", mode: "numeric", complete: "cc-csc", bad: badCvc, as: (value) => digits(value).slice(0, 4) },
      { name: "country", wide: true, complete: "billing country", options: COUNTRIES, bad: () => null },
    ],
    sepa_debit: [
      { name: "name", wide: true, mode: "text", complete: "billing name", bad: badName },
      { name: "email", wide: true, mode: "email", complete: "billing email", bad: badEmail },
      { name: "iban", wide: true, mode: "text", complete: "off", bad: badIban, as: ibanAsShown },
    ],
  };

  /** What Stripe takes of the typed values: the names of payment_method_data in docs.stripe.com/api/payment_methods/create. */
  function methodData() {
    const values = Object.fromEntries(Object.entries(form.fields).map(([name, field]) => [name, field.value.trim()]));
    const expiry = digits(values.expiry ?? "");
    const data =
      form.type === "card"
        ? {
            "[card][number]": digits(values.number),
            "[card][exp_month]": String(Number(expiry.slice(0, 2))),
            "[card][exp_year]": `20${expiry.slice(2)}`,
            "[card][cvc]": digits(values.cvc),
            "[billing_details][address][country]": values.country,
          }
        : {
            "[sepa_debit][iban]": values.iban.replace(/\s/g, ""),
            "[billing_details][name]": values.name,
            "[billing_details][email]": values.email,
          };
    return Object.fromEntries(Object.entries({ "[type]": form.type, ...data }).map(([name, value]) => [`payment_method_data${name}`, value]));
  }

  // ---- The form ----

  function made(tag, attributes = {}, ...inside) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...inside);
    return element;
  }

  function ownCountry(given) {
    if (COUNTRIES.includes(given)) return given;
    const region = navigator.language.match(/^[a-z]+-([A-Z]{2})/)?.[1];
    return language === "it" ? "IT" : COUNTRIES.includes(region) ? region : "DE";
  }

  function field({ name, wide, mode, complete, options, as }) {
    const names = new Intl.DisplayNames([language], { type: "region" });
    const attributes = { id: name, name, autocomplete: complete, "aria-describedby": `${name}-error` };
    const details = form.given.defaultValues?.billingDetails ?? {};
    const input = options
      ? made(
          "select",
          attributes,
          ...options
            .map((code) => [names.of(code), code])
            .sort(([one], [other]) => one.localeCompare(other, language))
            .map(([label, code]) => made("option", { value: code }, label)),
        )
      : made("input", { ...attributes, inputmode: mode, type: "text", spellcheck: "false" });
    if (options) input.value = ownCountry(details.address?.country);
    else if (name === "name" || name === "email") input.value = details[name] ?? "";
    input.disabled = Boolean(form.given.readOnly);
    const error = made("p", { id: `${name}-error`, class: "error", role: "alert" });
    input.addEventListener("input", () => {
      if (as && input.selectionStart === input.value.length) input.value = as(input.value);
      form.touched = true;
      mark(name, null);
      changed();
    });
    form.fields[name] = input;
    return made("div", wide ? { class: "wide" } : {}, made("label", { for: name }, words[name]), input, error);
  }

  function mark(name, code) {
    form.fields[name].setAttribute("aria-invalid", String(Boolean(code)));
    document.getElementById(`${name}-error`).textContent = code ? words[code] : "";
  }

  const faults = () => FIELDS[form.type].map(({ name, bad }) => [name, bad(form.fields[name].value)]).filter(([, code]) => code);

  function changed() {
    const complete = !faults().length;
    tell({ happened: "change", change: { empty: !form.touched, complete, collapsed: false, value: { type: form.type } } });
  }

  function draw() {
    form.fields = {};
    const inputs = FIELDS[form.type].map(field);
    const terms = made("p", { class: "terms wide" }, words[form.type === "card" ? "card_terms" : "sepa_terms"]);
    const shown = made("form", { novalidate: "" }, ...(form.types.length > 1 ? [choice()] : []), ...inputs, terms);
    shown.addEventListener("submit", (event) => event.preventDefault());
    ROOT.replaceChildren(shown);
  }

  function choice() {
    const labels = form.types.map((type) => {
      const input = made("input", { type: "radio", name: "type", value: type });
      input.checked = type === form.type;
      input.addEventListener("change", () => {
        form.type = type;
        draw();
        ROOT.querySelector("input:checked").focus();
        changed();
      });
      return made("label", {}, input, words[type]);
    });
    return made("fieldset", { class: "wide" }, made("legend", {}, words.method), ...labels);
  }

  async function open(given) {
    document.documentElement.classList.toggle("night", given.theme === "night");
    const { error, intent } = await retrieve(given);
    if (error) return { error };
    const [code, noun] = intent.object === "setup_intent" ? ["setup_intent", "SetupIntent"] : ["payment_intent", "PaymentIntent"];
    if (!UNFINISHED.includes(intent.status)) {
      const message = `This ${noun} is in a terminal state and cannot be used to initialize Elements.`;
      return { error: { type: "invalid_request_error", code: `${code}_unexpected_state`, message, [code]: intent } };
    }
    const types = intent.payment_method_types.filter((each) => FIELDS[each]);
    if (!types.length) {
      const message = `The stand-in has no form for ${intent.payment_method_types.join(", ")}.`;
      return { error: { type: "invalid_request_error", message } };
    }
    form = { given, types, type: types[0], fields: {}, touched: false };
    draw();
    return {};
  }

  /** Shows what is wrong with what was typed, and goes to the first such field. */
  function submit() {
    const found = faults();
    for (const { name } of FIELDS[form.type]) mark(name, null);
    for (const [name, code] of found) mark(name, code);
    if (!found.length) return { selectedPaymentMethod: form.type };
    const [[name, code]] = found;
    form.fields[name].focus();
    return { error: { type: "validation_error", code, message: words[code] } };
  }

  async function confirm({ data, return_url }) {
    const { error } = submit();
    if (error) return { error };
    const { key, clientSecret } = form.given;
    const parameters = { ...confirmation(clientSecret, return_url), ...methodData() };
    for (const [name, value] of Object.entries(data?.billing_details ?? {})) {
      if (typeof value === "string") parameters[`payment_method_data[billing_details][${name}]`] = value;
    }
    return call("POST", `/v1/${pathOf(clientSecret)}/confirm`, key, parameters);
  }

  // ---- The bank's question ----

  async function challenge({ key, clientSecret }) {
    document.documentElement.classList.toggle("night", matchMedia("(prefers-color-scheme: dark)").matches);
    const outcome = await new Promise((resolve) => {
      const complete = made("button", { type: "button", class: "first" }, words.complete);
      const fail = made("button", { type: "button" }, words.fail);
      complete.addEventListener("click", () => resolve("complete"));
      fail.addEventListener("click", () => resolve("fail"));
      window.addEventListener("keydown", (event) => event.key === "Escape" && resolve("fail"));
      const heading = made("h1", { id: "question" }, words.challenge);
      const dialog = made(
        "div",
        { role: "dialog", "aria-modal": "true", "aria-labelledby": "question" },
        heading,
        made("p", {}, words.question),
        made("div", { class: "buttons" }, complete, fail),
      );
      ROOT.replaceChildren(made("div", { class: "challenge" }, dialog));
      complete.focus();
    });
    for (const each of ROOT.querySelectorAll("button")) each.disabled = true;
    const answered = await call("POST", `/challenge/${pathOf(clientSecret)}`, key, { client_secret: clientSecret, outcome });
    if (answered.error || outcome === "complete") return answered;
    const { intent } = answered;
    const noun = clientSecret.startsWith("seti_") ? "setup_intent" : "payment_intent";
    const failure = intent.last_setup_error ?? intent.last_payment_error;
    return { error: translated({ ...failure, [noun]: intent }) };
  }

  // ---- Messages ----

  const CALLS = {
    open, submit, confirm, challenge, confirmIntent, retrieve,
    refresh: async () => {
      const { error } = await retrieve(form.given);
      return error ? { error } : {};
    },
    focus: () => {
      ROOT.querySelector("input, select")?.focus();
      return {};
    },
  };
  const OF_A_FORM = new Set(["submit", "confirm", "refresh", "focus"]);

  window.addEventListener("message", async ({ origin, source, data }) => {
    if (origin !== PAGE || source !== window.parent || !Number.isInteger(data?.ask) || !Object.hasOwn(CALLS, data.call)) return;
    if (data.given.locale) speak(data.given.locale);
    let result = { error: { type: "invalid_request_error", message: "The Payment Element is not ready." } };
    try {
      if (form || !OF_A_FORM.has(data.call)) result = await CALLS[data.call](data.given);
    } catch (failure) {
      // The page must not wait for ever. A failure here is a mistake of the stand-in.
      console.error(failure);
      result = { error: { type: "api_error", message: String(failure) } };
    }
    tell({ answer: data.ask, result });
  });

  window.addEventListener("focus", () => tell({ happened: "focus" }));
  window.addEventListener("blur", () => tell({ happened: "blur" }));
  window.addEventListener("keydown", (event) => event.key === "Escape" && tell({ happened: "escape" }));
  new ResizeObserver(() => tell({ happened: "height", height: Math.ceil(ROOT.getBoundingClientRect().height) })).observe(ROOT);
  tell({ happened: "booted" });
})();
