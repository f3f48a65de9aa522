/** To whom a policy is attached. */

import * as api from "../../api/administration.ts";
import type { AttachmentView } from "../../api/schema.ts";
import { Button } from "../../parts/button.tsx";
import { useFetched } from "../../parts/fetched.ts";
import { tell } from "../../parts/told.tsx";
import { useSignedIn } from "../../signed-in.tsx";
import { useWords } from "../../words/words.ts";

export function Attachments({ name }: { name: string }) {
  const t = useWords();
  const { session } = useSignedIn();
  const { value, again } = useFetched(`attachments ${name}`, (signal) => api.attachments(name, signal));
  const users = useFetched("users", api.users);
  const groups = useFetched("groups", api.groups);
  const act = async (done: Promise<unknown>) => {
    await done.catch((failed: Error) => tell(failed.message));
    again();
  };
  const add = (chosen: string) => {
    const [kind, id = ""] = chosen.split(" ");
    void act(api.attach(name, kind === "user" ? { user_id: id } : { group_id: id }));
  };
  const remove = (one: AttachmentView) => {
    const kind = one.user_id ? "user" : "group";
    void act(api.detach(name, kind, one.user_id ?? one.group_id ?? "", one.project_id ?? null));
  };
  return (
    <section className="sheet">
      <header>
        <h2>{t("attachments")}</h2>
      </header>
      <div className="body row wrap">
        {value?.attachments.length === 0 && <span className="quiet">{t("attachments.none")}</span>}
        {value?.attachments.map((one) => (
          <span key={`${one.user_id ?? ""} ${one.group_id ?? ""} ${one.project_id ?? ""}`} className="tag">
            {t(one.user_id ? "attachment.user" : "attachment.group", { name: one.name })}
            {one.project_id && ` · ${session.projects.find(({ id }) => id === one.project_id)?.name ?? one.project_id}`}
            <Button kind="bare" icon="close" label={t("attachment.remove", { name: one.name })} onClick={() => remove(one)} />
          </span>
        ))}
        <select className="input" style={{ width: "auto" }} value="" aria-label={t("attachment.add")} onChange={(event) => add(event.target.value)}>
          <option value="" disabled>
            {t("attachment.add")}
          </option>
          {groups.value?.groups.map((one) => (
            <option key={one.id} value={`group ${one.id}`}>
              {t("attachment.group", { name: one.name })}
            </option>
          ))}
          {users.value?.users.map((one) => (
            <option key={one.id} value={`user ${one.id}`}>
              {t("attachment.user", { name: one.name })}
            </option>
          ))}
        </select>
      </div>
    </section>
  );
}
