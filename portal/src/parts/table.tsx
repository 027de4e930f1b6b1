/** A table that becomes a list of blocks on a narrow screen, where each cell says its column. */

import type { ComponentChildren } from "preact";

export interface Column<Row> {
  head: string;
  cell: (row: Row) => ComponentChildren;
  /** Numbers are aligned at their end. */
  isNumber?: boolean;
}

interface TableProps<Row> {
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  name: (row: Row) => string;
  /** What is said where there are no rows: why, and what brings the first. */
  empty: string;
  foot?: ComponentChildren;
}

// The roles are explicit, because a row that is drawn as a block has lost those of its elements.
export function Table<Row>({ caption, columns, rows, name, empty, foot }: TableProps<Row>) {
  if (!rows.length) return <p class="empty">{empty}</p>;
  return (
    <table role="table" class="cards">
      <caption class="unseen">{caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map(({ head, isNumber }) => (
            <th key={head} role="columnheader" scope="col" class={isNumber ? "number" : undefined}>
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={name(row)} role="row">
            {columns.map(({ head, cell, isNumber }) => (
              <td key={head} role="cell" data-head={head} class={isNumber ? "number" : undefined}>
                <span>{cell(row)}</span>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
      {foot && <tfoot role="rowgroup">{foot}</tfoot>}
    </table>
  );
}

interface FactsProps {
  facts: readonly (readonly [string, ComponentChildren])[];
}

/** Names and values, such as an address. What is null is left out. */
export function Facts({ facts }: FactsProps) {
  return (
    <dl class="facts">
      {facts
        .filter(([, value]) => value !== null && value !== undefined)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
