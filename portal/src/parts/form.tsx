/** Forms: what is typed survives the end of a session, each field has its own error, and a change by somebody else is shown. */

import type { ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";
import type { FieldError, Problem } from "../api";
import { DRAFT } from "../session";
import { common } from "../words/common";
import { fieldSaid } from "../words/problems";
import { problemOf, ProblemNote } from "./load";

export interface Form<T> {
  values: T;
  /** The version of what was typed over: what is sent must not replace a later one unseen. */
  version: string;
  set: <Key extends keyof T>(key: Key, value: T[Key]) => void;
  problem: Problem | null;
  isSending: boolean;
  /** Whether anything was typed that is not sent. */
  isChanged: boolean;
  /** Whether what was typed comes from before: from a session that has ended, or another look at the form. */
  isTakenUp: boolean;
  /** Sends by `request`, once at a time. True if it was taken. */
  send: (request: (values: T) => Promise<void>) => Promise<boolean>;
  /** Forgets what was typed. */
  reset: () => void;
  errorOf: (key: string) => string | null;
}

interface Draft<T> {
  values: T;
  version: string;
}

/** A form that begins with `initial`. What is typed is kept under `name` in this tab until it is sent or given up. */
export function useForm<T extends object>(name: string, initial: T, ofVersion = ""): Form<T> {
  const [{ values, version }, setDraft] = useState<Draft<T>>(() => draft<T>(name) ?? { values: initial, version: ofVersion });
  const [isTakenUp, setTakenUp] = useState(() => draft<T>(name) !== null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isSending, setSending] = useState(false);
  const reset = () => {
    setTakenUp(false);
    sessionStorage.removeItem(DRAFT + name);
    setDraft({ values: initial, version: ofVersion });
    setProblem(null);
  };
  return {
    values,
    version,
    problem,
    isSending,
    isTakenUp,
    isChanged: JSON.stringify(values) !== JSON.stringify(initial),
    reset,
    set: (key, value) => {
      const changed = { values: { ...values, [key]: value }, version };
      sessionStorage.setItem(DRAFT + name, JSON.stringify(changed));
      setDraft(changed);
    },
    send: async (request) => {
      if (isSending) return false;
      setSending(true);
      setProblem(null);
      try {
        await request(values);
        sessionStorage.removeItem(DRAFT + name);
        return true;
      } catch (thrown) {
        setProblem(problemOf(thrown));
        return false;
      } finally {
        setSending(false);
      }
    },
    errorOf: (key) => {
      const error = problem?.errors.find((each) => each.pointer === `#/${key}` || each.pointer?.startsWith(`#/${key}/`));
      return error ? fieldSaid(error) : null;
    },
  };
}

/** Whether an error is shown at its field. */
function isOfField({ pointer }: FieldError, values: object): boolean {
  return Object.keys(values).includes(pointer?.split("/")[1] ?? "");
}

function draft<T>(name: string): Draft<T> | null {
  const kept = sessionStorage.getItem(DRAFT + name);
  return kept === null ? null : (JSON.parse(kept) as Draft<T>);
}

interface FieldProps {
  label: string;
  error?: string | null;
  hint?: string;
  isOptional?: boolean;
  children: (props: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }) => ComponentChildren;
}

/** A labelled field with its hint and its error. */
export function Field({ label, error, hint, isOptional, children }: FieldProps) {
  const id = useId();
  const described = [error && `${id}-error`, hint && `${id}-hint`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label for={id}>
        {label} {isOptional && <span class="small">({common().optional})</span>}
      </label>
      {hint && (
        <p id={`${id}-hint`} class="small">
          {hint}
        </p>
      )}
      {children({
        id,
        ...(described ? { "aria-describedby": described } : {}),
        ...(error ? { "aria-invalid": true as const } : {}),
      })}
      {error && (
        <p id={`${id}-error`} class="error">
          {error}
        </p>
      )}
    </div>
  );
}

interface TextFieldProps<T> {
  form: Form<T>;
  name: keyof T & string;
  label: string;
  type?: "text" | "email" | "tel";
  autocomplete?: string;
  hint?: string;
  isOptional?: boolean;
  max?: number;
}

/** A line of text. An optional one that is empty is null. */
export function TextField<T extends Record<string, unknown>>(props: TextFieldProps<T>) {
  const { form, name, label, type = "text", autocomplete, hint, isOptional = false, max } = props;
  return (
    <Field label={label} error={form.errorOf(name)} isOptional={isOptional} {...(hint ? { hint } : {})}>
      {(field) => (
        <input
          {...field}
          type={type as "text"} // the types of Preact part inputs by what is known of their type
          value={String(form.values[name] ?? "")}
          required={!isOptional}
          {...(max ? { maxLength: max } : {})}
          {...(autocomplete ? { autocomplete } : {})}
          onInput={({ currentTarget: { value } }) =>
            form.set(name, (isOptional && !value.trim() ? null : value) as T[keyof T & string])
          }
        />
      )}
    </Field>
  );
}

interface FormBoxProps<T> {
  form: Form<T>;
  onSend: (values: T) => Promise<void>;
  onDone: () => void;
  onGiveUp?: () => void;
  send?: string;
  giveUp?: string;
  /** Whether it is shown already what somebody else has changed. */
  isCompared?: boolean;
  children: ComponentChildren;
}

/** A form with its buttons. The first field that is refused gets the focus. */
export function FormBox<T extends object>({ form, onSend, onDone, onGiveUp, send, giveUp, isCompared, children }: FormBoxProps<T>) {
  const words = common();
  return (
    <form
      noValidate
      aria-busy={form.isSending}
      onSubmit={async (event) => {
        event.preventDefault();
        const box = event.currentTarget;
        if (await form.send(onSend)) onDone();
        else requestAnimationFrame(() => box.querySelector<HTMLElement>("[aria-invalid]")?.focus());
      }}
    >
      {form.isTakenUp && form.isChanged && (
        <p role="status" class="note">
          {words.takenUp}
        </p>
      )}
      {children}
      {form.problem && !(isCompared && form.problem.status === 412) && (
        <ProblemNote problem={form.problem} errors={form.problem.errors.filter((each) => !isOfField(each, form.values))} />
      )}
      <p class="buttons">
        {/* A button that is disabled loses the focus; `send` sends once at a time. */}
        <button type="submit" class="main" aria-disabled={form.isSending}>
          {form.isSending ? words.saving : (send ?? words.save)}
        </button>
        {onGiveUp && (
          <button
            type="button"
            onClick={() => {
              form.reset();
              onGiveUp();
            }}
          >
            {giveUp ?? words.cancel}
          </button>
        )}
      </p>
    </form>
  );
}
