/** The frame of the page: who is logged in, which account is looked at, the menu, and the screen. */

import type { ComponentType } from "preact";
import { Component, type ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { AccountContext, accountOf, type Account } from "./account";
import { answer, api, type View } from "./api";
import { config } from "./config";
import { choose, language, LANGUAGES, onLanguage, suggest, type Language } from "./language";
import { Banners } from "./parts/banners";
import { Load, problemOf, ProblemNote, useLoad, Wait } from "./parts/load";
import { Search } from "./parts/search";
import { PAST_DUE, type Screen, useRoute } from "./route";
import { isStaff, logOut, me } from "./session";
import { Picker } from "./screens/picker";
import { loadScreen, type ScreenProps } from "./screens/load";
import { common, screens, type Section, sections } from "./words/common";

type Memberships = View<"MembershipView">[];

const LAST = "livello.account";
/** Screens that are about what may change meanwhile: they ask for it again when they are shown again. */
const FRESH: ReadonlySet<Screen> = new Set<Screen>(["overview", "billing"]);

/** In the menu, in the order of the menu. The others are reached from these, or by the search. */
const MENU: readonly Screen[] = ["overview", "billing", "usage", "reduction", "decisions", "reviews", "users", "export", "log"];

export function App() {
  const [, draw] = useState(0);
  useEffect(() => onLanguage(() => draw((count) => count + 1)), []);
  // With another language everything is drawn again, and nothing is loaded again: what was typed and chosen stays.
  return <Page />;
}

function Page() {
  const route = useRoute();
  const memberships = useLoad(memberOf, []);
  const last = localStorage.getItem(LAST);
  const only = memberships.value?.length === 1 ? memberships.value[0]?.account : null;
  const wanted = route.account ?? only ?? (memberships.value?.some((each) => each.account === last) ? last : null);
  // The account of the address is asked for beside the list of accounts, and not after it.
  const early = route.account ?? (memberships.value ? wanted : last);
  const billing = useLoad(
    () => (early ? answer(api.GET("/accounts/{account}/billing", { params: { path: { account: early } } })) : NEVER),
    [early],
  );
  // Somebody else may have changed it meanwhile, or the same person in another tab.
  const isShown = route.screen !== null && FRESH.has(route.screen);
  useEffect(() => {
    if (isElsewhere && isShown && billing.value && !billing.isLoading) billing.reload();
  }, [route.screen, isShown]);
  useEffect(() => {
    if (!isShown) return;
    const seen = () => document.visibilityState === "visible" && billing.reload();
    document.addEventListener("visibilitychange", seen);
    return () => document.removeEventListener("visibilitychange", seen);
  }, [isShown, early]);
  const isMine = memberships.value?.some((each) => each.account === wanted) ?? false;
  useEffect(() => {
    if (wanted && isMine) localStorage.setItem(LAST, wanted);
  }, [wanted, isMine]);
  const ofAccount = billing.value?.billing_information.billing.language;
  useEffect(() => {
    if (ofAccount && isMine) suggest(ofAccount);
  }, [ofAccount, isMine]);
  useEffect(() => {
    if (wanted && !route.account) history.replaceState(null, "", `#/${wanted}/overview`);
  }, [wanted, route.account]);
  const mine = memberships.value?.find((each) => each.account === wanted);
  const role = isStaff() ? "staff" : (mine?.role ?? "member");
  const account = wanted ? accountOf(wanted, role, mine?.name ?? billing.value?.name ?? wanted, billing) : null;
  return (
    <>
      <a class="skip" href="#content" onClick={skip}>
        {common().skip}
      </a>
      <Header account={account} memberships={memberships.value ?? []} screen={route.screen} />
      <main id="content" tabIndex={-1}>
        {!memberships.value && <h1>{route.screen ? screens()[route.screen].title : common().unknownScreen}</h1>}
        <Load of={memberships}>
          {(list) =>
            account ? (
              <AccountContext.Provider value={account}>
                <Shown key={account.id} account={account} screen={route.screen} rest={route.rest} />
              </AccountContext.Provider>
            ) : (
              <Picker memberships={list} />
            )
          }
        </Load>
      </main>
    </>
  );
}

const NEVER = new Promise<never>(() => {});

/** The accounts of the person. Staff find accounts by the picker: there may be thousands. */
async function memberOf(): Promise<Memberships> {
  if (isStaff()) return [];
  const found: Memberships = [];
  for (let cursor: string | null = null; ; ) {
    const query: { cursor?: string; limit: number } = cursor ? { cursor, limit: 100 } : { limit: 100 };
    const page: View<"AccountsView"> = await answer(api.GET("/accounts", { params: { query } }));
    found.push(...page.items);
    if (!page.next_cursor) return found;
    cursor = page.next_cursor;
  }
}

interface ShownProps {
  account: Account;
  screen: Screen | null;
  rest: string[];
}

/** Whether anybody has gone to another screen since the page was opened. */
let isElsewhere = false;
addEventListener("hashchange", () => {
  isElsewhere = true;
});

/** A screen with its title and its focus. */
function Shown({ account, screen, rest }: ShownProps) {
  const [shown, setShown] = useState<{ screen: Screen; view: ComponentType<ScreenProps> } | null>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let isLast = true;
    setFailed(false);
    if (screen) {
      loadScreen(screen).then(
        ({ default: view }) => isLast && setShown({ screen, view }),
        () => isLast && setFailed(true),
      );
    }
    return () => {
      isLast = false;
    };
  }, [screen]);
  const title = screen ? screens()[screen].title : common().unknownScreen;
  const place = rest.join("/");
  useEffect(() => {
    // The first screen leaves the focus where the browser has it; the next ones begin at their content. Whoever chooses
    // an account by its arrow keys goes on in the list.
    if (isElsewhere && !document.activeElement?.matches("select")) document.getElementById("content")?.focus();
    scrollTo(0, 0);
  }, [screen, place]);
  const part = screen === "invoices" ? rest[0] !== PAST_DUE && rest[0] : screen === "billing" && rest[0] && sections()[rest[0] as Section];
  const named = [part, title, account.name, config.vendor].filter(Boolean).join(" – ");
  useEffect(() => {
    document.title = named;
  }, [named]);
  if (!screen) return <Unknown account={account} />;
  // The page was deployed anew since it was opened: its parts have other names now.
  if (failed) {
    return (
      <>
        <h1>{title}</h1>
        <div role="alert" class="note bad">
          <Outdated />
        </div>
      </>
    );
  }
  if (shown?.screen !== screen) return <Wait />;
  const View = shown.view;
  return (
    <>
      <Banners screen={screen} />
      {account.billing.problem?.code === "account-not-found" && (
        <p class="note">
          <a href="#/" onClick={() => localStorage.removeItem(LAST)}>
            {common().yourAccounts}
          </a>
        </p>
      )}
      {account.role === "staff" && <p class="note">{common().staffView}</p>}
      <Guard key={screen + place}>
        <View account={account} rest={rest} />
      </Guard>
    </>
  );
}

function Unknown({ account }: { account: Account }) {
  return (
    <>
      <h1>{common().unknownScreen}</h1>
      <p>
        <a href={account.href("overview")}>{screens().overview.title}</a>
      </p>
    </>
  );
}

function Outdated() {
  return (
    <>
      <p>{common().notLoaded}</p>
      <button type="button" onClick={() => location.reload()}>
        {common().again}
      </button>
    </>
  );
}

/** A fault of one screen leaves the menu as it is. */
class Guard extends Component<{ children: ComponentChildren }, { thrown: unknown }> {
  override state = { thrown: null };

  static override getDerivedStateFromError(thrown: unknown) {
    return { thrown };
  }

  override render() {
    if (this.state.thrown === null) return this.props.children;
    try {
      return <ProblemNote problem={problemOf(this.state.thrown)} />;
    } catch (fault) {
      console.error(fault);
      return (
        <div role="alert" class="note bad">
          <Outdated />
        </div>
      );
    }
  }
}

interface HeaderProps {
  account: Account | null;
  memberships: Memberships;
  screen: Screen | null;
}

function Header({ account, memberships, screen }: HeaderProps) {
  const words = common();
  const [isOpen, setOpen] = useState(false);
  useEffect(() => setOpen(false), [screen]);
  return (
    <header>
      <div class="top">
        <a class="logo" href={account ? account.href("overview") : "#/"}>
          <img src="logo.svg" alt={config.vendor} height="28" />
        </a>
        <AccountPicker account={account} memberships={memberships} />
        <Search account={account} />
        <LanguagePicker />
        <span class="me small">{me().name ?? me().email}</span>
        <button type="button" class="quiet" onClick={logOut}>
          {words.logOut}
        </button>
        {account && (
          <button type="button" class="burger" aria-expanded={isOpen} aria-controls="menu" onClick={() => setOpen(!isOpen)}>
            {words.menu}
          </button>
        )}
      </div>
      {account && (
        <nav id="menu" aria-label={words.menu} class={isOpen ? "open" : undefined}>
          <ul>
            {MENU.map((each) => (
              <li key={each}>
                <a href={account.href(each)} aria-current={isPartOf(screen, each) ? "page" : undefined}>
                  {screens()[each].title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
      )}
    </header>
  );
}

/** The screens without an entry of their own are parts of billing. */
function isPartOf(screen: Screen | null, entry: Screen): boolean {
  return screen === entry || (entry === "billing" && screen !== null && !MENU.includes(screen));
}

/** Names are chosen from a list up to this many accounts, and searched for beyond. */
const LISTED_MAX = 10;

function AccountPicker({ account, memberships }: { account: Account | null; memberships: Memberships }) {
  const words = common();
  if (isStaff() || memberships.length > LISTED_MAX) {
    return (
      <a class="picker" href="#/" onClick={() => localStorage.removeItem(LAST)}>
        {account?.name ?? words.chooseAccount}
      </a>
    );
  }
  if (memberships.length < 2) return <span class="picker">{account?.name ?? ""}</span>;
  return (
    <select
      class="picker"
      aria-label={words.account}
      value={account?.id ?? ""}
      onChange={({ currentTarget: { value } }) => {
        location.hash = `#/${value}/overview`;
      }}
    >
      {!account && <option value="">{words.chooseAccount}</option>}
      {memberships.map((each) => (
        <option key={each.account} value={each.account}>
          {each.name} · {words.roles[each.role]}
        </option>
      ))}
    </select>
  );
}

function LanguagePicker() {
  return (
    <select
      class="quiet"
      aria-label={common().language}
      value={language()}
      onChange={({ currentTarget: { value } }) => choose(value as Language)}
    >
      {Object.entries(LANGUAGES).map(([code, name]) => (
        <option key={code} value={code}>
          {name}
        </option>
      ))}
    </select>
  );
}

/** The link changes no address: the hash is the route. */
function skip(event: Event) {
  event.preventDefault();
  document.getElementById("content")?.focus();
}

