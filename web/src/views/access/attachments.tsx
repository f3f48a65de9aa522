/** Users and groups to which a policy is attached. */

import { useQuery } from "@tanstack/react-query";
import * as api from "../../api/administration.ts";
import type { PolicyAttachmentView } from "../../api/schema.ts";
import { useAuth } from "../../auth.tsx";
import { Button } from "../../components/button.tsx";
import { showErrorToast } from "../../components/toasts.tsx";
import { useTranslation } from "../../i18n/translate.ts";

export function Attachments({ name }: { name: string }) {
  const t = useTranslation();
  const { session } = useAuth();
  const { data, refetch } = useQuery(api.attachments(name));
  const users = useQuery(api.users());
  const groups = useQuery(api.groups());
  const runAndRefetch = async (operation: Promise<unknown>) => {
    await operation.catch(showErrorToast);
    await refetch();
  };
  const add = (selected: string) => {
    const [kind, id = ""] = selected.split(" ");
    void runAndRefetch(api.attach(name, kind === "user" ? { user_id: id } : { group_id: id }));
  };
  const remove = (one: PolicyAttachmentView) => {
    const kind = one.user_id ? "user" : "group";
    void runAndRefetch(api.detach(name, kind, one.user_id ?? one.group_id ?? "", one.project_id ?? null));
  };
  return (
    <section className="sheet">
      <header>
        <h2>{t("attachments")}</h2>
      </header>
      <div className="body row wrap">
        {data?.attachments.length === 0 && <span className="quiet">{t("attachments.none")}</span>}
        {data?.attachments.map((one) => (
          <span key={`${one.user_id ?? ""} ${one.group_id ?? ""} ${one.project_id ?? ""}`} className="tag">
            {t(one.user_id ? "attachment.user" : "attachment.group", { name: one.name })}
            {one.project_id && ` · ${session.projects.find(({ id }) => id === one.project_id)?.name ?? one.project_id}`}
            <Button
              kind="bare"
              icon="close"
              label={t("attachment.remove", { name: one.name })}
              onClick={() => remove(one)}
            />
          </span>
        ))}
        <select
          className="input"
          style={{ width: "auto" }}
          value=""
          aria-label={t("attachment.add")}
          onChange={(event) => add(event.target.value)}
        >
          <option value="" disabled>
            {t("attachment.add")}
          </option>
          {groups.data?.groups.map((one) => (
            <option key={one.id} value={`group ${one.id}`}>
              {t("attachment.group", { name: one.name })}
            </option>
          ))}
          {users.data?.users.map((one) => (
            <option key={one.id} value={`user ${one.id}`}>
              {t("attachment.user", { name: one.name })}
            </option>
          ))}
        </select>
      </div>
    </section>
  );
}
