/** Users of the domain. */

import { useQuery } from "@tanstack/react-query";
import { type SubmitEvent, useState } from "react";
import * as api from "../../api/administration.ts";
import { toError } from "../../api/request.ts";
import type { UserView } from "../../api/schema.ts";
import { useAuth } from "../../auth.tsx";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Empty, Loaded, Note } from "../../components/status.tsx";
import { showErrorToast } from "../../components/toasts.tsx";
import { useTranslation } from "../../i18n/translate.ts";
import { navigate } from "../../routing/navigate.tsx";
import { Keys } from "./keys.tsx";
import { Secret } from "./secret.tsx";

export function Users({ search }: { search: string }) {
  const t = useTranslation();
  const users = useQuery(api.users());
  const [creating, setCreating] = useState(false);
  const matchesSearch = ({ name, description }: UserView) =>
    `${name} ${description}`.toLowerCase().includes(search.toLowerCase());
  return (
    <>
      <div className="row wrap">
        <input
          className="input"
          type="search"
          aria-label={t("users.search")}
          placeholder={t("users.search")}
          value={search}
          style={{ maxWidth: 280 }}
          onChange={(event) => navigate({ view: "access", part: "users", search: event.target.value }, "replace")}
        />
        <Button kind="main" className="push" onClick={() => setCreating(true)}>
          {t("users.create")}
        </Button>
      </div>
      <Loaded query={users}>
        {(data) => {
          const shown = data.users.filter(matchesSearch);
          return (
            <>
              {shown.length === 0 ? (
                <Empty title={t("instances.no.match", { search })} />
              ) : (
                <ul className="stack">
                  {shown.map((user) => (
                    <User key={user.id} user={user} refetch={users.refetch} />
                  ))}
                </ul>
              )}
              {data.total_count > data.users.length && (
                <Note>{t("users.truncated", { n: data.users.length, total: data.total_count })}</Note>
              )}
            </>
          );
        }}
      </Loaded>
      {creating && (
        <CreateUser
          onClose={() => {
            setCreating(false);
            void users.refetch();
          }}
        />
      )}
    </>
  );
}

function User({ user, refetch }: { user: UserView; refetch: () => Promise<unknown> }) {
  const t = useTranslation();
  const { session } = useAuth();
  const [open, setOpen] = useState(false);
  const self = session.user.id === user.id;
  const update = async (change: { enabled?: boolean; administrator?: boolean }) => {
    try {
      await api.updateUser(user.id, change);
      await refetch();
    } catch (error) {
      showErrorToast(error);
    }
  };
  return (
    <li className="sheet">
      <header>
        <h2>{user.name}</h2>
        {self && <span className="tag on">{t("users.you")}</span>}
        {user.administrator && <span className="tag">{t("users.administrator")}</span>}
        {!user.enabled && <span className="tag warn">{t("disabled")}</span>}
        <span className="quiet cut">{user.description}</span>
        <span className="push" />
        <Button kind="bare" aria-expanded={open} onClick={() => setOpen(!open)}>
          {t("keys.access")}
        </Button>
        <Button
          refused={self ? t("users.self") : null}
          onClick={() => void update({ administrator: !user.administrator })}
        >
          {t(user.administrator ? "users.demote" : "users.promote")}
        </Button>
        <Button refused={self ? t("users.self") : null} onClick={() => void update({ enabled: !user.enabled })}>
          {t(user.enabled ? "disable" : "enable")}
        </Button>
      </header>
      {open && <Keys user={user.id} />}
    </li>
  );
}

function CreateUser({ onClose }: { onClose: () => void }) {
  const t = useTranslation();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [administrator, setAdministrator] = useState(false);
  const [failed, setFailed] = useState<string | null>(null);
  const [password, setPassword] = useState<string | null>(null);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setFailed(null);
    try {
      const created = await api.createUser({ name, description, administrator });
      setPassword(created.password ?? "");
    } catch (error) {
      setFailed(toError(error).message);
    }
  };
  return (
    <Dialog title={t("users.create")} narrow onClose={onClose}>
      {password !== null ? (
        <Secret label={t("users.password", { name })} secret={password} />
      ) : (
        <form className="stack" onSubmit={(event) => void submit(event)}>
          <label className="field">
            <span>{t("name")}</span>
            <input className="input" required value={name} onChange={(event) => setName(event.target.value)} />
          </label>
          <label className="field">
            <span>{t("description")}</span>
            <input className="input" value={description} onChange={(event) => setDescription(event.target.value)} />
          </label>
          <label className="check">
            <input
              type="checkbox"
              checked={administrator}
              onChange={(event) => setAdministrator(event.target.checked)}
            />{" "}
            {t("users.administrator")}
          </label>
          {failed && <Note bad>{failed}</Note>}
          <Button kind="main" type="submit">
            {t("users.create")}
          </Button>
        </form>
      )}
    </Dialog>
  );
}
