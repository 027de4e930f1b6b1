/** Files: a document that a worker may still be writing, and a table that an answer is itself. */

import { useEffect, useRef, useState } from "preact/hooks";
import { api, answer, type Problem } from "../api";
import { both } from "../language";
import { ProblemNote, problemOf } from "./load";

const words = both({
  en: { being: "The document is being written…", ready: "Ready: open it", late: "It takes longer than usual. Try again later." },
  it: { being: "Il documento è in preparazione…", ready: "Pronto: apritelo", late: "Ci vuole più del solito. Riprovate più tardi." },
});

const POLLED = 2000;
const POLLS_MAX = 30;

interface DocumentProps {
  account: string;
  number: string;
  kind: "pdf" | "xml";
  label: string;
  title: string;
}

/** A button that opens a document of an invoice, and waits for one that is not written yet. */
export function DocumentButton({ account, number, kind, label, title }: DocumentProps) {
  const [link, setLink] = useState<string | null>(null);
  const [isWaiting, setWaiting] = useState(false);
  const [isLate, setLate] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const ready = useRef<HTMLAnchorElement>(null);
  const isGone = useRef(false);
  useEffect(() => {
    isGone.current = false;
    return () => {
      isGone.current = true;
    };
  }, []);
  useEffect(() => ready.current?.focus(), [link]);
  const ask = async () => {
    if (isWaiting) return;
    setProblem(null);
    setLate(false);
    setWaiting(true);
    try {
      for (let polls = 0; polls < POLLS_MAX && !isGone.current; polls += 1) {
        const path = { params: { path: { account, number } }, headers: { Accept: "application/json" } };
        const prepared = await answer(
          kind === "pdf"
            ? api.GET("/accounts/{account}/invoices/{number}/pdf", path)
            : api.GET("/accounts/{account}/invoices/{number}/xml", path),
        );
        if (prepared.link) {
          // Asked for by the click itself it opens at once; after a wait a browser wants another click.
          if (polls === 0) location.assign(prepared.link);
          else setLink(prepared.link);
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, POLLED));
      }
      setLate(true);
    } catch (thrown) {
      setProblem(problemOf(thrown));
    } finally {
      setWaiting(false);
    }
  };
  return (
    <>
      {link ? (
        <a ref={ready} href={link} onClick={() => setTimeout(() => setLink(null))}>
          {words().ready}
        </a>
      ) : (
        <button type="button" class="link" title={title} aria-label={title} aria-disabled={isWaiting} onClick={ask}>
          {label}
        </button>
      )}
      <span role="status">
        {(isWaiting || isLate) && <span class="small"> {isWaiting ? words().being : words().late}</span>}
      </span>
      {problem && <ProblemNote problem={problem} />}
    </>
  );
}

/** Saves a text, such as a table, as a file. A Blob keeps its byte order mark, by which spreadsheets know UTF-8. */
export function save(content: string | Blob, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
