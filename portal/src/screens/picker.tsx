/** Which account is looked at: a person's own, or for staff any that they search for. */

import { useEffect, useState } from "preact/hooks";
import { answer, api, type View } from "../api";
import { config } from "../config";
import { both } from "../language";
import { Field } from "../parts/form";
import { Load, useLoad } from "../parts/load";
import { Table } from "../parts/table";
import { href } from "../route";
import { isStaff } from "../session";
import { accountStatuses, common } from "../words/common";

const words = both({
  en: {
    name: "Name",
    role: "Your role",
    status: "Status",
    id: "Id",
    filter: "Beginning of a name, id, e-mail address or VAT number",
    nothing: "No account is found.",
    more: "There are more: search for less of them.",
  },
  it: {
    name: "Nome",
    role: "Il vostro ruolo",
    status: "Stato",
    id: "Id",
    filter: "Inizio del nome, id, indirizzo e-mail o partita IVA",
    nothing: "Nessun account trovato.",
    more: "Ce ne sono altri: precisate la ricerca.",
  },
});

export function Picker({ memberships }: { memberships: View<"MembershipView">[] }) {
  document.title = `${common().chooseAccount} – ${config.vendor}`;
  const [wanted, setWanted] = useState("");
  const isLong = isStaff() || memberships.length > 10;
  return (
    <>
      <h1>{common().chooseAccount}</h1>
      {isLong && (
        <Field label={words().filter}>
          {(field) => (
            <input {...field} type="search" value={wanted} onInput={({ currentTarget: { value } }) => setWanted(value)} />
          )}
        </Field>
      )}
      {isStaff() ? (
        <Found wanted={wanted} />
      ) : (
        <Listed empty={memberships.length ? words().nothing : common().noAccount} accounts={memberships.filter((each) => isNamed(each, wanted))} />
      )}
    </>
  );
}

function isNamed({ account, name }: View<"MembershipView">, wanted: string): boolean {
  const part = wanted.trim().toLocaleLowerCase();
  return name.toLocaleLowerCase().includes(part) || account.includes(part);
}

/** A search begins once nothing was typed for this long, in milliseconds. */
const TYPED = 250;

/** What staff find. */
function Found({ wanted }: { wanted: string }) {
  const [search, setSearch] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setSearch(wanted.trim()), TYPED);
    return () => clearTimeout(timer);
  }, [wanted]);
  const found = useLoad(
    () => answer(api.GET("/accounts", { params: { query: search ? { search, limit: 50 } : { limit: 50 } } })),
    [search],
  );
  return (
    <Load of={found}>
      {({ items, next_cursor }) => (
        <>
          <Listed empty={words().nothing} accounts={items} />
          {next_cursor && <p>{words().more}</p>}
        </>
      )}
    </Load>
  );
}

function Listed({ accounts, empty }: { accounts: View<"MembershipView">[]; empty: string }) {
  return (
    <Table
      caption={common().chooseAccount}
      empty={empty}
      rows={accounts}
      name={({ account }) => account}
      columns={[
        { head: words().name, cell: ({ account, name }) => <a href={href(account, "overview")}><bdi>{name}</bdi></a> },
        { head: words().id, cell: ({ account }) => account },
        {
          head: isStaff() ? words().status : words().role,
          cell: ({ role, details }) => (details ? accountStatuses()[details.status] : common().roles[role]),
        },
      ]}
    />
  );
}
