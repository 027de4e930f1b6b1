/** Products with their volume, price and discounts. */

import type { View } from "../api";
import { day, money, number, percent } from "../format";
import { both, language } from "../language";
import { Table } from "./table";

type Line = View<"LineView">;
type Discount = View<"DiscountView">;

const words = both({
  en: {
    caption: "Products of the subscription",
    product: "Product",
    volume: "Volume per month",
    price: "Price per month",
    discounts: "Active discounts",
    none: "–",
    upTo: (volume: string, unit: string) => `up to ${volume} ${unit}`,
    unlimited: (unit: string) => `any number of ${unit}`,
    agreed: "agreed with you",
    begins: (on: string) => `Begins on ${on}`,
    ends: (on: string) => `Ends on ${on}`,
    change: (on: string, volume: string, price: string) => `From ${on}: ${volume}, ${price}`,
    until: (on: string) => `until ${on}`,
    instead: (price: string) => `instead of ${price}`,
    empty: "The subscription has no product.",
  },
  it: {
    caption: "Prodotti dell'abbonamento",
    product: "Prodotto",
    volume: "Volume mensile",
    price: "Prezzo al mese",
    discounts: "Sconti attivi",
    none: "–",
    upTo: (volume: string, unit: string) => `fino a ${volume} ${unit}`,
    unlimited: (unit: string) => `${unit} senza limite`,
    agreed: "concordato con voi",
    begins: (on: string) => `Inizia il ${on}`,
    ends: (on: string) => `Finisce il ${on}`,
    change: (on: string, volume: string, price: string) => `Dal ${on}: ${volume}, ${price}`,
    until: (on: string) => `fino al ${on}`,
    instead: (price: string) => `invece di ${price}`,
    empty: "L'abbonamento non ha prodotti.",
  },
});

/** A product as the reader's language names it, where the catalogue has it in that language. */
export function named<P extends Pick<Line, "name" | "unit"> & Partial<Pick<Line, "translations">>>(of: P): P {
  return { ...of, ...of.translations?.[language()] };
}

/** The same for what the API gives without translations: they are those of the subscription. */
export function namedAs<P extends { product: string; name: string; unit: string }>(lines: readonly Line[], of: P): P {
  return { ...of, ...lines.find(({ product }) => product === of.product)?.translations[language()] };
}

export function volume(upTo: number | null, unit: string): string {
  return upTo === null ? words().unlimited(unit) : words().upTo(number(upTo), unit);
}

export function discountSaid({ percent: part, amount, until, reason }: Discount): string {
  const off = part !== null ? `−${percent(part, 2)}` : amount !== null ? `−${money(amount)}` : "";
  return [off, until && words().until(day(until)), reason && `(${reason})`].filter(Boolean).join(" ");
}

/** `discounts` are those on the whole subscription. */
export function SubscriptionTable({ lines, discounts }: { lines: readonly Line[]; discounts: readonly Discount[] }) {
  return (
    <Table
      caption={words().caption}
      empty={words().empty}
      rows={lines.map(named)}
      name={({ product }) => product}
      columns={[
        { head: words().product, cell: (line) => <Product line={line} /> },
        { head: words().volume, cell: ({ up_to, unit }) => volume(up_to, unit) },
        { head: words().price, isNumber: true, cell: (line) => <Price line={line} /> },
        { head: words().discounts, cell: (line) => <Discounts of={[...line.discounts, ...discounts]} /> },
      ]}
    />
  );
}

function Product({ line: { name, unit, begins_on, ends_on, pending_change: change } }: { line: Line }) {
  return (
    <>
      <strong class="typed">{name}</strong>
      {begins_on && <span class="small"> {words().begins(day(begins_on))}</span>}
      {ends_on && <span class="small"> {words().ends(day(ends_on))}</span>}
      {change && (
        <div class="small">
          {words().change(day(change.effective_on), volume(change.up_to, unit), money(change.price_per_month))}
        </div>
      )}
    </>
  );
}

function Price({ line }: { line: Line }) {
  const { price_per_month: full, price_per_month_after_discounts: price } = line;
  return (
    <>
      {money(price)}
      {price.amount !== full.amount && <div class="small">{words().instead(money(full))}</div>}
      {line.price_is_agreed && <div class="small">{words().agreed}</div>}
    </>
  );
}

function Discounts({ of }: { of: readonly Discount[] }) {
  if (!of.length) return <>{words().none}</>;
  return (
    <>
      {of.map((each) => (
        <div key={discountSaid(each)} class="typed">
          {discountSaid(each)}
        </div>
      ))}
    </>
  );
}
