/** A section of the billing information, edited. A change that somebody else has made meanwhile is shown beside one's own. */

import { useState } from "preact/hooks";
import { useAccount } from "../account";
import { answer, api, Problem, versioned, type View } from "../api";
import { country, languageName } from "../format";
import { both, LANGUAGES, language } from "../language";
import { Field, type Form, FormBox, TextField, useForm } from "../parts/form";
import { Load, useLoad } from "../parts/load";
import { Table } from "../parts/table";
import { common } from "../words/common";

const words = both({
  en: {
    company: "Company",
    billing: "Billing",
    contact: "Contact",
    name: "Name",
    address_line_1: "Address",
    address_line_2: "Address, second line",
    postcode: "Postcode",
    city: "City",
    country: "Country",
    vat_number: "VAT number",
    vatHint: "With its country code, such as IT12345678901. It is checked with the European Commission.",
    email: "E-mail address for invoices",
    language: "Language of invoices and mail",
    phone: "Phone",
    field: "Field",
    yours: "Yours",
    theirs: "Theirs",
    changed: "Somebody else has changed this meanwhile. Compare before you save.",
    keep: "Save mine",
    take: "Take theirs",
  },
  it: {
    company: "Società",
    billing: "Fatturazione",
    contact: "Contatto",
    name: "Nome",
    address_line_1: "Indirizzo",
    address_line_2: "Indirizzo, seconda riga",
    postcode: "CAP",
    city: "Città",
    country: "Paese",
    vat_number: "Partita IVA",
    vatHint: "Con il codice del paese, come IT12345678901. Viene verificata presso la Commissione europea.",
    email: "Indirizzo e-mail per le fatture",
    language: "Lingua delle fatture e delle e-mail",
    phone: "Telefono",
    field: "Campo",
    yours: "I vostri",
    theirs: "I loro",
    changed: "Nel frattempo qualcun altro ha modificato questi dati. Confrontate prima di salvare.",
    keep: "Salvate i vostri",
    take: "Prendete i loro",
  },
});

type Section = "company" | "billing" | "contact";
type Body = { company: View<"CompanyBody">; billing: View<"BillingBody">; contact: View<"ContactBody"> };
type Fields = Record<string, string | null>;

function load(account: string, section: Section): Promise<[Fields, string]> {
  const path = { params: { path: { account } } };
  if (section === "company") return versioned(api.GET("/accounts/{account}/billing-information/company", path)) as never;
  if (section === "billing") return versioned(api.GET("/accounts/{account}/billing-information/billing", path)) as never;
  return versioned(api.GET("/accounts/{account}/billing-information/contact", path)) as never;
}

async function save<S extends Section>(account: string, section: S, body: Body[S], etag: string): Promise<void> {
  const params = { path: { account }, header: { "If-Match": etag } };
  if (section === "company") {
    await answer(api.PUT("/accounts/{account}/billing-information/company", { params, body: body as Body["company"] }));
  } else if (section === "billing") {
    await answer(api.PUT("/accounts/{account}/billing-information/billing", { params, body: body as Body["billing"] }));
  } else {
    await answer(api.PUT("/accounts/{account}/billing-information/contact", { params, body: body as Body["contact"] }));
  }
}

export default function EditInformation({ section }: { section: Section }) {
  const { id } = useAccount();
  const loaded = useLoad(() => load(id, section), [id, section]);
  return <Load of={loaded}>{([fields, etag]) => <Edited section={section} initial={fields} etag={etag} />}</Load>;
}

function Edited({ section, initial, etag }: { section: Section; initial: Fields; etag: string }) {
  const account = useAccount();
  const form = useForm<Fields>(`${account.id}.${section}`, initial, etag);
  const [theirs, setTheirs] = useState<[Fields, string] | null>(null);
  const leave = () => {
    account.billing.reload();
    location.hash = account.href("billing");
  };
  const send = async (values: Fields, version: string) => {
    try {
      await save(account.id, section, values as never, version);
    } catch (thrown) {
      if (!(thrown instanceof Problem) || thrown.status !== 412) throw thrown;
      const now = await load(account.id, section);
      // Somebody has made the very same change.
      if (isSame(values, now[0])) return;
      setTheirs(now);
      throw thrown;
    }
  };
  return (
    <section class="card" aria-labelledby="edited">
      <h2 id="edited">{words()[section]}</h2>
      {theirs && (
        <Compared
          mine={form.values}
          theirs={theirs[0]}
          onKeep={async () => {
            if (await form.send((values) => send(values, theirs[1]))) leave();
          }}
          onTake={() => {
            form.reset();
            leave();
          }}
        />
      )}
      <FormBox form={form} isCompared={theirs !== null} onSend={(values) => send(values, form.version)} onDone={leave} onGiveUp={leave}>
        {section === "company" && <CompanyFields form={form} />}
        {section === "billing" && <BillingFields form={form} />}
        {section === "contact" && <ContactFields form={form} />}
      </FormBox>
    </section>
  );
}

function CompanyFields({ form }: { form: Form<Fields> }) {
  const text = words();
  return (
    <>
      <TextField form={form} name="name" label={text.name} autocomplete="organization" />
      <TextField form={form} name="address_line_1" label={text.address_line_1} autocomplete="address-line1" />
      <TextField form={form} name="address_line_2" label={text.address_line_2} autocomplete="address-line2" isOptional />
      <TextField form={form} name="postcode" label={text.postcode} autocomplete="postal-code" isOptional />
      <TextField form={form} name="city" label={text.city} autocomplete="address-level2" />
      <Field label={text.country} error={form.errorOf("country")}>
        {(field) => (
          <select
            {...field}
            autocomplete="country"
            value={form.values["country"] ?? ""}
            onChange={({ currentTarget: { value } }) => form.set("country", value)}
          >
            {countries().map(([code, name]) => (
              <option key={code} value={code}>
                {name}
              </option>
            ))}
          </select>
        )}
      </Field>
      <TextField form={form} name="vat_number" label={text.vat_number} hint={text.vatHint} isOptional />
    </>
  );
}

function BillingFields({ form }: { form: Form<Fields> }) {
  return (
    <>
      <TextField form={form} name="email" type="email" label={words().email} autocomplete="email" />
      <Field label={words().language} error={form.errorOf("language")}>
        {(field) => (
          <select
            {...field}
            value={form.values["language"] ?? "en"}
            onChange={({ currentTarget: { value } }) => form.set("language", value)}
          >
            {Object.keys(LANGUAGES).map((code) => (
              <option key={code} value={code}>
                {languageName(code)}
              </option>
            ))}
          </select>
        )}
      </Field>
    </>
  );
}

function ContactFields({ form }: { form: Form<Fields> }) {
  return (
    <>
      <TextField form={form} name="name" label={words().name} autocomplete="name" />
      <TextField form={form} name="phone" type="tel" label={words().phone} autocomplete="tel" isOptional />
    </>
  );
}

function isSame(mine: Fields, theirs: Fields): boolean {
  return Object.keys(mine).every((key) => !(key in theirs) || mine[key] === theirs[key]);
}

/** The value of a field as the form shows it: countries and languages by their names. */
function shown(key: string, value: string | null | undefined): string {
  if (!value) return "–";
  return key === "country" ? country(value) : key === "language" ? languageName(value) : value;
}

interface ComparedProps {
  mine: Fields;
  theirs: Fields;
  onKeep: () => void;
  onTake: () => void;
}

function Compared({ mine, theirs, onKeep, onTake }: ComparedProps) {
  const text = words() as unknown as Record<string, string>;
  const different = Object.keys(mine).filter((key) => key in theirs && mine[key] !== theirs[key]);
  return (
    <div class="note warn" role="alert">
      <p>{words().changed}</p>
      <Table
        caption={words().changed}
        empty={common().none}
        rows={different}
        name={(key) => key}
        columns={[
          { head: words().field, cell: (key) => text[key] ?? key },
          { head: words().yours, cell: (key) => <bdi>{shown(key, mine[key])}</bdi> },
          { head: words().theirs, cell: (key) => <bdi>{shown(key, theirs[key])}</bdi> },
        ]}
      />
      <p class="buttons">
        <button type="button" onClick={onKeep}>
          {words().keep}
        </button>
        <button type="button" onClick={onTake}>
          {words().take}
        </button>
      </p>
    </div>
  );
}

// prettier-ignore
const CODES =
  "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW".split(" ");

/** The countries of ISO 3166-1 by their names, in the order of the reader's language. */
function countries(): [string, string][] {
  const named = CODES.map((code): [string, string] => [code, country(code)]);
  return named.sort(([, a], [, b]) => a.localeCompare(b, language()));
}
