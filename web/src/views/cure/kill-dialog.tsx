/** The kill: first exactly what dies, then a sure hand, then what became of each. */

import { useEffect, useState } from "react";
import * as api from "../../api/console.ts";
import { Button } from "../../parts/button.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { Failure, Loading, Note } from "../../parts/states.tsx";
import { useWords } from "../../words/words.ts";
import { useNode } from "../node.tsx";
import { needsTyping } from "./sure.ts";
import { KillSums, VictimList } from "./victims.tsx";

type Step = { at: "preview" } | { at: "killing" } | { at: "done"; results: api.KillResult[]; effect: api.KillEffect | null };

export function KillDialog({ victims, onClose }: { victims: readonly api.Victim[]; onClose: () => void }) {
  const t = useWords();
  const { place } = useNode();
  const [what, setWhat] = useState<api.KillWhat>("connection");
  const [reason, setReason] = useState("");
  const [typed, setTyped] = useState("");
  const [step, setStep] = useState<Step>({ at: "preview" });
  const [preview, setPreview] = useState<api.KillResult[] | null>(null);
  const [unknown, setUnknown] = useState<string | null>(null);
  const [warnings, setWarnings] = useState<readonly string[]>([]);
  const [failed, setFailed] = useState<Error | null>(null);
  const [turn, setTurn] = useState(0);
  // Those who were asked for when the dialog was opened: nobody slips in while it is read.
  const [asked] = useState(() => [...victims]);

  useEffect(() => {
    let stopped = false;
    setPreview(null);
    setFailed(null);
    api.kill(place, asked, what, "", true).then(
      ({ sessions, costs_unknown, warnings }) => {
        if (stopped) return;
        setPreview(sessions);
        setUnknown(costs_unknown);
        setWarnings(warnings);
      },
      (error: unknown) => !stopped && setFailed(error as Error),
    );
    return () => {
      stopped = true;
    };
  }, [place, asked, what, turn]);

  const doomed = preview?.filter(({ outcome }) => outcome === "would_kill") ?? [];
  const doomedIds = new Set(doomed.map(({ id }) => id));
  const typing = needsTyping(doomed.length);
  const sure = !typing || typed.trim() === String(doomed.length);
  const kill = async () => {
    setStep({ at: "killing" });
    setFailed(null);
    try {
      const { sessions, effect } = await api.kill(place, asked.filter(({ id }) => doomedIds.has(id)), what, reason.trim(), false);
      setStep({ at: "done", results: sessions, effect });
    } catch (error) {
      setFailed(error as Error);
      setStep({ at: "preview" });
    }
  };

  if (step.at === "done") {
    return (
      <Dialog
        title={t("kill.done")}
        onClose={onClose}
        footer={
          <Button kind="main" onClick={onClose} data-first="">
            {t("close")}
          </Button>
        }
      >
        <KillSums results={step.results} rollsBack={what === "connection"} effect={step.effect} />
        {step.effect && step.effect.unknown !== null && (
          <Note>
            {t("effect.unknown")} {step.effect.unknown}
          </Note>
        )}
        <VictimList results={step.results} />
      </Dialog>
    );
  }
  const busy = step.at === "killing";
  const footer = (
    <>
      {typing && (
        <label className="row push">
          <span className="quiet">{t("kill.type", { n: String(doomed.length) })}</span>
          <input className="input" size={6} inputMode="numeric" value={typed} onChange={(event) => setTyped(event.target.value)} aria-label={t("kill.type", { n: String(doomed.length) })} />
        </label>
      )}
      <Button onClick={onClose}>{t("cancel")}</Button>
      <Button
        kind="sure"
        aria-busy={busy}
        refused={preview === null || busy ? t("loading") : doomed.length === 0 ? t("kill.nobody") : sure ? null : t("kill.type", { n: String(doomed.length) })}
        onClick={() => void kill()}
      >
        {what === "query" ? t("kill.queries", { n: doomed.length }) : t("kill.connections", { n: doomed.length })}
      </Button>
    </>
  );
  return (
    <Dialog title={t("kill.preview", { n: asked.length })} onClose={onClose} footer={footer}>
      <fieldset className="choice">
        <legend className="unseen">{t("kill.what")}</legend>
        {(["connection", "query"] as const).map((one) => (
          <label key={one}>
            <input type="radio" name="what" value={one} checked={what === one} data-first={one === "connection" ? "" : undefined} onChange={() => setWhat(one)} />
            <span>
              <strong>{t(`kill.${one}`)}</strong>
              <span>{t(`kill.${one}.what`)}</span>
            </span>
          </label>
        ))}
      </fieldset>
      {failed && (preview ? <Note bad>{failed.message}</Note> : <Failure error={failed} again={() => setTurn((old) => old + 1)} />)}
      {!preview && !failed && <Loading />}
      {preview && (
        <>
          <KillSums results={preview} rollsBack={what === "connection"} />
          {unknown !== null && (
            <Note>
              {t("costs.unknown")} {unknown}
            </Note>
          )}
          {warnings.map((warning) => (
            <Note key={warning}>{warning}</Note>
          ))}
          <VictimList results={preview} />
          <label className="field">
            <span>{t("kill.reason")}</span>
            <input className="input" value={reason} maxLength={256} onChange={(event) => setReason(event.target.value)} placeholder={t("kill.reason.example")} />
          </label>
        </>
      )}
    </Dialog>
  );
}
