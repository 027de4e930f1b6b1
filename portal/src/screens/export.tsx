/** Everything that is kept about the account, as one file. */

import { useEffect, useState } from "preact/hooks";
import type { ScreenProps } from "./load";
import { answer, api, type Problem } from "../api";
import { instant, number } from "../format";
import { both } from "../language";
import { MayEdit } from "../parts/admins";
import { Load, problemOf, ProblemNote, useLoad } from "../parts/load";
import { screens } from "../words/common";

const words = both({
  en: {
    intro: "One file with everything that we keep about your account: subscription, invoices with their documents, usage, decisions, users, the log.",
    none: "No export has been asked for.",
    expired: "The last export is not kept any more.",
    ask: "Ask for an export",
    again: "Ask for a new one",
    preparing: "The export is being prepared. You may leave this page: a mail comes when it is ready.",
    ready: (until: string) => `Ready until ${until}.`,
    files: (count: string) => `${count} files.`,
    open: "Download the export",
    staff: "Only an admin of the customer can export the account.",
  },
  it: {
    intro: "Un file con tutto ciò che conserviamo sul vostro account: abbonamento, fatture con i documenti, utilizzo, decisioni, utenti, registro.",
    none: "Nessuna esportazione è stata chiesta.",
    expired: "L'ultima esportazione non è più conservata.",
    ask: "Chiedete un'esportazione",
    again: "Chiedetene una nuova",
    preparing: "L'esportazione è in preparazione. Potete lasciare la pagina: quando è pronta arriva un'e-mail.",
    ready: (until: string) => `Pronta fino al ${until}.`,
    files: (count: string) => `${count} file.`,
    open: "Scaricate l'esportazione",
    staff: "Solo un amministratore del cliente può esportare l'account.",
  },
});

const POLLED = 3000;

export default function Export({ account }: ScreenProps) {
  const isAdmin = account.role === "admin";
  return (
    <>
      <h1>{screens().export.title}</h1>
      <p>{words().intro}</p>
      {account.role === "staff" && <p class="note">{words().staff}</p>}
      {isAdmin ? <ForAdmin account={account} /> : <MayEdit />}
    </>
  );
}

function ForAdmin({ account }: Pick<ScreenProps, "account">) {
  const params = { path: { account: account.id } };
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const state = useLoad(() => answer(api.GET("/accounts/{account}/export", { params })), [account.id]);
  const isPreparing = state.value?.status === "preparing";
  useEffect(() => {
    if (!isPreparing) return;
    const timer = setInterval(state.reload, POLLED);
    return () => clearInterval(timer);
  }, [isPreparing]);
  const act = async (request: () => Promise<void>) => {
    setBusy(true);
    setProblem(null);
    try {
      await request();
    } catch (thrown) {
      setProblem(problemOf(thrown));
    } finally {
      setBusy(false);
    }
  };
  const ask = () => act(async () => state.set(await answer(api.POST("/accounts/{account}/export", { params }))));
  // The link of an answer works for minutes, the page may have been open for hours: each click asks for a new one.
  const open = () =>
    act(async () => {
      const found = await answer(api.GET("/accounts/{account}/export", { params }));
      state.set(found);
      if (found.link) location.assign(found.link);
    });
  const zone = account.billing.value?.contract.time_zone ?? "UTC";
  const text = words();
  return (
    <Load of={state}>
      {({ status, until, files }) => (
        <section class="card" aria-label={screens().export.title}>
          <div role="status">
            {status === "none" && <p>{text.none}</p>}
            {status === "expired" && <p>{text.expired}</p>}
            {status === "preparing" && <p>{text.preparing}</p>}
            {status === "ready" && until && (
              <p>
                {text.ready(instant(until, zone))} {files !== null && text.files(number(files))}
              </p>
            )}
          </div>
          {problem && <ProblemNote problem={problem} />}
          <p class="buttons">
            {status === "ready" && (
              <button type="button" class="main" disabled={isBusy} onClick={open}>
                {text.open}
              </button>
            )}
            {status !== "preparing" && (
              <button type="button" disabled={isBusy} onClick={ask}>
                {status === "none" ? text.ask : text.again}
              </button>
            )}
          </p>
        </section>
      )}
    </Load>
  );
}
