// The stand-in's Stripe.js: the surface of docs.stripe.com/js that a page with the Payment Element uses.
//
// Names and options are those of the types of @stripe/stripe-js 10. Stripe.js only warns of an unknown option; here it
// is an error. Card data are typed into /frame, which has another origin than the page. This script never sees them.
(() => {
  "use strict";

  const ORIGIN = new URL(document.currentScript.src).origin;
  const SECRET = /^(seti|pi)_[A-Za-z0-9]+_secret_[A-Za-z0-9]+$/;
  const LOCALES = new Set(
    ("auto ar bg cs da de el en en-AU en-CA en-GB en-NZ es es-419 es-ES et fi fil fr fr-CA fr-FR he hr hu id it it-IT " +
      "ja ko lt lv ms mt nb nl nn-NO no pl pt pt-BR ro ru sk sl sv th tr vi zh zh-HK zh-TW").split(" "),
  );
  const EVENTS = new Set("change ready focus blur escape loaderror loaderstart".split(" "));
  const BOOT_MILLISECONDS = 10_000;
  const NO_CONNECTION = {
    type: "api_connection_error",
    message: "We are experiencing issues connecting to our payments provider. Please check your internet connection and try again.",
  };

  class IntegrationError extends Error {
    constructor(message) {
      super(message);
      this.name = "IntegrationError";
    }
  }

  // ---- Options ----

  const isText = (value) => typeof value === "string";
  const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  const oneOf = (...allowed) => [(value) => allowed.includes(value), `one of the following strings: ${allowed.join(", ")}`];
  const text = [isText, "a string"];
  const object = [isObject, "an object"];
  const list = [Array.isArray, "an array"];
  const flag = [(value) => typeof value === "boolean", "a boolean"];
  const locale = [(value) => LOCALES.has(value), "a supported locale"];

  function checked(given, rules, where) {
    if (!isObject(given)) throw new IntegrationError(`Invalid value for ${where}: value should be an object.`);
    for (const [name, value] of Object.entries(given)) {
      if (!Object.hasOwn(rules, name)) {
        throw new IntegrationError(
          `Unrecognized ${where} parameter: ${name} is not a recognized parameter. This may cause issues with your ` +
            "integration in the future.",
        );
      }
      const [holds, kind] = rules[name];
      if (value !== undefined && !holds(value)) {
        throw new IntegrationError(`Invalid value for ${where}: ${name} should be ${kind}. You specified: ${shown(value)}.`);
      }
    }
    return given;
  }

  function shown(value) {
    return isText(value) ? value : JSON.stringify(value);
  }

  function intentOf(secret, prefix, where) {
    if (!isText(secret) || !SECRET.test(secret) || !secret.startsWith(`${prefix}_`)) {
      throw new IntegrationError(
        `Invalid value for ${where} intent secret: value should be a client secret of the form ` +
          `\${id}_secret_\${secret}. You specified: ${shown(secret)}.`,
      );
    }
    return secret;
  }

  const OF_STRIPE = { stripeAccount: text, apiVersion: text, locale, betas: list, developerTools: object };
  const OF_ELEMENTS = {
    appearance: object,
    clientSecret: [
      (value) => isText(value) && SECRET.test(value),
      "a client secret of the form ${id}_secret_${secret}",
    ],
    currency: text,
    customPaymentMethods: list,
    customerOptions: object,
    customerSessionClientSecret: text,
    fonts: list,
    loader: oneOf("auto", "always", "never"),
    locale,
    paymentMethodCreation: oneOf("manual"),
    syncAddressCheckbox: oneOf("billing", "shipping", "none"),
  };
  const OF_APPEARANCE = {
    disableAnimations: flag,
    inputs: oneOf("spaced", "condensed"),
    labels: oneOf("auto", "above", "floating"),
    rules: object,
    theme: oneOf("stripe", "night", "flat"),
    variables: [(value) => isObject(value) && Object.values(value).every(isText), "an object of strings"],
  };
  const OF_PAYMENT = {
    applePay: object,
    business: object,
    defaultValues: object,
    fields: object,
    layout: [(value) => isObject(value) || ["tabs", "accordion", "auto"].includes(value), "tabs, accordion, auto or an object"],
    paymentMethodOrder: list,
    readOnly: flag,
    terms: object,
    walletOptions: object,
    wallets: object,
  };
  const OF_CONFIRM = {
    clientSecret: text,
    confirmParams: object,
    elements: [(value) => value instanceof Elements, "an Elements object"],
    redirect: oneOf("always", "if_required"),
  };
  const OF_CONFIRM_PARAMS = { expand: list, payment_method: text, payment_method_data: object, return_url: text };

  // ---- Frames ----

  /** An iframe of the stand-in's origin. Messages go to that origin only, and are read from that window only. */
  class Frame {
    constructor(name, place, dress, heard) {
      this.heard = heard;
      this.asked = new Map();
      this.next = 1;
      this.iframe = document.createElement("iframe");
      this.iframe.name = name;
      this.iframe.allow = "payment *";
      this.iframe.referrerPolicy = "no-referrer";
      dress(this.iframe);
      this.booted = new Promise((resolve, reject) => {
        this.heardBoot = resolve;
        this.failBoot = reject;
        this.timer = setTimeout(() => reject(NO_CONNECTION), BOOT_MILLISECONDS);
      });
      this.booted.catch(() => {});
      this.listen = (event) => this.read(event);
      window.addEventListener("message", this.listen);
      this.iframe.src = `${ORIGIN}/frame`;
      place.append(this.iframe);
    }

    read(event) {
      if (event.origin !== ORIGIN || event.source !== this.iframe.contentWindow || !isObject(event.data)) return;
      const { answer, result, happened, ...more } = event.data;
      if (happened === "booted") {
        clearTimeout(this.timer);
        this.heardBoot();
      } else if (happened) {
        this.heard(happened, more);
      } else if (this.asked.has(answer)) {
        this.asked.get(answer)(result);
        this.asked.delete(answer);
      }
    }

    /** The result of a call of the frame. */
    async ask(call, given) {
      try {
        await this.booted;
      } catch {
        return { error: { ...NO_CONNECTION } };
      }
      if (!this.iframe.contentWindow) return { error: { ...NO_CONNECTION } };
      const number = this.next++;
      const result = new Promise((resolve) => this.asked.set(number, resolve));
      this.iframe.contentWindow.postMessage({ ask: number, call, given }, ORIGIN);
      return result;
    }

    remove() {
      clearTimeout(this.timer);
      this.failBoot(NO_CONNECTION);
      window.removeEventListener("message", this.listen);
      this.iframe.remove();
      for (const resolve of this.asked.values()) resolve({ error: { ...NO_CONNECTION } });
      this.asked.clear();
    }
  }

  function isItalian(language) {
    const chosen = !language || language === "auto" ? navigator.language : language;
    return chosen.toLowerCase().startsWith("it");
  }

  /** Shows the bank's question over the page, and returns the intent once it is answered. */
  async function challenge(key, secret, language) {
    const before = document.activeElement;
    const italian = isItalian(language);
    const title = italian ? "Autenticazione 3D Secure" : "3D Secure authentication";
    // A modal dialog is above the page's own dialogs, and keeps the keyboard inside.
    const dialog = document.createElement("dialog");
    dialog.setAttribute("aria-label", title);
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    Object.assign(dialog.style, {
      position: "fixed", inset: "0", width: "100%", height: "100%", maxWidth: "none", maxHeight: "none", margin: "0",
      padding: "0", border: "0", background: "transparent",
    });
    document.body.append(dialog);
    dialog.showModal();
    const frame = new Frame(
      "livello-stripe-challenge",
      dialog,
      (iframe) => {
        iframe.title = title;
        Object.assign(iframe.style, { display: "block", width: "100%", height: "100%", border: "0" });
      },
      () => {},
    );
    try {
      const result = frame.ask("challenge", { key, clientSecret: secret, locale: italian ? "it" : "en" });
      frame.booted.then(() => frame.iframe.focus(), () => {});
      return await result;
    } finally {
      frame.remove();
      dialog.remove();
      before?.focus?.();
    }
  }

  /** The result of one call without a form, in a frame that nobody sees. */
  async function unseen(call, given) {
    const frame = new Frame(
      "livello-stripe-controller",
      document.body,
      (iframe) => {
        iframe.title = "";
        iframe.setAttribute("aria-hidden", "true");
        iframe.tabIndex = -1;
        iframe.style.display = "none";
      },
      () => {},
    );
    try {
      return await frame.ask(call, { ...given, locale: isItalian(given.locale) ? "it" : "en" });
    } finally {
      frame.remove();
    }
  }

  // ---- Elements ----

  class PaymentElement {
    #group;
    #options;
    #listeners = [];
    #frame = null;
    #destroyed = false;

    constructor(group, options) {
      this.#group = group;
      this.#options = options;
    }

    get _frame() {
      return this.#frame;
    }

    #living() {
      if (this.#destroyed) throw new IntegrationError("This Element has already been destroyed. Please create a new one.");
    }

    #tell(name, event) {
      const heard = this.#listeners.filter((each) => each.name === name);
      if (name === "loaderror" && !heard.length) console.error("Unhandled payment Element loaderror", event);
      for (const each of heard) {
        if (each.once) this.#listeners.splice(this.#listeners.indexOf(each), 1);
        each.listen({ elementType: "payment", ...event });
      }
    }

    #listen(name, listen, once, where) {
      this.#living();
      if (!EVENTS.has(name)) {
        throw new IntegrationError(
          `Invalid value for ${where}: event should be one of the following strings: ${[...EVENTS].join(", ")}. ` +
            `You specified: ${shown(name)}.`,
        );
      }
      if (typeof listen !== "function") throw new IntegrationError(`Invalid value for ${where}: handler should be a function.`);
      this.#listeners.push({ name, listen, once });
      return this;
    }

    on(name, listen) {
      return this.#listen(name, listen, false, "element.on()");
    }

    once(name, listen) {
      return this.#listen(name, listen, true, "element.once()");
    }

    off(name, listen) {
      this.#listeners = this.#listeners.filter((each) => each.name !== name || (listen && each.listen !== listen));
      return this;
    }

    mount(at) {
      this.#living();
      if (!at) throw new IntegrationError("Missing argument. Make sure to call mount() with a valid DOM element or selector.");
      const place = isText(at) ? document.querySelector(at) : at;
      if (!place) {
        throw new IntegrationError(
          `The selector you specified (${at}) applies to no DOM elements that are currently on the page. Make sure the ` +
            "element exists on the page before calling mount().",
        );
      }
      if (!(place instanceof HTMLElement)) {
        throw new IntegrationError("Invalid DOM element. Make sure to call mount() with a valid DOM element or selector.");
      }
      this.unmount();
      const { key, clientSecret, locale: language, appearance } = this.#group._settings;
      const italian = isItalian(language);
      place.replaceChildren();
      const frame = new Frame(
        "livello-stripe-payment",
        place,
        (iframe) => {
          iframe.title = italian ? "Riquadro sicuro per i dati di pagamento" : "Secure payment input frame";
          Object.assign(iframe.style, { display: "block", width: "100%", height: "0", border: "0" });
        },
        (happened, more) => {
          if (happened === "height" && Number.isFinite(more.height)) frame.iframe.style.height = `${more.height}px`;
          if (happened === "change") this.#tell("change", more.change);
          if (happened === "focus" || happened === "blur" || happened === "escape") this.#tell(happened, {});
        },
      );
      this.#frame = frame;
      const { defaultValues, readOnly } = this.#options;
      const given = {
        key, clientSecret, theme: appearance?.theme ?? "stripe", locale: italian ? "it" : "en", defaultValues, readOnly,
      };
      queueMicrotask(() => this.#tell("loaderstart", {}));
      frame.ask("open", given).then(({ error }) => {
        if (this.#frame !== frame) return;
        if (error) this.#tell("loaderror", { error });
        else this.#tell("ready", {});
      });
    }

    unmount() {
      this.#living();
      this.#frame?.remove();
      this.#frame = null;
    }

    focus() {
      this.#living();
      this.#frame?.iframe.focus();
      void this.#frame?.ask("focus", {});
    }

    update(options) {
      this.#living();
      checked(options, OF_PAYMENT, "element.update()");
      Object.assign(this.#options, options);
    }

    destroy() {
      this.unmount();
      this.#destroyed = true;
      this.#group._forget();
    }
  }

  class Elements {
    #element = null;

    constructor(settings) {
      this._settings = settings;
    }

    create(type, options = {}) {
      if (type !== "payment") {
        throw new IntegrationError(`A valid Element name must be provided. Valid Elements are: payment; you passed: ${shown(type)}.`);
      }
      if (!this._settings.clientSecret) {
        throw new IntegrationError(
          "In order to create a payment element, you must pass a clientSecret or mode when creating the Elements group.",
        );
      }
      if (this.#element) throw new IntegrationError("Can only create one Element of type payment.");
      const { layout, ...others } = checked(options, OF_PAYMENT, "create()");
      this.#element = new PaymentElement(this, { ...others, layout });
      return this.#element;
    }

    getElement(type) {
      return type === "payment" ? this.#element : null;
    }

    update(options) {
      const { locale: language, appearance } = checked(
        options, { appearance: object, fonts: list, locale }, "elements.update()",
      );
      if (appearance) checked(appearance, OF_APPEARANCE, "elements.update().appearance");
      if (language) this._settings.locale = language;
      if (appearance) this._settings.appearance = appearance;
    }

    async fetchUpdates() {
      const { error } = await this._mounted("elements.fetchUpdates()").ask("refresh", {});
      return error ? { error } : {};
    }

    /** Checks what was typed. */
    async submit() {
      return this._mounted("elements.submit()").ask("submit", {});
    }

    _mounted(where) {
      const frame = this.#element?._frame;
      if (!frame) {
        throw new IntegrationError(
          `Invalid value for ${where}: elements should have a mounted Payment Element or Express Checkout Element.`,
        );
      }
      return frame;
    }

    _forget() {
      this.#element = null;
    }
  }

  // ---- Stripe ----

  function Stripe(key, options = {}) {
    if (!isText(key) || !key) {
      throw new IntegrationError(`Please call Stripe() with your publishable key. You used ${key === "" ? "an empty string" : shown(key)}.`);
    }
    if (/^(sk|rk)_/.test(key)) {
      throw new IntegrationError("You should not use your secret key with Stripe.js. Please pass a publishable key instead.");
    }
    if (key.startsWith("pk_live_") && location.protocol !== "https:") {
      throw new IntegrationError("Live Stripe.js integrations must use HTTPS. For more information: https://docs.stripe.com/security/guide#tls");
    }
    const language = checked(options, OF_STRIPE, "Stripe()").locale;

    /** The outcome of a confirmed intent: the bank's question, if there is one, is asked first. */
    async function acted(answer, kind, secret) {
      const name = kind === "seti" ? "setupIntent" : "paymentIntent";
      if (answer.error) return { error: answer.error };
      if (answer.intent.status !== "requires_action") return { [name]: answer.intent };
      const { error, intent } = await challenge(key, secret, language);
      return error ? { error } : { [name]: intent };
    }

    async function confirm(given, kind, where) {
      const { elements, clientSecret, confirmParams = {}, redirect = "always" } = checked(given, OF_CONFIRM, where);
      checked(confirmParams, OF_CONFIRM_PARAMS, `${where}.confirmParams`);
      if (!elements && !clientSecret) throw new IntegrationError(`You must pass in a clientSecret when calling ${where}.`);
      const secret = intentOf(clientSecret ?? elements._settings.clientSecret, kind, where);
      if (elements && elements._settings.clientSecret !== secret) {
        throw new IntegrationError(`Invalid value for ${where}: clientSecret should be the one that was passed to elements().`);
      }
      if (redirect === "always" && !confirmParams.return_url) {
        throw new IntegrationError(`Missing value for ${where}: confirmParams.return_url should be a string.`);
      }
      if (elements && confirmParams.payment_method) {
        throw new IntegrationError(`Invalid value for ${where}: confirmParams.payment_method goes without elements.`);
      }
      const { payment_method_data: data, payment_method, return_url } = confirmParams;
      const details = { data, payment_method, return_url };
      const answer = elements
        ? await elements._mounted(where).ask("confirm", details)
        : await unseen("confirmIntent", { key, clientSecret: secret, locale: language, ...details });
      const outcome = await acted(answer, kind, secret);
      const intent = outcome.setupIntent ?? outcome.paymentIntent;
      if (!intent || redirect === "if_required") return outcome;
      const back = new URL(return_url);
      const prefix = kind === "seti" ? "setup_intent" : "payment_intent";
      back.searchParams.set(prefix, intent.id);
      back.searchParams.set(`${prefix}_client_secret`, secret);
      back.searchParams.set("redirect_status", intent.status === "processing" ? "pending" : "succeeded");
      location.assign(back);
      return new Promise(() => {});
    }

    async function retrieve(secret, kind, where) {
      const answer = await unseen("retrieve", { key, clientSecret: intentOf(secret, kind, where), locale: language });
      return answer.error ? { error: answer.error } : { [kind === "seti" ? "setupIntent" : "paymentIntent"]: answer.intent };
    }

    return {
      elements(given = {}) {
        const settings = checked(given, OF_ELEMENTS, "elements()");
        if (settings.appearance) checked(settings.appearance, OF_APPEARANCE, "elements().appearance");
        return new Elements({ ...settings, key, locale: settings.locale ?? language });
      },

      confirmSetup: (given) => confirm(given, "seti", "stripe.confirmSetup()"),

      confirmPayment: (given) => confirm(given, "pi", "stripe.confirmPayment()"),

      async confirmCardPayment(clientSecret, data = {}, behaviour = {}) {
        const where = "stripe.confirmCardPayment";
        const secret = intentOf(clientSecret, "pi", where);
        checked(data, { payment_method: text, return_url: text }, where);
        const { handleActions = true } = checked(behaviour, { handleActions: flag }, where);
        const answer = await unseen("confirmIntent", { key, clientSecret: secret, locale: language, ...data });
        if (!handleActions && answer.intent) return { paymentIntent: answer.intent };
        return acted(answer, "pi", secret);
      },

      async handleNextAction(given) {
        const where = "stripe.handleNextAction()";
        const { clientSecret } = checked(given, { clientSecret: text }, where);
        const kind = String(clientSecret).startsWith("seti_") ? "seti" : "pi";
        const answer = await unseen("retrieve", { key, clientSecret: intentOf(clientSecret, kind, where), locale: language });
        if (!answer.error && answer.intent.status !== "requires_action") {
          // docs.stripe.com/js/payment_intents/handle_next_action: "It will throw an error if the PaymentIntent has a
          // different status."
          const [name, code] = kind === "seti" ? ["SetupIntent", "setup_intent"] : ["PaymentIntent", "payment_intent"];
          return {
            error: {
              type: "invalid_request_error",
              code: `${code}_unexpected_state`,
              message: `handleNextAction: The ${name} supplied is not in the requires_action state.`,
              [code]: answer.intent,
            },
          };
        }
        return acted(answer, kind, clientSecret);
      },

      retrieveSetupIntent: (secret) => retrieve(secret, "seti", "stripe.retrieveSetupIntent"),

      retrievePaymentIntent: (secret) => retrieve(secret, "pi", "stripe.retrievePaymentIntent"),
    };
  }

  Stripe.version = "endive";
  window.Stripe = Stripe;
})();
