/** The access keys of a user. */

import { useState } from "react";
import * as api from "../../api/administration.ts";
import type { CreatedKey } from "../../api/schema.ts";
import { Button } from "../../parts/button.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { useFetched } from "../../parts/fetched.ts";
import { Failure, Loading } from "../../parts/states.tsx";
import { tell } from "../../parts/told.tsx";
import { moment } from "../../words/amounts.ts";
import { useWords } from "../../words/words.ts";
import { Secret } from "./secret.tsx";

export function Keys({ user }: { user: string }) {
  const t = useWords();
  const { value, error, loading, again } = useFetched(`keys ${user}`, (signal) => api.keys(user, signal));
  const [created, setCreated] = useState<CreatedKey | null>(null);
  const [deleting, setDeleting] = useState<string | null>(null);
  const act = async (done: Promise<unknown>) => {
    try {
      await done;
    } catch (failed) {
      tell((failed as Error).message);
    }
    again();
  };
  if (loading) return <Loading />;
  if (!value) return error && <Failure error={error} again={again} />;
  return (
    <div className="body stack">
      {value.keys.length === 0 && <p className="quiet">{t("keys.none")}</p>}
      {value.keys.map((key) => (
        <div key={key.access_key} className="row wrap">
          <code>{key.access_key}</code>
          {!key.enabled && <span className="tag warn">{t("disabled")}</span>}
          <span className="faint">{key.last_used_at ? t("keys.used", { when: moment(key.last_used_at) }) : t("keys.unused")}</span>
          <span className="push" />
          <Button kind="bare" onClick={() => void act(api.updateKey(user, key.access_key, !key.enabled))}>
            {t(key.enabled ? "disable" : "enable")}
          </Button>
          <Button kind="bare" icon="trash" label={t("delete.of", { what: key.access_key })} onClick={() => setDeleting(key.access_key)} />
        </div>
      ))}
      <div className="row">
        <Button onClick={() => void act(api.createKey(user).then(setCreated))}>{t("keys.create")}</Button>
      </div>
      {created && (
        <Dialog title={t("keys.create")} narrow onClose={() => setCreated(null)}>
          <p>
            {t("keys.access")}: <code>{created.access_key}</code>
          </p>
          <Secret what={t("keys.secret")} secret={created.secret_key} />
        </Dialog>
      )}
      {deleting && (
        <Dialog
          title={t("delete.title")}
          narrow
          onClose={() => setDeleting(null)}
          footer={
            <>
              <Button onClick={() => setDeleting(null)}>{t("cancel")}</Button>
              <Button
                kind="sure"
                onClick={() => {
                  void act(api.deleteKey(user, deleting));
                  setDeleting(null);
                }}
              >
                {t("delete")}
              </Button>
            </>
          }
        >
          <p>{t("keys.delete.what", { key: deleting })}</p>
        </Dialog>
      )}
    </div>
  );
}
