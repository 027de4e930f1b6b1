/** A new card or bank account: the number is typed into a form of Stripe, and never reaches this page. */

import { useEffect, useRef, useState } from "preact/hooks";
import { useAccount } from "../account";
import { answer, api, type Problem, type View } from "../api";
import { language, both } from "../language";
import { problemOf, ProblemNote, Wait } from "../parts/load";
import { mountSetupForm, type SetupForm, type StripeFailure, StripeFault } from "../stripe";
import { common } from "../words/common";
import { stripeSaid } from "../words/stripe";

const words = both({
  en: {
    title: "Payment method",
    replaces: "The new one replaces the old one. The details of the old one are deleted, here and at the payment service.",
    how: "How do you want to pay?",
    card: "By card",
    sepa_debit: "By SEPA direct debit from a bank account",
    save: "Save and pay with it from now on",
    saving: "Being saved…",
    saved: "Saved. Your next charges are made with it.",
    done: "To billing",
    unavailable: "This method is not offered for your account.",
  },
  it: {
    title: "Metodo di pagamento",
    replaces: "Il nuovo sostituisce il vecchio. I dati del vecchio sono eliminati, qui e presso il servizio di pagamento.",
    how: "Come volete pagare?",
    card: "Con carta",
    sepa_debit: "Con addebito diretto SEPA su un conto bancario",
    save: "Salvate e pagate così d'ora in poi",
    saving: "Salvataggio in corso…",
    saved: "Salvato. I prossimi addebiti avvengono così.",
    done: "Alla fatturazione",
    unavailable: "Questo metodo non è previsto per il vostro account.",
  },
});

type Method = "card" | "sepa_debit";

export default function EditPayment({ page }: { page: View<"BillingPageView"> }) {
  const account = useAccount();
  const [method, setMethod] = useState<Method>(page.payment_details.method === "sepa_debit" ? "sepa_debit" : "card");
  const [isSaved, setSaved] = useState(false);
  // A debit is collected in euros only.
  const methods: Method[] = page.contract.currency === "EUR" ? ["card", "sepa_debit"] : ["card"];
  const told = useRef<HTMLDivElement>(null);
  // The button that was pressed is gone.
  useEffect(() => {
    if (isSaved) told.current?.focus();
  }, [isSaved]);
  if (isSaved) {
    return (
      <div class="note" role="status" ref={told} tabIndex={-1}>
        <p>{words().saved}</p>
        <p>
          <a href={account.href("billing")}>{words().done}</a>
        </p>
      </div>
    );
  }
  return (
    <section class="card" aria-labelledby="method">
      <h2 id="method">{words().title}</h2>
      {page.payment_details.method && <p>{words().replaces}</p>}
      {methods.length > 1 && (
        <fieldset class="choices">
          <legend>{words().how}</legend>
          {methods.map((each) => (
            <label key={each}>
              <input type="radio" name="method" checked={method === each} onChange={() => setMethod(each)} /> {words()[each]}
            </label>
          ))}
        </fieldset>
      )}
      <SetUp
        key={method}
        method={method}
        onSaved={() => {
          account.billing.reload();
          setSaved(true);
        }}
      />
    </section>
  );
}

/** The id of the set-up that Stripe has taken. Raises StripeFault. */
async function confirmedBy(form: SetupForm): Promise<string> {
  const result = await form.confirm();
  if ("failure" in result) throw new StripeFault(result.failure);
  return result.setup_intent;
}

function SetUp({ method, onSaved }: { method: Method; onSaved: () => void }) {
  const account = useAccount();
  const box = useRef<HTMLDivElement>(null);
  const form = useRef<SetupForm | null>(null);
  const [isReady, setReady] = useState(false);
  const [isSaving, setSaving] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [failure, setFailure] = useState<StripeFailure | null>(null);
  const [tried, setTried] = useState(0);
  /** What Stripe has taken already. If only our own part has failed, nothing is typed again. */
  const confirmed = useRef<string | null>(null);
  useEffect(() => {
    let isShown = true;
    const begin = async () => {
      const setup = await answer(
        api.POST("/accounts/{account}/payment-method/setup", { params: { path: { account: account.id } }, body: { method } }),
      );
      if (!isShown || !box.current) return;
      form.current = await mountSetupForm(box.current, setup, language());
      if (isShown) setReady(true);
      else form.current.destroy();
    };
    setProblem(null);
    setFailure(null);
    setReady(false);
    confirmed.current = null;
    begin().catch((thrown: unknown) => {
      if (!isShown) return;
      if (thrown instanceof StripeFault) setFailure(thrown.stripe);
      else setProblem(problemOf(thrown));
    });
    return () => {
      isShown = false;
      form.current?.destroy();
      form.current = null;
    };
  }, [account.id, method, tried, language()]);
  const confirm = async () => {
    if (!form.current || isSaving) return;
    setSaving(true);
    setFailure(null);
    setProblem(null);
    try {
      confirmed.current ??= await confirmedBy(form.current);
      const body = { setup_intent: confirmed.current };
      await answer(api.PUT("/accounts/{account}/payment-method", { params: { path: { account: account.id } }, body }));
      onSaved();
    } catch (thrown) {
      setSaving(false);
      if (thrown instanceof StripeFault) setFailure(thrown.stripe);
      else setProblem(problemOf(thrown));
    }
  };
  // What the API refuses for good wants another card; what has failed is sent again.
  const isFinal = problem !== null && problem.status >= 400 && problem.status < 500 && problem.status !== 429;
  const again = () => (confirmed.current && !isFinal ? void confirm() : setTried(tried + 1));
  const isNotOffered = problem?.errors.some(({ pointer }) => pointer === "#/method") ?? false;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void confirm();
      }}
    >
      {!isReady && !problem && !failure && <Wait />}
      <div ref={box} class="stripe" />
      {failure && (
        <div role="alert">
          <p class="error">{stripeSaid(failure)}</p>
          {!isReady && (
            <button type="button" onClick={again}>
              {common().again}
            </button>
          )}
        </div>
      )}
      {isNotOffered && (
        <p role="alert" class="error">
          {words().unavailable}
        </p>
      )}
      {problem && !isNotOffered && <ProblemNote problem={problem} again={again} />}
      <p class="buttons">
        <button type="submit" class="main" disabled={!isReady} aria-disabled={isSaving}>
          {isSaving ? words().saving : words().save}
        </button>
        <a class="button" href={account.href("billing")}>
          {common().cancel}
        </a>
      </p>
    </form>
  );
}
