/** What Stripe refuses, in words: by the decline codes and error codes of https://docs.stripe.com/declines/codes. */

import { both } from "../language";
import type { StripeFailure } from "../stripe";

const words = both<{ codes: Record<string, string>; otherwise: string }>({
  en: {
    codes: {
      unavailable: "The card form cannot be loaded. Check your connection and try again.",
      card_declined: "The bank has declined. Try another card, or ask your bank.",
      insufficient_funds: "There are not enough funds.",
      expired_card: "This card has expired.",
      incorrect_cvc: "The security code is not correct.",
      invalid_cvc: "The security code is not correct.",
      incorrect_number: "The card number is not correct.",
      invalid_number: "The card number is not correct.",
      incomplete_number: "The card number is not complete.",
      incomplete_expiry: "The expiry date is not complete.",
      incomplete_cvc: "The security code is not complete.",
      incomplete_iban: "The IBAN is not complete.",
      invalid_iban: "The IBAN is not correct.",
      invalid_bank_account_iban: "The IBAN is not correct.",
      api_connection_error: "The payment service cannot be reached. Check your connection and try again.",
      invalid_expiry_month: "The expiry month is not correct.",
      incomplete_name: "The name is not complete.",
      incomplete_email: "The e-mail address is not complete.",
      invalid_email: "The e-mail address is not correct.",
      invalid_expiry_month_past: "This card has expired.",
      invalid_expiry_year_past: "This card has expired.",
      lost_card: "The bank has declined. Try another card, or ask your bank.",
      stolen_card: "The bank has declined. Try another card, or ask your bank.",
      processing_error: "The payment service had a fault. Try again.",
      authentication_required: "Your bank wants you to confirm this.",
      setup_intent_authentication_failure: "The confirmation at your bank has failed. Try again, or use another card.",
      payment_intent_authentication_failure: "The confirmation at your bank has failed. Try again, or use another card.",
    },
    otherwise: "This was not accepted. Check what you have typed, or use another method.",
  },
  it: {
    codes: {
      unavailable: "Il modulo della carta non può essere caricato. Controllate la connessione e riprovate.",
      card_declined: "La banca ha rifiutato. Provate un'altra carta o chiedete alla banca.",
      insufficient_funds: "I fondi non sono sufficienti.",
      expired_card: "Questa carta è scaduta.",
      incorrect_cvc: "Il codice di sicurezza non è corretto.",
      invalid_cvc: "Il codice di sicurezza non è corretto.",
      incorrect_number: "Il numero della carta non è corretto.",
      invalid_number: "Il numero della carta non è corretto.",
      incomplete_number: "Il numero della carta non è completo.",
      incomplete_expiry: "La data di scadenza non è completa.",
      incomplete_cvc: "Il codice di sicurezza non è completo.",
      incomplete_iban: "L'IBAN non è completo.",
      invalid_iban: "L'IBAN non è corretto.",
      invalid_bank_account_iban: "L'IBAN non è corretto.",
      api_connection_error: "Il servizio di pagamento non è raggiungibile. Controllate la connessione e riprovate.",
      invalid_expiry_month: "Il mese di scadenza non è corretto.",
      incomplete_name: "Il nome non è completo.",
      incomplete_email: "L'indirizzo e-mail non è completo.",
      invalid_email: "L'indirizzo e-mail non è corretto.",
      invalid_expiry_month_past: "Questa carta è scaduta.",
      invalid_expiry_year_past: "Questa carta è scaduta.",
      lost_card: "La banca ha rifiutato. Provate un'altra carta o chiedete alla banca.",
      stolen_card: "La banca ha rifiutato. Provate un'altra carta o chiedete alla banca.",
      processing_error: "Il servizio di pagamento ha avuto un problema. Riprovate.",
      authentication_required: "La vostra banca vuole una conferma.",
      setup_intent_authentication_failure: "La conferma presso la banca non è riuscita. Riprovate o usate un'altra carta.",
      payment_intent_authentication_failure: "La conferma presso la banca non è riuscita. Riprovate o usate un'altra carta.",
    },
    otherwise: "Non è stato accettato. Controllate quanto avete scritto, o usate un altro metodo.",
  },
});

/** Some failures have a type and no code: that Stripe was not reached is one. */
export function stripeSaid({ type, code, decline_code }: StripeFailure): string {
  const { codes, otherwise } = words();
  return codes[decline_code ?? ""] ?? codes[code ?? ""] ?? codes[type ?? ""] ?? otherwise;
}
