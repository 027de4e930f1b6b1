/**
 * Cancellation: every date and charge first, then the reason, then the confirmation. Only an admin can do it; nobody of the
 * vendor can do it for them. Until the last day it can be taken back.
 */

import { useEffect, useRef, useState } from "preact/hooks";
import type { ScreenProps } from "./load";
import { answer, api, type FieldError, Problem, type View } from "../api";
import { config } from "../config";
import { day, instant, money } from "../format";
import { both } from "../language";
import { MayEdit } from "../parts/admins";
import { Field, type Form, FormBox, useForm } from "../parts/form";
import { Load, problemOf, ProblemNote, useLoad } from "../parts/load";
import { Facts, Table } from "../parts/table";
import { Told } from "../parts/told";
import { screens } from "../words/common";

type Cancellation = View<"CancellationView">;
type Consequences = View<"ConsequencesView">;
type Reason = View<"Reason">;

const words = both({
  en: {
    member: "Only an admin of your company can cancel. We never can, also if you ask us.",
    staff: "Only an admin of the customer can cancel. Our staff never can.",
    consequences: "1. What happens if you cancel now",
    notice: "Your notice ends",
    active: "The subscription stays active until",
    due: "What is still charged until then",
    on: "Day",
    net: "Before tax",
    tax: "Tax",
    total: "Total",
    nothingDue: "Nothing more is charged.",
    sum: (count: number, total: string) => (count === 1 ? `One charge, ${total} in all.` : `${count} charges, ${total} in all.`),
    avoid: "The next charge that a notice avoids",
    lastDay: "To avoid it, cancel by",
    deleted: "Everything is deleted on",
    deletedHow: "After the end an admin can still reactivate the account until that day. Then everything is deleted but what the law keeps.",
    products: "Products that stop working then",
    toPay: "Still to pay from earlier invoices",
    toRepay: "Credit that is repaid to you",
    lapses: "Price reductions that lapse",
    prices: (on: string, last: string) => `Prices change on ${on}. Whoever cancels by ${last} never pays them.`,
    help: "Is something wrong?",
    helpHow: "You need not talk to anybody to cancel. If you like to, your customer success manager helps:",
    review: "look for a lower tier together",
    write: "write to us",
    reason: "2. Why do you cancel?",
    choose: "Choose a reason",
    reasons: {
      too_expensive: "Too expensive",
      not_used: "We do not use it",
      missing_features: "Something is missing",
      other_vendor: "We go to another vendor",
      closing_business: "We close our business",
      other: "Something else",
    } satisfies Record<Reason, string>,
    text: "In a few words",
    textHint: (count: number) => `10 to 2,000 characters; ${count} now.`,
    confirm: "3. Confirm",
    tick: (until: string) => `I have read it: the subscription ends on ${until}, and everything is deleted afterwards.`,
    tickFirst: "Tick the box first.",
    send: "I understand - cancel the subscription now!",
    sending: "Being cancelled…",
    keep: "Keep the subscription",
    changed: "The dates or charges have changed since you read them. Here is what holds now.",
    done: "The subscription is cancelled",
    receipt: "Receipt",
    requested: "Requested",
    by: "By",
    why: "Reason",
    print: "Print",
    takeBack: "Take the cancellation back",
    takeBackHow: (until: string) => `Until ${until} an admin can take it back, and all goes on as before.`,
    takenBack: "The cancellation is taken back.",
    ended: "The account has ended. It can be reactivated until everything is deleted.",
    reactivate: "To the reactivation",
  },
  it: {
    member: "Solo un amministratore della vostra società può cancellare. Noi non possiamo mai, anche se ce lo chiedete.",
    staff: "Solo un amministratore del cliente può cancellare. Il nostro personale non può mai.",
    consequences: "1. Che cosa succede se cancellate ora",
    notice: "Il preavviso finisce",
    active: "L'abbonamento resta attivo fino al",
    due: "Che cosa viene ancora addebitato fino ad allora",
    on: "Giorno",
    net: "Prima delle imposte",
    tax: "Imposta",
    total: "Totale",
    nothingDue: "Non viene addebitato più nulla.",
    sum: (count: number, total: string) => (count === 1 ? `Un addebito, in tutto ${total}.` : `${count} addebiti, in tutto ${total}.`),
    avoid: "Il prossimo addebito che una disdetta evita",
    lastDay: "Per evitarlo cancellate entro il",
    deleted: "Tutto è eliminato il",
    deletedHow: "Dopo la fine un amministratore può ancora riattivare l'account fino a quel giorno. Poi tutto è eliminato, salvo ciò che la legge conserva.",
    products: "Prodotti che allora non funzionano più",
    toPay: "Ancora da pagare da fatture precedenti",
    toRepay: "Credito che vi viene rimborsato",
    lapses: "Riduzioni di prezzo che decadono",
    prices: (on: string, last: string) => `I prezzi cambiano il ${on}. Chi cancella entro il ${last} non li paga mai.`,
    help: "Qualcosa non va?",
    helpHow: "Per cancellare non dovete parlare con nessuno. Se volete, il vostro customer success manager vi aiuta:",
    review: "cercate insieme una fascia inferiore",
    write: "scriveteci",
    reason: "2. Perché cancellate?",
    choose: "Scegliete un motivo",
    reasons: {
      too_expensive: "Troppo caro",
      not_used: "Non lo usiamo",
      missing_features: "Manca qualcosa",
      other_vendor: "Passiamo a un altro fornitore",
      closing_business: "Chiudiamo l'attività",
      other: "Altro",
    } satisfies Record<Reason, string>,
    text: "In poche parole",
    textHint: (count: number) => `Da 10 a 2.000 caratteri; ora ${count}.`,
    confirm: "3. Confermate",
    tick: (until: string) => `Ho letto: l'abbonamento finisce il ${until}, e poi tutto è eliminato.`,
    tickFirst: "Prima spuntate la casella.",
    send: "Capisco - cancella l'abbonamento ora!",
    sending: "Cancellazione in corso…",
    keep: "Mantenete l'abbonamento",
    changed: "Le date o gli addebiti sono cambiati da quando li avete letti. Ecco che cosa vale ora.",
    done: "L'abbonamento è cancellato",
    receipt: "Ricevuta",
    requested: "Richiesta",
    by: "Da",
    why: "Motivo",
    print: "Stampate",
    takeBack: "Annullate la cancellazione",
    takeBackHow: (until: string) => `Fino al ${until} un amministratore può annullarla, e tutto continua come prima.`,
    takenBack: "La cancellazione è annullata.",
    ended: "L'account è terminato. Può essere riattivato finché tutto non è eliminato.",
    reactivate: "Alla riattivazione",
  },
});

export default function CancellationScreen({ account }: ScreenProps) {
  return (
    <>
      <h1>{screens().cancellation.title}</h1>
      {account.role === "admin" ? (
        <ForAdmin account={account} />
      ) : (
        <>
          <p class="note">{account.role === "staff" ? words().staff : words().member}</p>
          <MayEdit />
        </>
      )}
    </>
  );
}

function ForAdmin({ account }: Pick<ScreenProps, "account">) {
  const params = { path: { account: account.id } };
  const state = useLoad(() => answer(api.GET("/accounts/{account}/cancellation", { params })), [account.id]);
  const [isTakenBack, setTakenBack] = useState(false);
  const [isAsked, setAsked] = useState(false);
  const changed = () => {
    state.reload();
    account.billing.reload();
  };
  return (
    <Load of={state}>
      {(found) => (
        <>
          {isTakenBack && !found.receipt && <Told>{words().takenBack}</Told>}
          {found.status === "deactivated" ? (
            <p class="note">
              {words().ended} <a href={account.href("reactivation")}>{words().reactivate}</a>
            </p>
          ) : found.receipt ? (
            <Receipt
              account={account}
              receipt={found.receipt}
              isNew={isAsked}
              onTakenBack={() => {
                setTakenBack(true);
                changed();
              }}
            />
          ) : found.preview ? (
            <Ask
              account={account}
              of={found}
              preview={found.preview}
              onDone={(receipt) => {
                // Shown at once: whoever still saw the question would send it again.
                setAsked(true);
                state.set({ ...found, status: "cancelling", preview: null, receipt });
                account.billing.reload();
              }}
            />
          ) : null}
        </>
      )}
    </Load>
  );
}

interface AskProps {
  account: ScreenProps["account"];
  of: Cancellation;
  preview: Consequences;
  onDone: (receipt: View<"ReceiptView">) => void;
}

/** Of the text, as the API takes it. */
const TEXT_MIN = 10;

interface Typed {
  reason: Reason | "";
  text: string;
}

function Ask({ account, of, preview: first, onDone }: AskProps) {
  const form = useForm<Typed>(`${account.id}.cancellation`, { reason: "", text: "" });
  const [preview, setPreview] = useState(first);
  const [isTicked, setTicked] = useState(false);
  const [isRefused, setRefused] = useState(false);
  const receipt = useRef<View<"ReceiptView"> | null>(null);
  const text = words();
  const send = async ({ reason, text: words }: Typed) => {
    const body = { reason: reason as Reason, text: words, confirmed: isTicked, active_until: preview.active_until, charges: preview.charges };
    try {
      receipt.current = await answer(api.POST("/accounts/{account}/cancellation", { params: { path: { account: account.id } }, body }));
    } catch (thrown) {
      // What was read does not hold any more: it is shown as it is now, and has to be confirmed anew.
      if (thrown instanceof Problem && thrown.body.preview) {
        setPreview(thrown.body.preview);
        setTicked(false);
      }
      throw thrown;
    }
  };
  return (
    <>
      <section class="card" aria-labelledby="consequences">
        <h2 id="consequences">{text.consequences}</h2>
        {preview !== first && (
          <p class="note warn" role="alert">
            {text.changed}
          </p>
        )}
        <Dates of={preview} />
        <Charges of={preview.charges_still_due} sum={text.sum(preview.charges.invoices, money(preview.charges.total))} />
        <Facts
          facts={[
            [text.avoid, day(preview.next_avoidable_renewal, "long")],
            [text.lastDay, day(preview.last_day_to_avoid_it, "long")],
            [text.products, of.products_in_use.join(", ") || null],
            [text.toPay, of.to_pay.amount ? money(of.to_pay) : null],
            [text.toRepay, of.to_repay.amount ? money(of.to_repay) : null],
            [text.lapses, preview.goodwill_lapses.amount ? money(preview.goodwill_lapses) : null],
          ]}
        />
        {of.pending_version && (
          <p>{text.prices(day(of.pending_version.effective_on), day(of.pending_version.last_day_to_avoid_it))}</p>
        )}
        <h3>{text.help}</h3>
        <p>
          {text.helpHow} <a href={account.href("reviews")}>{text.review}</a>
          {config.support && (
            <>
              , <a href={`mailto:${config.support}`}>{text.write}</a>
            </>
          )}
          .
        </p>
      </section>
      <section class="card" aria-labelledby="reason">
        <h2 id="reason">{text.reason}</h2>
        <FormBox
          form={form}
          send={text.send}
          onSend={async (values) => {
            setRefused(!isTicked);
            const errors = missing(values);
            if (!isTicked || errors.length) throw new Problem(422, { errors }, null);
            await send(values);
          }}
          onDone={() => receipt.current && onDone(receipt.current)}
          onGiveUp={() => {
            location.hash = account.href("billing");
          }}
          giveUp={text.keep}
        >
          <Why form={form} reasons={of.reasons} />
          <h2>{text.confirm}</h2>
          <p>
            <label>
              <input
                type="checkbox"
                checked={isTicked}
                {...(isRefused && !isTicked ? { "aria-invalid": true as const, "aria-describedby": "tick-first" } : {})}
                onChange={({ currentTarget: { checked } }) => setTicked(checked)}
              />{" "}
              {text.tick(day(preview.active_until, "long"))}
            </label>
          </p>
          {isRefused && !isTicked && (
            <p id="tick-first" class="error">
              {text.tickFirst}
            </p>
          )}
        </FormBox>
      </section>
    </>
  );
}

/** What the API would refuse, said together with the tick that is missing, and not after it. */
function missing({ reason, text }: Typed): FieldError[] {
  const length = [...text.trim()].length;
  return [
    ...(reason ? [] : [{ pointer: "#/reason", code: "missing" as const, detail: "" }]),
    ...(length < TEXT_MIN ? [{ pointer: "#/text", code: "too-short" as const, detail: "", limits: { min: TEXT_MIN } }] : []),
  ];
}

function Why({ form, reasons }: { form: Form<Typed>; reasons: Reason[] }) {
  const text = words();
  return (
    <>
      <Field label={text.choose} error={form.errorOf("reason")}>
        {(field) => (
          <select {...field} value={form.values.reason} onChange={({ currentTarget: { value } }) => form.set("reason", value as Reason)}>
            <option value="">–</option>
            {reasons.map((each) => (
              <option key={each} value={each}>
                {text.reasons[each]}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label={text.text} error={form.errorOf("text")} hint={text.textHint([...form.values.text.trim()].length)}>
        {(field) => (
          <textarea
            {...field}
            rows={4}
            maxLength={2000}
            value={form.values.text}
            onInput={({ currentTarget: { value } }) => form.set("text", value)}
          />
        )}
      </Field>
    </>
  );
}

function Dates({ of }: { of: Pick<Consequences, "notice_ends" | "active_until" | "purge_on"> }) {
  const text = words();
  return (
    <>
      <Facts
        facts={[
          [text.notice, day(of.notice_ends, "long")],
          [text.active, <strong key="until">{day(of.active_until, "long")}</strong>],
          [text.deleted, day(of.purge_on, "long")],
        ]}
      />
      <p class="small">{text.deletedHow}</p>
    </>
  );
}

function Charges({ of, sum }: { of: View<"DueChargeView">[]; sum?: string }) {
  const text = words();
  return (
    <>
      <h3>{text.due}</h3>
      <Table
        caption={text.due}
        empty={text.nothingDue}
        rows={of}
        name={({ on }) => on}
        columns={[
          { head: text.on, cell: ({ on }) => day(on, "long") },
          { head: text.net, isNumber: true, cell: ({ net }) => money(net) },
          { head: text.tax, isNumber: true, cell: ({ tax }) => (tax ? money(tax) : "–") },
          { head: text.total, isNumber: true, cell: ({ total, amount }) => money(total ?? amount) },
        ]}
      />
      {sum && of.length > 0 && <p>{sum}</p>}
    </>
  );
}

interface ReceiptProps {
  account: ScreenProps["account"];
  receipt: View<"ReceiptView">;
  /** Whether it was cancelled just now, on this screen. */
  isNew: boolean;
  onTakenBack: () => void;
}

function Receipt({ account, receipt, isNew, onTakenBack }: ReceiptProps) {
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (isNew) title.current?.focus();
  }, []);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const text = words();
  const zone = account.billing.value?.contract.time_zone ?? "UTC";
  const takeBack = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await answer(api.DELETE("/accounts/{account}/cancellation", { params: { path: { account: account.id } } }));
      onTakenBack();
    } catch (thrown) {
      setProblem(problemOf(thrown));
      setBusy(false);
    }
  };
  return (
    <section class="card" aria-labelledby="receipt">
      <h2 id="receipt" ref={title} tabIndex={-1}>
        {text.done}
      </h2>
      <Facts
        facts={[
          [text.receipt, receipt.receipt],
          [text.requested, instant(receipt.requested_at, zone)],
          [
            text.by,
            <>
              <bdi>{receipt.requested_by.name}</bdi> ({receipt.requested_by.email})
            </>,
          ],
          [
            text.why,
            <>
              {text.reasons[receipt.reason]}
              <br />
              <bdi>{receipt.text}</bdi>
            </>,
          ],
          [text.lapses, receipt.goodwill_lapses?.amount ? money(receipt.goodwill_lapses) : null],
        ]}
      />
      <Dates of={receipt} />
      <Charges of={receipt.charges_still_due} />
      <p>{text.takeBackHow(day(receipt.active_until, "long"))}</p>
      {problem && <ProblemNote problem={problem} />}
      <p class="buttons">
        <button type="button" disabled={isBusy} onClick={takeBack}>
          {text.takeBack}
        </button>
        <button type="button" onClick={() => print()}>
          {text.print}
        </button>
      </p>
    </section>
  );
}

