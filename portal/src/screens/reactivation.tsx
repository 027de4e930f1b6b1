/** A deactivated account comes back: until when, at which price, with which charge. */

import { useEffect, useState } from "preact/hooks";
import type { ScreenProps } from "./load";
import { answer, api, Problem, type View } from "../api";
import { day, money } from "../format";
import { both } from "../language";
import { MayEdit } from "../parts/admins";
import { Lines } from "../parts/lines";
import { Load, problemOf, ProblemNote, useLoad } from "../parts/load";
import { SubscriptionTable } from "../parts/subscription";
import { Told } from "../parts/told";
import { intervals, screens } from "../words/common";

const words = both({
  en: {
    not: "The account is not deactivated: there is nothing to reactivate.",
    member: "Only an admin of your company can reactivate the account.",
    staff: "Only an admin of the customer can reactivate the account.",
    until: (until: string, purge: string) => `You can reactivate the account until ${until}. On ${purge} everything is deleted.`,
    offer: "What you get, at today's prices",
    paid: (interval: string, start: string) => `Paid ${interval.toLowerCase()}, from ${start}.`,
    invoice: "What is charged now",
    tick: (total: string) => `I agree: ${total} is charged at once, and the subscription begins anew.`,
    send: "Reactivate",
    pending: "The charge is being made. This takes a moment; you may leave this page.",
    failed: (why: string) => `The charge has failed. ${why} Use another payment method, or try again.`,
    failures: {
      declined: "The bank has declined.",
      insufficient_funds: "There are not enough funds.",
      expired_card: "The card has expired.",
      authentication_required: "The bank wants you to confirm it.",
      no_payment_method: "There is no payment method.",
    } as Record<string, string>,
    method: "Use another payment method",
    setUp: "Set up a payment method",
    done: "The account is active again.",
  },
  it: {
    not: "L'account non è disattivato: non c'è nulla da riattivare.",
    member: "Solo un amministratore della vostra società può riattivare l'account.",
    staff: "Solo un amministratore del cliente può riattivare l'account.",
    until: (until: string, purge: string) => `Potete riattivare l'account fino al ${until}. Il ${purge} tutto è eliminato.`,
    offer: "Che cosa ottenete, ai prezzi di oggi",
    paid: (interval: string, start: string) => `Pagamento ${interval.toLowerCase()}, dal ${start}.`,
    invoice: "Che cosa è addebitato ora",
    tick: (total: string) => `Accetto: ${total} è addebitato subito, e l'abbonamento ricomincia.`,
    send: "Riattivate",
    pending: "L'addebito è in corso. Ci vuole un momento; potete lasciare la pagina.",
    failed: (why: string) => `L'addebito non è riuscito. ${why} Usate un altro metodo di pagamento, o riprovate.`,
    failures: {
      declined: "La banca ha rifiutato.",
      insufficient_funds: "I fondi non sono sufficienti.",
      expired_card: "La carta è scaduta.",
      authentication_required: "La banca vuole una conferma.",
      no_payment_method: "Non c'è un metodo di pagamento.",
    } as Record<string, string>,
    method: "Usate un altro metodo di pagamento",
    setUp: "Impostate un metodo di pagamento",
    done: "L'account è di nuovo attivo.",
  },
});

const POLLED = 2000;

export default function Reactivation({ account }: ScreenProps) {
  const [isDone, setDone] = useState(false);
  useEffect(() => {
    // What a tab has loaded may be days old: the account may have ended meanwhile, or be active again.
    if (account.billing.value && !account.billing.isLoading) account.billing.reload();
  }, []);
  return (
    <>
      <h1>{screens().reactivation.title}</h1>
      {isDone && <Told>{words().done}</Told>}
      <Load of={account.billing}>
        {({ status }) =>
          status !== "deactivated" ? (
            !isDone && <p class="note">{words().not}</p>
          ) : account.role === "admin" ? (
            <Offered account={account} onDone={() => setDone(true)} />
          ) : (
            <>
              <p class="note">{account.role === "staff" ? words().staff : words().member}</p>
              <MayEdit />
            </>
          )
        }
      </Load>
    </>
  );
}

function Offered({ account, onDone }: Pick<ScreenProps, "account"> & { onDone: () => void }) {
  const params = { path: { account: account.id } };
  const state = useLoad(() => answer(api.GET("/accounts/{account}/reactivation", { params })), [account.id]);
  const isPending = state.value?.status === "pending";
  useEffect(() => {
    if (!isPending) return;
    const timer = setInterval(() => {
      answer(api.GET("/accounts/{account}/reactivation", { params })).then(state.set, (thrown: unknown) => {
        // Once it is active again there is no reactivation to ask for any more. Any other problem may pass: it is asked again.
        if (!(thrown instanceof Problem && thrown.code === "not-deactivated")) return;
        onDone();
        account.billing.reload();
      });
    }, POLLED);
    return () => clearInterval(timer);
  }, [isPending]);
  return (
    <Load of={state}>
      {(found) => (
        <>
          <p>{words().until(day(found.reactivate_until, "long"), day(found.purge_on, "long"))}</p>
          {found.status === "pending" && (
            <p class="note" role="status">
              {words().pending}
            </p>
          )}
          {found.status === "failed" && (
            <p class="note bad" role="alert">
              {words().failed(words().failures[found.failure ?? ""] ?? "")} <a href={account.href("billing", "payment")}>{words().method}</a>
            </p>
          )}
          {found.offer && found.status !== "pending" && <Offer account={account} of={found.offer} onAsked={state.set} onChanged={state.reload} />}
        </>
      )}
    </Load>
  );
}

interface OfferProps {
  account: ScreenProps["account"];
  of: View<"ReactivationOfferView">;
  onAsked: (state: View<"ReactivationView">) => void;
  /** The offer that was read holds no longer. */
  onChanged: () => void;
}

function Offer({ account, of, onAsked, onChanged }: OfferProps) {
  const [isTicked, setTicked] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const ask = async () => {
    setBusy(true);
    setProblem(null);
    try {
      const body = { due: of.invoice.due, confirmed: isTicked };
      onAsked(await answer(api.POST("/accounts/{account}/reactivation", { params: { path: { account: account.id } }, body })));
    } catch (thrown) {
      const found = problemOf(thrown);
      setProblem(found);
      if (found.code === "reactivation-changed") {
        setTicked(false);
        onChanged();
      }
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <section class="card" aria-labelledby="offer">
        <h2 id="offer">{words().offer}</h2>
        <p>{words().paid(intervals()(of.contract.interval_months), day(of.contract.start))}</p>
        <SubscriptionTable lines={of.lines} discounts={[]} />
      </section>
      <section class="card" aria-labelledby="charged">
        <h2 id="charged">{words().invoice}</h2>
        <Lines account={account.id} of={of.invoice} />
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void ask();
          }}
        >
          <p>
            <label>
              <input type="checkbox" checked={isTicked} onChange={({ currentTarget: { checked } }) => setTicked(checked)} />{" "}
              {words().tick(money(of.invoice.due))}
            </label>
          </p>
          {problem && <ProblemNote problem={problem} />}
          {problem?.code === "no-payment-method" && (
            <p>
              <a href={account.href("billing", "payment")}>{words().setUp}</a>
            </p>
          )}
          <p class="buttons">
            <button type="submit" class="main" disabled={!isTicked || isBusy}>
              {words().send}
            </button>
          </p>
        </form>
      </section>
    </>
  );
}
