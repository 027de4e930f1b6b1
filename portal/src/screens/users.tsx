/** The people of an account: who they are, who may edit, who is invited; an admin announced by staff. */

import { useState } from "preact/hooks";
import type { ScreenProps } from "./load";
import { answer, api, type Problem, type View } from "../api";
import { instant } from "../format";
import { both } from "../language";
import { MayEdit } from "../parts/admins";
import { Dialog } from "../parts/dialog";
import { Field, FormBox, TextField, useForm } from "../parts/form";
import { Load, problemOf, ProblemNote, useLoad } from "../parts/load";
import { Table } from "../parts/table";
import { Told } from "../parts/told";
import { me } from "../session";
import { common, screens } from "../words/common";

type User = View<"UserView">;

const words = both({
  en: {
    intro: "Admins change everything and can cancel. Members see everything and change nothing.",
    caption: "Users of the account",
    name: "Name",
    email: "E-mail address",
    role: "Role",
    status: "Status",
    statuses: { invited: "Invited", active: "Has logged in" },
    since: (at: string) => `on ${at}`,
    you: "you",
    actions: "Change",
    makeAdmin: "Make an admin",
    makeMember: "Make a member",
    again: "Send the invitation again",
    remove: "Remove",
    of: (action: string, name: string) => `${action}: ${name}`,
    last: "The last admin: make somebody else an admin before you change this.",
    invite: "Invite somebody",
    invited: (email: string) => `${email} gets a mail. The first time, they choose “Forgot password” when they log in.`,
    send: "Send the invitation",
    none: "Nobody yet.",
    removeTitle: (name: string) => `Remove ${name}?`,
    removeSaid: "They lose their access at once. You can invite them again.",
    leave: "You lose your own access at once.",
    erase: "Also remove their name and address from the account's record. This cannot be undone.",
    appointment: "An admin is announced by our staff",
    appointed: (name: string, email: string, at: string) => `${name} (${email}) becomes an admin on ${at}, unless you object.`,
    why: (reason: string) => `Reason: ${reason}`,
    object: "I object",
    objected: (name: string) => `You have objected: ${name} does not become an admin.`,
    sentAgain: (email: string) => `The invitation is sent to ${email} again.`,
    isAdminNow: (name: string) => `${name} is an admin now.`,
    isMemberNow: (name: string) => `${name} is a member now.`,
    removed: (name: string) => `${name} has no access any more.`,
    memberTitle: "Become a member yourself?",
    memberSaid: "You then see everything and change nothing. Only another admin can make you an admin again.",
    known: (name: string) => `${name} has access already. Change the role in the list above.`,
  },
  it: {
    intro: "Gli amministratori modificano tutto e possono cancellare. I membri vedono tutto e non modificano nulla.",
    caption: "Utenti dell'account",
    name: "Nome",
    email: "Indirizzo e-mail",
    role: "Ruolo",
    status: "Stato",
    statuses: { invited: "Invitato", active: "Ha effettuato l'accesso" },
    since: (at: string) => `il ${at}`,
    you: "voi",
    actions: "Modifica",
    makeAdmin: "Nominate amministratore",
    makeMember: "Rendete membro",
    again: "Inviate di nuovo l'invito",
    remove: "Rimuovete",
    of: (action: string, name: string) => `${action}: ${name}`,
    last: "L'ultimo amministratore: nominatene un altro prima di modificare questo.",
    invite: "Invitate qualcuno",
    invited: (email: string) => `${email} riceve un'e-mail. La prima volta sceglie «Password dimenticata» all'accesso.`,
    send: "Inviate l'invito",
    none: "Ancora nessuno.",
    removeTitle: (name: string) => `Rimuovere ${name}?`,
    removeSaid: "Perde subito l'accesso. Potete invitarlo di nuovo.",
    leave: "Perdete subito il vostro accesso.",
    erase: "Rimuovete anche nome e indirizzo dal registro dell'account. Non si può annullare.",
    appointment: "Il nostro personale annuncia un amministratore",
    appointed: (name: string, email: string, at: string) =>
      `${name} (${email}) diventa amministratore il ${at}, a meno che vi opponiate.`,
    why: (reason: string) => `Motivo: ${reason}`,
    object: "Mi oppongo",
    objected: (name: string) => `Vi siete opposti: ${name} non diventa amministratore.`,
    sentAgain: (email: string) => `L'invito è inviato di nuovo a ${email}.`,
    isAdminNow: (name: string) => `${name} ora è amministratore.`,
    isMemberNow: (name: string) => `${name} ora è membro.`,
    removed: (name: string) => `${name} non ha più accesso.`,
    memberTitle: "Diventare membro?",
    memberSaid: "Allora vedete tutto e non modificate nulla. Solo un altro amministratore può nominarvi di nuovo.",
    known: (name: string) => `${name} ha già accesso. Cambiate il ruolo nell'elenco qui sopra.`,
  },
});

export default function Users({ account }: ScreenProps) {
  const params = { path: { account: account.id } };
  const users = useLoad(() => answer(api.GET("/accounts/{account}/users", { params })), [account.id]);
  return (
    <>
      <h1>{screens().users.title}</h1>
      <p>{words().intro}</p>
      <Appointment account={account} />
      <section class="card" aria-label={words().caption}>
        <Load of={users}>{({ items }) => <People account={account} users={sorted(items)} onChange={users.reload} />}</Load>
      </section>
      {account.role === "admin" && <Invite account={account} onDone={users.reload} />}
      <MayEdit />
    </>
  );
}

function sorted(users: User[]): User[] {
  return [...users].sort((one, other) => one.name.localeCompare(other.name));
}

interface PeopleProps {
  account: ScreenProps["account"];
  users: User[];
  onChange: () => void;
}

function People({ account, users, onChange }: PeopleProps) {
  const text = words();
  const [problem, setProblem] = useState<Problem | null>(null);
  const [removed, setRemoved] = useState<User | null>(null);
  const zone = account.billing.value?.contract.time_zone ?? "UTC";
  const admins = users.filter(({ role }) => role === "admin");
  const path = { account: account.id };
  const [told, setTold] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [demoted, setDemoted] = useState<User | null>(null);
  const put = async ({ user, email, name }: User, role: User["role"], done: string) => {
    setProblem(null);
    setTold(null);
    setBusy(true);
    try {
      await answer(api.PUT("/accounts/{account}/users", { params: { path }, body: { email, name, role } }));
      // What the page shows follows from the role, which it has asked for once.
      if (user === me().sub) location.reload();
      setTold(done);
      onChange();
    } catch (thrown) {
      setProblem(problemOf(thrown));
    } finally {
      setBusy(false);
    }
  };
  const actions = (user: User) => {
    const isLast = user.role === "admin" && admins.length === 1;
    if (account.role !== "admin") return null;
    if (isLast) return <span class="small">{text.last}</span>;
    const button = (action: string, onClick: () => void) => (
      <button type="button" class="link" disabled={isBusy} aria-label={text.of(action, user.name)} onClick={onClick}>
        {action}
      </button>
    );
    return (
      <>
        {user.role === "member"
          ? button(text.makeAdmin, () => put(user, "admin", text.isAdminNow(user.name)))
          : button(text.makeMember, () =>
              user.user === me().sub ? setDemoted(user) : put(user, "member", text.isMemberNow(user.name)),
            )}
        {user.status === "invited" && button(text.again, () => put(user, user.role, text.sentAgain(user.email)))}
        {button(text.remove, () => setRemoved(user))}
      </>
    );
  };
  const columns = [
    {
      head: text.name,
      cell: ({ user, name }: User) => (
        <>
          <bdi>{name}</bdi> {user === me().sub && <span class="tag">{text.you}</span>}
        </>
      ),
    },
    { head: text.email, cell: ({ email }: User) => <a href={`mailto:${email}`}>{email}</a> },
    { head: text.role, cell: ({ role }: User) => common().roles[role] },
    {
      head: text.status,
      cell: ({ status, invited_at, logged_in_at }: User) => {
        const at = status === "active" ? logged_in_at : invited_at;
        return `${text.statuses[status]}${at ? ` ${text.since(instant(at, zone, true))}` : ""}`;
      },
    },
    ...(account.role === "admin" ? [{ head: text.actions, cell: actions }] : []),
  ];
  return (
    <>
      {problem && <ProblemNote problem={problem} />}
      {told && <Told key={told}>{told}</Told>}
      <Table caption={text.caption} empty={text.none} rows={users} name={({ user }) => user} columns={columns} />
      {removed && (
        <Remove
          account={account}
          user={removed}
          onClose={() => setRemoved(null)}
          onDone={() => {
            setRemoved(null);
            if (removed.user === me().sub) {
              // The list of accounts was asked for while this one was still among them.
              location.assign("#/");
              location.reload();
              return;
            }
            setTold(text.removed(removed.name));
            onChange();
          }}
        />
      )}
      {demoted && (
        <Dialog title={text.memberTitle} onClose={() => setDemoted(null)}>
          <p>{text.memberSaid}</p>
          <p class="buttons">
            <button
              type="button"
              class="main"
              disabled={isBusy}
              onClick={() => {
                setDemoted(null);
                void put(demoted, "member", text.isMemberNow(demoted.name));
              }}
            >
              {text.makeMember}
            </button>
          </p>
        </Dialog>
      )}
    </>
  );
}

interface RemoveProps {
  account: ScreenProps["account"];
  user: User;
  onClose: () => void;
  onDone: () => void;
}

function Remove({ account, user, onClose, onDone }: RemoveProps) {
  const [isErased, setErased] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const text = words();
  const remove = async () => {
    setBusy(true);
    setProblem(null);
    try {
      const params = { path: { account: account.id, user: user.user }, ...(isErased ? { query: { erase: true } } : {}) };
      await answer(api.DELETE("/accounts/{account}/users/{user}", { params }));
      onDone();
    } catch (thrown) {
      setProblem(problemOf(thrown));
      setBusy(false);
    }
  };
  return (
    <Dialog title={text.removeTitle(user.name)} onClose={onClose}>
      <p>{user.user === me().sub ? text.leave : text.removeSaid}</p>
      <p>
        <label>
          <input type="checkbox" checked={isErased} onChange={({ currentTarget: { checked } }) => setErased(checked)} /> {text.erase}
        </label>
      </p>
      {problem && <ProblemNote problem={problem} />}
      <p class="buttons">
        <button type="button" class="main" disabled={isBusy} onClick={remove}>
          {text.remove}
        </button>
      </p>
    </Dialog>
  );
}

interface Invitation extends Record<string, unknown> {
  email: string;
  name: string;
  role: "admin" | "member";
}

function Invite({ account, onDone }: { account: ScreenProps["account"]; onDone: () => void }) {
  const form = useForm<Invitation>(`${account.id}.invitation`, { email: "", name: "", role: "member" });
  const [invited, setInvited] = useState<string | null>(null);
  const text = words();
  const params = { path: { account: account.id } };
  const [known, setKnown] = useState<string | null>(null);
  return (
    <section class="card" aria-labelledby="invite">
      <h2 id="invite">{text.invite}</h2>
      <FormBox
        form={form}
        send={text.send}
        onSend={async (body) => {
          setInvited(null);
          setKnown(null);
          // The API would change the role of somebody who is there already, which nobody expects of an invitation.
          const { items } = await answer(api.GET("/accounts/{account}/users", { params }));
          const found = items.find(({ email }) => email.toLowerCase() === body.email.trim().toLowerCase());
          if (found) {
            setKnown(found.name);
            return;
          }
          await answer(api.PUT("/accounts/{account}/users", { params, body }));
          setInvited(body.email);
          form.reset();
        }}
        onDone={onDone}
      >
        <TextField form={form} name="name" label={text.name} autocomplete="off" />
        <TextField form={form} name="email" type="email" label={text.email} autocomplete="off" />
        <Field label={text.role} error={form.errorOf("role")}>
          {(field) => (
            <select
              {...field}
              value={form.values.role}
              onChange={({ currentTarget: { value } }) => form.set("role", value as Invitation["role"])}
            >
              <option value="member">{common().roles.member}</option>
              <option value="admin">{common().roles.admin}</option>
            </select>
          )}
        </Field>
      </FormBox>
      <p role="status">{known ? text.known(known) : invited && text.invited(invited)}</p>
    </section>
  );
}

/** An admin whom staff have announced, to whom any admin may object. */
function Appointment({ account }: Pick<ScreenProps, "account">) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [objected, setObjected] = useState<string | null>(null);
  const open = account.billing.value?.appointment;
  if (objected !== null) return <Told>{words().objected(objected)}</Told>;
  if (open?.status !== "open" || account.role === "member") return null;
  const zone = account.billing.value?.contract.time_zone ?? "UTC";
  const object = () => {
    setProblem(null);
    const body = { appointment: open.appointment };
    answer(api.POST("/accounts/{account}/appointment/objection", { params: { path: { account: account.id } }, body })).then(
      () => {
        setObjected(open.name);
        account.billing.reload();
      },
      (thrown: unknown) => setProblem(problemOf(thrown)),
    );
  };
  return (
    <section class="note warn" aria-labelledby="appointment">
      <h2 id="appointment">{words().appointment}</h2>
      <p>{words().appointed(open.name, open.email, instant(open.effective_at, zone))}</p>
      <p>
        <bdi>{words().why(open.reason)}</bdi>
      </p>
      {problem && <ProblemNote problem={problem} />}
      {account.role === "admin" && (
        <button type="button" onClick={object}>
          {words().object}
        </button>
      )}
    </section>
  );
}
