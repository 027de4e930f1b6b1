/** What is loaded, while it loads, and when it cannot be: every screen has these three states from here. */

import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type FieldError, Problem } from "../api";
import { common } from "../words/common";
import { fieldSaid, said } from "../words/problems";
import { People } from "./people";

export interface Loading<T> {
  value: T | null;
  problem: Problem | null;
  isLoading: boolean;
  /** Loads again. What there is stays until the answer has come. */
  reload: () => void;
  /** Takes an answer that a change has given. */
  set: (value: T) => void;
}

/** Loads by `ask` whenever one of `keys` changes. An answer that is overtaken by a later question is dropped. */
export function useLoad<T>(ask: () => Promise<T>, keys: readonly unknown[]): Loading<T> {
  const [state, setState] = useState<Pick<Loading<T>, "value" | "problem" | "isLoading">>(NOTHING);
  const asked = useRef(0);
  const load = useCallback((keep: boolean) => {
    const mine = ++asked.current;
    const isLast = () => mine === asked.current;
    setState((before) => ({ value: keep ? before.value : null, problem: null, isLoading: true }));
    ask().then(
      (value) => isLast() && setState({ value, problem: null, isLoading: false }),
      (thrown: unknown) => isLast() && setState((before) => ({ ...before, problem: problemOf(thrown), isLoading: false })),
    );
  }, keys);
  useEffect(() => {
    load(false);
    return () => {
      asked.current += 1;
    };
  }, [load]);
  return {
    ...state,
    reload: () => load(true),
    set: (value) => {
      asked.current += 1;
      setState({ value, problem: null, isLoading: false });
    },
  };
}

const NOTHING = { value: null, problem: null, isLoading: true };

/** A problem, or a fault of the page itself, which is thrown again. */
export function problemOf(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  throw thrown;
}

interface LoadProps<T> {
  of: Loading<T>;
  children: (value: T) => ComponentChildren;
}

export function Load<T>({ of, children }: LoadProps<T>) {
  if (of.value !== null) {
    return (
      <>
        {of.problem && <ProblemNote problem={of.problem} again={of.reload} />}
        {children(of.value)}
      </>
    );
  }
  if (of.problem) return <ProblemNote problem={of.problem} again={of.reload} />;
  return <Wait />;
}

/** Says that something loads, once it has taken a moment. */
export function Wait() {
  const [isSlow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return (
    <p role="status" class="wait">
      {isSlow && common().loading}
    </p>
  );
}

interface ProblemProps {
  problem: Problem;
  /** What else is wrong, unless it is shown at the fields themselves. */
  errors?: readonly FieldError[];
  again?: () => void;
}

/** A problem in words, with the admins who could help and the id of the request for the vendor. */
export function ProblemNote({ problem, again, errors = problem.errors }: ProblemProps) {
  const words = common();
  return (
    <div role="alert" class="note bad">
      <p>{said(problem)}</p>
      {errors.length > 0 && (
        <ul>
          {errors.map((each, place) => (
            <li key={place}>{fieldSaid(each)}</li>
          ))}
        </ul>
      )}
      <People people={problem.admins} />
      {again && (
        <button type="button" onClick={again}>
          {words.again}
        </button>
      )}
      {problem.request && (
        <p class="small">
          {words.request} <code>{problem.request}</code>
        </p>
      )}
    </div>
  );
}
