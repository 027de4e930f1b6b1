/** Why something was decided: codes with values, in the sentences that the mails have too. */

import en from "../../../layers/shared/billing/languages/en/explanations.json";
import it from "../../../layers/shared/billing/languages/it/explanations.json";
import type { View } from "../api";
import { number } from "../format";
import { both } from "../language";

type Values = Record<string, unknown>;

const sentences = both<typeof en.sentences>({ en: en.sentences, it: it.sentences });

/** The sentence of a code such as `review.above`; `otherwise` for one that this page does not know yet. */
export function explain(code: string, values: Values, otherwise: string): string {
  const sentence = (sentences() as Record<string, string | { one: string; other: string }>)[code];
  if (!sentence) return otherwise;
  const text = typeof sentence === "string" ? sentence : values["count"] === 1 ? sentence.one : sentence.other;
  return text.replace(/\{(\w+)\}/g, (_, name: string) => written(values[name]));
}

/** A decision in sentences. */
export function explained({ explanations }: View<"AutoscalingDecisionView">): string {
  return explanations.map(({ code, values, text }) => explain(code, values as Values, text)).join(" ");
}

function written(value: unknown): string {
  const isNumber = typeof value === "number" || (typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value));
  return isNumber ? number(value as string, 2) : String(value ?? "");
}
