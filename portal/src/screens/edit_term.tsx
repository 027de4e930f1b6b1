/** A change of the contract's term that our staff have proposed: what it does to the invoices to come, and an admin's consent. */

import { useState } from "preact/hooks";
import { useAccount, type Account } from "../account";
import { answer, api, type Problem, type View } from "../api";
import { day, instant, money, number } from "../format";
import { both } from "../language";
import { MayEdit } from "../parts/admins";
import { Load, problemOf, ProblemNote, useLoad } from "../parts/load";
import { Facts, Table } from "../parts/table";
import { intervals } from "../words/common";

type Change = View<"TermChangeView">;
type Changed = View<"ChangedTermView">;

const words = both({
  en: {
    title: "Contract term",
    now: "Today",
    none: "No change of the term has been proposed.",
    proposed: "Our staff propose another term",
    statuses: {
      proposed: "Waits for your consent",
      agreed: "Agreed",
      taken_back: "Taken back",
      replaced: "Replaced by another one",
      lapsed: "Lapsed",
    } satisfies Record<View<"TermState">, string>,
    status: "Status",
    term: "Term",
    from: "From",
    currency: "Currency",
    reason: "Reason",
    proposedAt: "Proposed",
    agreedAt: "Agreed",
    lapses: (on: string) => `Without the consent of an admin nothing changes on ${on}.`,
    invoices: "The invoices to come",
    on: "Day",
    with: "With the change",
    without: "Without it",
    prices: "Prices in the new currency, per month",
    product: "Product",
    before: "Today",
    after: "From then on",
    upTo: (volume: string) => `up to ${volume}`,
    obstacles: "What must be settled before that day, or the change lapses",
    tick: (on: string) => `I agree to the new term from ${on}.`,
    agree: "Agree",
    decline: "Decline",
    takeBack: "Take the change back",
    agreed: "You have agreed.",
    declined: "The change is taken back: the term stays as it is.",
    left: "What was left",
    codes: {
      cancelled: "the account is cancelled",
      credit: "credit in the old currency",
      "unpaid-invoice": "an unpaid invoice",
      "refund-under-way": "a refund under way",
      "disputed-payment": "a disputed payment",
      "one-off": "a one-off charge that waits",
      "agreed-price": "a price agreed in the old currency",
      "fixed-discount": "a discount of a fixed amount",
      "payment-method": "a payment method that cannot pay the new currency",
      "no-price": "a product without a price in the new currency",
      "catalogue-version": "a coming change of prices",
    } satisfies Record<View<"ObstacleCode">, string>,
  },
  it: {
    title: "Durata del contratto",
    now: "Oggi",
    none: "Nessuna modifica della durata è stata proposta.",
    proposed: "Il nostro personale propone un'altra durata",
    statuses: {
      proposed: "Attende il vostro consenso",
      agreed: "Concordata",
      taken_back: "Ritirata",
      replaced: "Sostituita da un'altra",
      lapsed: "Decaduta",
    } satisfies Record<View<"TermState">, string>,
    status: "Stato",
    term: "Durata",
    from: "Dal",
    currency: "Valuta",
    reason: "Motivo",
    proposedAt: "Proposta",
    agreedAt: "Concordata",
    lapses: (on: string) => `Senza il consenso di un amministratore il ${on} non cambia nulla.`,
    invoices: "Le prossime fatture",
    on: "Giorno",
    with: "Con la modifica",
    without: "Senza",
    prices: "Prezzi nella nuova valuta, al mese",
    product: "Prodotto",
    before: "Oggi",
    after: "Da allora",
    upTo: (volume: string) => `fino a ${volume}`,
    obstacles: "Che cosa va regolato prima di quel giorno, o la modifica decade",
    tick: (on: string) => `Accetto la nuova durata dal ${on}.`,
    agree: "Accettate",
    decline: "Rifiutate",
    takeBack: "Ritirate la modifica",
    agreed: "Avete accettato.",
    declined: "La modifica è ritirata: la durata resta com'è.",
    left: "Che cosa restava",
    codes: {
      cancelled: "l'account è cancellato",
      credit: "credito nella vecchia valuta",
      "unpaid-invoice": "una fattura non pagata",
      "refund-under-way": "un rimborso in corso",
      "disputed-payment": "un pagamento contestato",
      "one-off": "un addebito unico in attesa",
      "agreed-price": "un prezzo concordato nella vecchia valuta",
      "fixed-discount": "uno sconto di importo fisso",
      "payment-method": "un metodo di pagamento che non può pagare la nuova valuta",
      "no-price": "un prodotto senza prezzo nella nuova valuta",
      "catalogue-version": "una modifica dei prezzi in arrivo",
    } satisfies Record<View<"ObstacleCode">, string>,
  },
});

export default function EditTerm() {
  const account = useAccount();
  const params = { path: { account: account.id } };
  const term = useLoad(() => answer(api.GET("/accounts/{account}/contract/term", { params })), [account.id]);
  const [said, setSaid] = useState<string | null>(null);
  const changed = (words: string) => {
    setSaid(words);
    term.reload();
    account.billing.reload();
  };
  return (
    <section class="card" aria-labelledby="term">
      <h2 id="term">{words().title}</h2>
      <p role="status">{said}</p>
      <Load of={term}>
        {({ interval_months, currency, change }) => (
          <>
            <Facts facts={[[words().now, `${intervals()(interval_months)}, ${currency}`]]} />
            {change ? <Change account={account} of={change} onDone={changed} /> : <p class="empty">{words().none}</p>}
          </>
        )}
      </Load>
      <MayEdit />
    </section>
  );
}

interface ChangeProps {
  account: Account;
  of: Change;
  onDone: (said: string) => void;
}

function Change({ account, of, onDone }: ChangeProps) {
  const text = words();
  const zone = account.billing.value?.contract.time_zone ?? "UTC";
  const isOpen = of.status === "proposed";
  return (
    <>
      {isOpen && <h3>{text.proposed}</h3>}
      <Facts
        facts={[
          [text.status, text.statuses[of.status]],
          [text.term, intervals()(of.interval_months)],
          [text.currency, of.currency],
          [text.from, day(of.since, "long")],
          [text.reason, of.reason],
          [text.proposedAt, instant(of.proposed_at, zone)],
          [text.agreedAt, of.agreed_at && instant(of.agreed_at, zone)],
          [text.left, of.left.length ? of.left.map((code) => text.codes[code]).join("\n") : null],
        ]}
      />
      {isOpen && <p>{text.lapses(day(of.since, "long"))}</p>}
      {account.role === "admin" && isOpen && <Consent account={account} of={of} onDone={onDone} />}
      {account.role === "admin" && of.status === "agreed" && (
        <TakeBack account={account} name={text.takeBack} onDone={() => onDone(text.declined)} />
      )}
    </>
  );
}

function Consent({ account, of, onDone }: ChangeProps) {
  const text = words();
  const params = { path: { account: account.id } };
  const body = { term: of.term };
  const [isTicked, setTicked] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const preview = useLoad(
    () =>
      answer(
        api.POST("/accounts/{account}/contract/term/consent", { params: { ...params, query: { preview: true } }, body }),
      ),
    [account.id, of.term],
  );
  const agree = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await answer(api.POST("/accounts/{account}/contract/term/consent", { params, body }));
      onDone(text.agreed);
    } catch (thrown) {
      setProblem(problemOf(thrown));
      setBusy(false);
    }
  };
  return (
    <Load of={preview}>
      {(found) => (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void agree();
          }}
        >
          <ToCome of={found} />
          <p>
            <label>
              <input type="checkbox" checked={isTicked} onChange={({ currentTarget: { checked } }) => setTicked(checked)} />{" "}
              {text.tick(day(of.since, "long"))}
            </label>
          </p>
          {problem && <ProblemNote problem={problem} />}
          <p class="buttons">
            <button type="submit" class="main" disabled={!isTicked || isBusy}>
              {text.agree}
            </button>
            <TakeBack account={account} name={text.decline} onDone={() => onDone(text.declined)} />
          </p>
        </form>
      )}
    </Load>
  );
}

function TakeBack({ account, name, onDone }: { account: Account; name: string; onDone: () => void }) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const takeBack = () => {
    setProblem(null);
    answer(api.DELETE("/accounts/{account}/contract/term", { params: { path: { account: account.id } } })).then(
      onDone,
      (thrown: unknown) => setProblem(problemOf(thrown)),
    );
  };
  return (
    <>
      <button type="button" onClick={takeBack}>
        {name}
      </button>
      {problem && <ProblemNote problem={problem} />}
    </>
  );
}

/** The invoices to come with the change and without it, day by day; with another currency its prices too. */
function ToCome({ of: { follows, prices, obstacles } }: { of: Changed }) {
  const text = words();
  const days = [...new Set([...follows.invoices, ...follows.invoices_without].map(({ on }) => on))].sort();
  const total = (invoices: View<"NextChargeView">[], on: string) => {
    const found = invoices.find((each) => each.on === on);
    return found ? money(found.total) : "–";
  };
  return (
    <>
      <h3>{text.invoices}</h3>
      <Table
        caption={text.invoices}
        empty="–"
        rows={days}
        name={(on) => on}
        columns={[
          { head: text.on, cell: (on) => day(on) },
          { head: text.with, isNumber: true, cell: (on) => total(follows.invoices, on) },
          { head: text.without, isNumber: true, cell: (on) => total(follows.invoices_without, on) },
        ]}
      />
      {prices.length > 0 && (
        <>
          <h3>{text.prices}</h3>
          <Table
            caption={text.prices}
            empty="–"
            rows={prices}
            name={({ product }) => product}
            columns={[
              {
                head: text.product,
                cell: ({ product, up_to }) => `${product}${up_to === null ? "" : `, ${text.upTo(number(up_to))}`}`,
              },
              { head: text.before, isNumber: true, cell: ({ before }) => money(before) },
              { head: text.after, isNumber: true, cell: ({ after }) => money(after) },
            ]}
          />
        </>
      )}
      {obstacles.length > 0 && (
        <>
          <h3>{text.obstacles}</h3>
          <ul>
            {obstacles.map(({ code, of }) => (
              <li key={`${code} ${of}`}>
                {text.codes[code]}
                {of && ` (${of})`}
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}
