/** Access keys of a user. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import * as api from "../../api/administration.ts";
import type { CreatedAccessKey } from "../../api/schema.ts";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Loaded } from "../../components/status.tsx";
import { showErrorToast } from "../../components/toasts.tsx";
import { timestamp } from "../../i18n/format.ts";
import { useTranslation } from "../../i18n/translate.ts";
import { Secret } from "./secret.tsx";

export function Keys({ user }: { user: string }) {
  const t = useTranslation();
  const keys = useQuery(api.keys(user));
  const [created, setCreated] = useState<CreatedAccessKey | null>(null);
  const [deleting, setDeleting] = useState<string | null>(null);
  const runAndRefetch = async (operation: Promise<unknown>) => {
    try {
      await operation;
    } catch (failed) {
      showErrorToast(failed);
    }
    await keys.refetch();
  };
  return (
    <Loaded query={keys}>
      {(data) => (
        <div className="body stack">
          {data.keys.length === 0 && <p className="quiet">{t("keys.none")}</p>}
          {data.keys.map((key) => (
            <div key={key.access_key} className="row wrap">
              <code>{key.access_key}</code>
              {!key.enabled && <span className="tag warn">{t("disabled")}</span>}
              <span className="faint">
                {key.last_used_at ? t("keys.used", { when: timestamp(key.last_used_at) }) : t("keys.unused")}
              </span>
              <span className="push" />
              <Button kind="bare" onClick={() => void runAndRefetch(api.updateKey(user, key.access_key, !key.enabled))}>
                {t(key.enabled ? "disable" : "enable")}
              </Button>
              <Button
                kind="bare"
                icon="trash"
                label={t("delete.of", { name: key.access_key })}
                onClick={() => setDeleting(key.access_key)}
              />
            </div>
          ))}
          <div className="row">
            <Button onClick={() => void runAndRefetch(api.createKey(user).then(setCreated))}>{t("keys.create")}</Button>
          </div>
          {created && (
            <Dialog title={t("keys.create")} narrow onClose={() => setCreated(null)}>
              <p>
                {t("keys.access")}: <code>{created.access_key}</code>
              </p>
              <Secret label={t("keys.secret")} secret={created.secret_key} />
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
                    kind="confirm"
                    onClick={() => {
                      void runAndRefetch(api.deleteKey(user, deleting));
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
      )}
    </Loaded>
  );
}
