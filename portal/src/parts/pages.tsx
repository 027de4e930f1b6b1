/** Lists that the API gives in pages. */

import { useEffect, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import type { Problem } from "../api";
import { common } from "../words/common";
import { Load, problemOf, ProblemNote, useLoad } from "./load";

interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

interface PagesProps<T> {
  /** A page; without a cursor the first one. */
  ask: (cursor: string | null) => Promise<Page<T>>;
  keys: readonly unknown[];
  children: (items: T[]) => ComponentChildren;
}

/** The items so far, and a button for more. */
export function Pages<T>({ ask, keys, children }: PagesProps<T>) {
  const first = useLoad(() => ask(null), keys);
  const [more, setMore] = useState<T[]>([]);
  const [cursor, setCursor] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    setMore([]);
    setCursor(first.value?.next_cursor ?? null);
  }, [first.value]);
  const next = async () => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    try {
      const page = await ask(cursor);
      setMore((before) => [...before, ...page.items]);
      setCursor(page.next_cursor);
    } catch (thrown) {
      setProblem(problemOf(thrown));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Load of={first}>
      {({ items }) => (
        <>
          {children([...items, ...more])}
          {problem && <ProblemNote problem={problem} />}
          {cursor && (
            <p>
              <button type="button" aria-disabled={isBusy} onClick={next}>
                {common().more}
              </button>
            </p>
          )}
        </>
      )}
    </Load>
  );
}
