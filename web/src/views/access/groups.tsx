/** Groups and their members. */

import { useQuery } from "@tanstack/react-query";
import { type SubmitEvent, useState } from "react";
import * as api from "../../api/administration.ts";
import type { GroupView, UserView } from "../../api/schema.ts";
import { Button } from "../../components/button.tsx";
import { Empty, Loaded } from "../../components/status.tsx";
import { showErrorToast } from "../../components/toasts.tsx";
import { useTranslation } from "../../i18n/translate.ts";

export function Groups() {
  const t = useTranslation();
  const groups = useQuery(api.groups());
  const users = useQuery(api.users());
  const [name, setName] = useState("");
  const create = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      await api.createGroup(name, "");
      setName("");
      await groups.refetch();
    } catch (failed) {
      showErrorToast(failed);
    }
  };
  return (
    <>
      <form className="row" onSubmit={(event) => void create(event)}>
        <input
          className="input"
          style={{ maxWidth: 280 }}
          required
          aria-label={t("groups.name")}
          placeholder={t("groups.name")}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <Button kind="main" type="submit">
          {t("groups.create")}
        </Button>
      </form>
      <Loaded query={groups}>
        {(data) =>
          data.groups.length === 0 ? (
            <div className="sheet">
              <Empty title={t("groups.none")}>
                <p>{t("groups.none.what")}</p>
              </Empty>
            </div>
          ) : (
            <ul className="stack">
              {data.groups.map((group) => (
                <Group key={group.id} group={group} users={users.data?.users ?? []} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </>
  );
}

function Group({ group, users }: { group: GroupView; users: readonly UserView[] }) {
  const t = useTranslation();
  const { data, refetch } = useQuery(api.group(group.id));
  const members = data?.members ?? [];
  const others = users.filter(({ id }) => !members.some((member) => member.id === id));
  const runAndRefetch = async (operation: Promise<unknown>) => {
    await operation.catch(showErrorToast);
    await refetch();
  };
  return (
    <li className="sheet">
      <header>
        <h2>{group.name}</h2>
        <span className="quiet">{group.description}</span>
        <span className="faint push">{t("groups.members", { n: members.length })}</span>
      </header>
      <div className="body row wrap">
        {members.map(({ id, name }) => (
          <span key={id} className="tag">
            {name}
            <Button
              kind="bare"
              icon="close"
              label={t("groups.remove", { name })}
              onClick={() => void runAndRefetch(api.removeMember(group.id, id))}
            />
          </span>
        ))}
        {others.length > 0 && (
          <select
            className="input"
            style={{ width: "auto" }}
            value=""
            aria-label={t("groups.add", { name: group.name })}
            onChange={(event) => void runAndRefetch(api.addMember(group.id, event.target.value))}
          >
            <option value="" disabled>
              {t("groups.add", { name: group.name })}
            </option>
            {others.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        )}
      </div>
    </li>
  );
}
