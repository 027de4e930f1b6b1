/**
 * The card form: Stripe's Payment Element (https://docs.stripe.com/payments/payment-element), loaded from Stripe itself when
 * it is first needed. What is declared here of Stripe.js is what this page uses.
 */

import { config } from "./config";
import type { Language } from "./language";

/** Why Stripe refuses: `code` and `decline_code` as https://docs.stripe.com/error-codes lists them. */
export interface StripeFailure {
  type?: string;
  code?: string | undefined;
  decline_code?: string | undefined;
  message?: string | undefined;
}

interface Element {
  mount(at: HTMLElement): void;
  on(event: "ready", listen: () => void): void;
  on(event: "loaderror", listen: (event: { error: StripeFailure }) => void): void;
  destroy(): void;
}

interface Elements {
  create(type: "payment", options?: object): Element;
  submit(): Promise<{ error?: StripeFailure }>;
}

interface Payment {
  paymentIntent?: { status: string; last_payment_error?: { payment_method?: { id: string } } | null };
  error?: StripeFailure;
}

interface Stripe {
  elements(options: { clientSecret: string; appearance?: object; locale?: string }): Elements;
  confirmSetup(options: {
    elements: Elements;
    clientSecret: string;
    confirmParams: { return_url: string };
    redirect: "if_required";
  }): Promise<{ setupIntent?: { id: string; status: string }; error?: StripeFailure }>;
  retrievePaymentIntent(clientSecret: string): Promise<Payment>;
  handleNextAction(options: { clientSecret: string }): Promise<Payment>;
  confirmCardPayment(clientSecret: string, data: { payment_method: string }): Promise<Payment>;
}

declare global {
  interface Window {
    Stripe?: (key: string, options?: { locale?: string }) => Stripe;
  }
}

/** Thrown where Stripe has no form for us. */
export class StripeFault extends Error {
  constructor(readonly stripe: StripeFailure) {
    super(stripe.message ?? stripe.code ?? "Stripe has failed");
  }
}

export interface SetupForm {
  /** What Stripe says of what was typed: the id of the set-up, or why not. */
  confirm(): Promise<{ setup_intent: string } | { failure: StripeFailure }>;
  destroy(): void;
}

let loading: Promise<void> | null = null;

async function stripe(key: string, locale: Language): Promise<Stripe> {
  loading ??= new Promise<void>((resolve, reject) => {
    const script = document.createElement("script");
    script.src = config.stripe_script;
    script.onload = () => resolve();
    script.onerror = () => {
      loading = null;
      script.remove();
      reject(new StripeFault({ code: "unavailable" }));
    };
    document.head.append(script);
  });
  await loading;
  if (!window.Stripe) throw new StripeFault({ code: "unavailable" });
  return window.Stripe(key, { locale });
}

/** Shows the form in `at`, once it can be typed into. Raises StripeFault. */
export async function mountSetupForm(
  at: HTMLElement,
  setup: { client_secret: string; publishable_key: string },
  locale: Language,
): Promise<SetupForm> {
  const service = await stripe(setup.publishable_key, locale);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const elements = service.elements({
    clientSecret: setup.client_secret,
    locale,
    appearance: { theme: dark ? "night" : "stripe" },
  });
  const element = elements.create("payment");
  try {
    await new Promise<void>((resolve, reject) => {
      element.on("ready", resolve);
      element.on("loaderror", ({ error }) => reject(new StripeFault(error)));
      element.mount(at);
    });
  } catch (thrown) {
    element.destroy();
    throw thrown;
  }
  return {
    destroy: () => element.destroy(),
    confirm: async () => {
      const { error: typed } = await elements.submit();
      if (typed) return { failure: typed };
      const { setupIntent, error } = await service.confirmSetup({
        elements,
        clientSecret: setup.client_secret,
        // A bank that wants its own page leads back to this screen.
        confirmParams: { return_url: location.href },
        redirect: "if_required",
      });
      if (error || !setupIntent) return { failure: error ?? { code: "unavailable" } };
      return { setup_intent: setupIntent.id };
    },
  };
}

/**
 * Asks for the consent that the customer's bank wants for a charge. Null once it is given.
 *
 * A charge that was refused while the customer was away is confirmed again with the same card; one that waits goes on
 * (https://docs.stripe.com/payments/save-and-reuse?platform=web&ui=elements#charge-saved-payment-method).
 */
export async function giveConsent(
  consent: { client_secret: string; publishable_key: string },
  locale: Language,
): Promise<StripeFailure | null> {
  const service = await stripe(consent.publishable_key, locale);
  const secret = consent.client_secret;
  const { paymentIntent: payment, error } = await service.retrievePaymentIntent(secret);
  if (error || !payment) return error ?? { code: "unavailable" };
  if (payment.status === "succeeded" || payment.status === "processing") return null;
  if (payment.status === "requires_action") return (await service.handleNextAction({ clientSecret: secret })).error ?? null;
  const card = payment.last_payment_error?.payment_method?.id;
  if (!card) return { code: "unavailable" };
  return (await service.confirmCardPayment(secret, { payment_method: card })).error ?? null;
}
