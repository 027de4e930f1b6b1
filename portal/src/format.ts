/** Money, numbers and days, as the reader's language writes them. The page computes none of them. */

import { language, locale } from "./language";

export interface Money {
  /** In minor units, such as cents. */
  amount: number;
  currency: string;
}

export function money({ amount, currency }: Money): string {
  const format = new Intl.NumberFormat(locale(), { style: "currency", currency, useGrouping: "always" });
  const places = format.resolvedOptions().maximumFractionDigits ?? 2;
  // A string is formatted exactly; a quotient would be a float.
  const digits = String(Math.abs(amount)).padStart(places + 1, "0");
  const whole = digits.slice(0, digits.length - places);
  const text = `${amount < 0 ? "-" : ""}${whole}${places ? `.${digits.slice(-places)}` : ""}`;
  return format.format(text as Intl.StringNumericLiteral);
}

/** A number, or a decimal number as text. */
export function number(value: number | string, places = 0): string {
  const format = new Intl.NumberFormat(locale(), { maximumFractionDigits: places, useGrouping: "always" });
  return format.format(value as Intl.StringNumericLiteral);
}

/** `value` as the API writes percent: "75" is 75 %. */
export function percent(value: string | number, places = 0): string {
  return language() === "en" ? `${number(value, places)}%` : `${number(value, places)} %`;
}

/** A day such as 2026-01-31. */
export function day(value: string, style: "long" | "medium" = "medium"): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: style, timeZone: "UTC" }).format(new Date(`${value}T00:00Z`));
}

/** The last day of a span whose end the API gives as the first day after it, as documents and mails write it. */
export function lastDay(until: string): string {
  const last = new Date(`${until}T00:00Z`);
  last.setUTCDate(last.getUTCDate() - 1);
  return day(last.toISOString().slice(0, 10));
}

/** A month such as 2026-01. */
export function month(value: string, style: "long" | "short" = "long"): string {
  const format = new Intl.DateTimeFormat(locale(), { month: style, year: "numeric", timeZone: "UTC" });
  return format.format(new Date(`${value.slice(0, 7)}-01T00:00Z`));
}

/** An instant, in a time zone of the IANA data base. */
export function instant(value: string, timeZone: string, withZone = false): string {
  return new Intl.DateTimeFormat(locale(), {
    dateStyle: "medium",
    ...(withZone ? {} : { timeStyle: "short" }),
    timeZone,
  }).format(new Date(value));
}

export function country(code: string): string {
  return new Intl.DisplayNames(locale(), { type: "region" }).of(code) ?? code;
}

export function languageName(code: string): string {
  return new Intl.DisplayNames(locale(), { type: "language" }).of(code) ?? code;
}
