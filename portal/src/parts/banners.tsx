/** What needs to be known on every screen: what is owed, what ends, what changes soon. */

import type { ComponentChildren } from "preact";
import { useAccount } from "../account";
import type { View } from "../api";
import { day, instant, money, month, number } from "../format";
import { both } from "../language";
import { PAST_DUE, type Screen } from "../route";
import { named } from "./subscription";

type Page = View<"BillingPageView">;

const words = both({
  en: {
    pastDue: (count: number) =>
      count === 1 ? "An invoice is past due." : `${number(count)} invoices are past due.`,
    pay: "See what is owed",
    ends: (until: string) => `The subscription is cancelled. It is active until ${until}.`,
    takeBack: "Take the cancellation back",
    deactivated: (purge: string) => `The account is deactivated. Everything is deleted on ${purge}.`,
    reactivate: "Reactivate it",
    tier: (product: string, from: string, price: string) =>
      `${product} moves to another tier on ${from}: ${price} per month.`,
    why: "Why",
    version: (from: string) => `Prices change on ${from}.`,
    see: "See the new prices",
    card: (month: string) => `Your card expires at the end of ${month}.`,
    expired: "Your card has expired.",
    newCard: "Use another card",
    noMethod: "No payment method is set up.",
    setUp: "Set one up",
    appointment: (name: string, on: string) => `${name} becomes an admin on ${on}, unless an admin objects.`,
    object: "See the users",
  },
  it: {
    pastDue: (count: number) => (count === 1 ? "Una fattura è scaduta." : `${number(count)} fatture sono scadute.`),
    pay: "Vedete quanto è dovuto",
    ends: (until: string) => `L'abbonamento è cancellato. È attivo fino al ${until}.`,
    takeBack: "Annullate la cancellazione",
    deactivated: (purge: string) => `L'account è disattivato. Tutto sarà eliminato il ${purge}.`,
    reactivate: "Riattivatelo",
    tier: (product: string, from: string, price: string) =>
      `${product} passa a un'altra fascia il ${from}: ${price} al mese.`,
    why: "Perché",
    version: (from: string) => `I prezzi cambiano il ${from}.`,
    see: "Vedete i nuovi prezzi",
    card: (month: string) => `La vostra carta scade alla fine di ${month}.`,
    expired: "La vostra carta è scaduta.",
    newCard: "Usate un'altra carta",
    noMethod: "Nessun metodo di pagamento è impostato.",
    setUp: "Impostatene uno",
    appointment: (name: string, on: string) =>
      `${name} diventa amministratore il ${on}, a meno che un amministratore si opponga.`,
    object: "Vedete gli utenti",
  },
});

export function Banners({ screen }: { screen: Screen }) {
  const account = useAccount();
  const page = account.billing.value;
  if (!page) return null;
  const isAdmin = account.role === "admin";
  const unpaid = page.invoices.filter(({ status }) => status === "past_due");
  const [pastDue] = unpaid;
  const { ends, payment_details: pays, subscription, appointment } = page;
  return (
    <>
      {page.status === "deactivated" && ends && (
        <Banner kind="bad" link={[account.href("reactivation"), words().reactivate]} isShown={isAdmin && screen !== "reactivation"}>
          {words().deactivated(day(ends.purge_on))}
        </Banner>
      )}
      {page.status === "cancelling" && ends && (
        <Banner kind="warn" link={[account.href("cancellation"), words().takeBack]} isShown={isAdmin && screen !== "cancellation"}>
          {words().ends(day(ends.active_until))}
        </Banner>
      )}
      {pastDue && (
        <Banner
          kind="bad"
          link={[account.href("invoices", unpaid.length === 1 ? pastDue.number : PAST_DUE), words().pay]}
          isShown={screen !== "invoices"}
        >
          {words().pastDue(unpaid.length)}
        </Banner>
      )}
      {page.status === "active" && !pays.method && (
        <Banner kind="warn" link={[account.href("billing", "payment"), words().setUp]} isShown={isAdmin}>
          {words().noMethod}
        </Banner>
      )}
      {pays.card && monthsLeft(pays.card) <= 1 && (
        <Banner kind="warn" link={[account.href("billing", "payment"), words().newCard]} isShown={isAdmin}>
          {monthsLeft(pays.card) < 0 ? words().expired : words().card(month(endOf(pays.card)))}
        </Banner>
      )}
      {subscription.lines.map(named).map(
        ({ product, name, pending_change: change }) =>
          change && (
            <Banner key={product} kind="info" link={[account.href("decisions"), words().why]} isShown={screen !== "decisions"}>
              {words().tier(name, day(change.effective_on), money(change.price_per_month))}
            </Banner>
          ),
      )}
      {subscription.pending_version?.announced_on && (
        <Banner kind="info" link={[account.href("billing"), words().see]} isShown={screen !== "billing"}>
          {words().version(day(subscription.pending_version.effective_on))}
        </Banner>
      )}
      {appointment?.status === "open" && (
        <Banner kind="warn" link={[account.href("users"), words().object]} isShown={isAdmin && screen !== "users"}>
          {words().appointment(appointment.name, instant(appointment.effective_at, page.contract.time_zone, true))}
        </Banner>
      )}
    </>
  );
}

interface BannerProps {
  kind: "info" | "warn" | "bad";
  link: [href: string, text: string];
  isShown: boolean;
  children: ComponentChildren;
}

/** A sentence, with the link to where something can be done about it, unless one is there already. */
function Banner({ kind, link: [href, text], isShown, children }: BannerProps) {
  return (
    <div class={`note ${kind}`}>
      <p>
        {children} {isShown && <a href={href}>{text}</a>}
      </p>
    </div>
  );
}

type Card = NonNullable<Page["payment_details"]["card"]>;

/** 0 in the last month of a card. The bank may have sent a new card already, which the vendor then knows. */
function monthsLeft({ expiry_month, expiry_year }: Card): number {
  const now = new Date();
  return (expiry_year - now.getFullYear()) * 12 + expiry_month - 1 - now.getMonth();
}

function endOf({ expiry_month, expiry_year }: Card): string {
  return `${expiry_year}-${String(expiry_month).padStart(2, "0")}`;
}
