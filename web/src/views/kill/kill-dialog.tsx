/** Kill dialog: preview, confirmation, results. */

import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import * as api from "../../api/console.ts";
import { createQuery } from "../../api/query.ts";
import { toError } from "../../api/request.ts";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Failure, Loading, Note } from "../../components/status.tsx";
import { useTranslation } from "../../i18n/translate.ts";
import { useNode } from "../node-context.tsx";
import { requiresTyping } from "./confirm.ts";
import { KillSums, VictimList } from "./victims.tsx";

type DialogState =
  | { step: "preview" }
  | { step: "killing" }
  | { step: "done"; results: api.KillResult[]; effect: api.KillEffect | null };

export function KillDialog({ victims, onClose }: { victims: readonly api.Victim[]; onClose: () => void }) {
  const t = useTranslation();
  const { nodeRef } = useNode();
  const dialog = useId();
  const [what, setWhat] = useState<api.KillScope>("connection");
  const [reason, setReason] = useState("");
  const [typed, setTyped] = useState("");
  const [state, setState] = useState<DialogState>({ step: "preview" });
  const [killError, setKillError] = useState<Error | null>(null);
  // The selection at the time the dialog opened: later sessions are not added.
  const [requested] = useState(victims);
  const preview = useQuery(createQuery(`kill ${dialog} ${what}`, () => api.kill(nodeRef, requested, what, "", true)));
  const error = killError ?? preview.error;

  const killable = preview.data?.sessions.filter(({ outcome }) => outcome === "would_kill") ?? [];
  const victimIds = new Set(killable.map(({ id }) => id));
  const typing = requiresTyping(killable.length);
  const confirmed = !typing || typed.trim() === String(killable.length);
  const kill = async () => {
    setState({ step: "killing" });
    setKillError(null);
    try {
      const { sessions, effect } = await api.kill(
        nodeRef,
        requested.filter(({ id }) => victimIds.has(id)),
        what,
        reason.trim(),
        false,
      );
      setState({ step: "done", results: sessions, effect });
    } catch (failure) {
      setKillError(toError(failure));
      setState({ step: "preview" });
    }
  };

  if (state.step === "done") {
    return (
      <Dialog
        title={t("kill.results")}
        onClose={onClose}
        footer={
          <Button kind="main" onClick={onClose} data-autofocus="">
            {t("close")}
          </Button>
        }
      >
        <KillSums results={state.results} rollsBack={what === "connection"} effect={state.effect} />
        {state.effect && state.effect.unknown !== null && (
          <Note>
            {t("kill.effect-unknown")} {state.effect.unknown}
          </Note>
        )}
        {state.effect?.unknown === null && state.effect.hidden_waits && <Note>{t("kill.hidden-waits")}</Note>}
        <VictimList results={state.results} />
      </Dialog>
    );
  }
  const busy = state.step === "killing";
  const footer = (
    <>
      {typing && (
        <label className="row push">
          <span className="quiet">{t("kill.type", { n: String(killable.length) })}</span>
          <input
            className="input"
            size={6}
            inputMode="numeric"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
            aria-label={t("kill.type", { n: String(killable.length) })}
          />
        </label>
      )}
      <Button onClick={onClose}>{t("cancel")}</Button>
      <Button
        kind="confirm"
        aria-busy={busy}
        refused={
          preview.data === null || busy
            ? t("loading")
            : killable.length === 0
              ? t("kill.no-sessions")
              : confirmed
                ? null
                : t("kill.type", { n: String(killable.length) })
        }
        onClick={() => void kill()}
      >
        {what === "query" ? t("kill.queries", { n: killable.length }) : t("kill.connections", { n: killable.length })}
      </Button>
    </>
  );
  return (
    <Dialog title={t("kill.preview", { n: requested.length })} onClose={onClose} footer={footer}>
      <fieldset className="choice">
        <legend className="visually-hidden">{t("kill.scope")}</legend>
        {(["connection", "query"] as const).map((one) => (
          <label key={one}>
            <input
              type="radio"
              name="what"
              value={one}
              checked={what === one}
              data-autofocus={one === "connection" ? "" : undefined}
              onChange={() => {
                setWhat(one);
                setKillError(null);
              }}
            />
            <span>
              <strong>{t(`kill.${one}`)}</strong>
              <span>{t(`kill.${one}.what`)}</span>
            </span>
          </label>
        ))}
      </fieldset>
      {error &&
        (preview.data ? (
          <Note bad>{error.message}</Note>
        ) : (
          <Failure error={error} retry={() => void preview.refetch()} />
        ))}
      {!preview.data && !error && <Loading />}
      {preview.data && (
        <>
          <KillSums results={preview.data.sessions} rollsBack={what === "connection"} />
          {preview.data.costs_unknown !== null && (
            <Note>
              {t("kill.cost-unknown")} {preview.data.costs_unknown}
            </Note>
          )}
          {preview.data.warnings.map((warning) => (
            <Note key={warning}>{warning}</Note>
          ))}
          <VictimList results={preview.data.sessions} />
          <label className="field">
            <span>{t("kill.reason")}</span>
            <input
              className="input"
              value={reason}
              maxLength={256}
              onChange={(event) => setReason(event.target.value)}
              placeholder={t("kill.reason.example")}
            />
          </label>
        </>
      )}
    </Dialog>
  );
}
