/** Who may change what: people that only read are shown whom to ask. */

import { useAccount } from "../account";
import { answer, api } from "../api";
import { common } from "../words/common";
import { useLoad } from "./load";
import { People } from "./people";

/** For a member: that only admins edit here, and who they are. Nothing for an admin, or for staff. */
export function MayEdit() {
  const { id, role } = useAccount();
  return role === "member" ? <AdminsOf account={id} /> : null;
}

function AdminsOf({ account }: { account: string }) {
  const admins = useLoad(
    () => answer(api.GET("/accounts/{account}/users", { params: { path: { account }, query: { role: "admin" } } })),
    [account],
  );
  if (!admins.value) return null;
  return (
    <div class="note">
      <p>{common().admins}</p>
      <People people={admins.value.items} />
    </div>
  );
}
