/** Policy simulation: decision for a user and an action, with the deciding statement. */

import { useQuery } from "@tanstack/react-query";
import { type SubmitEvent, useState } from "react";
import * as api from "../../api/administration.ts";
import { ACTIONS } from "../../api/console.ts";
import { toError } from "../../api/request.ts";
import type { SimulationRequest, SimulationResponse } from "../../api/schema.ts";
import { useAuth } from "../../auth.tsx";
import { Button } from "../../components/button.tsx";
import { Note } from "../../components/status.tsx";
import { useTranslation } from "../../i18n/translate.ts";

export function Simulate() {
  const t = useTranslation();
  const { session } = useAuth();
  const users = useQuery(api.users());
  const [user, setUser] = useState("");
  const [action, setAction] = useState<string>(ACTIONS.kill);
  const [project, setProject] = useState("");
  const [instance, setInstance] = useState("");
  const [result, setResult] = useState<SimulationResponse | null>(null);
  const [failed, setFailed] = useState<string | null>(null);
  const selectedUser = user || users.data?.users[0]?.id || "";
  const scope = project || session.projects[0]?.id || "";
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setFailed(null);
    const simulation: SimulationRequest = {
      user_id: selectedUser,
      action,
      ...(scope ? { project_id: scope } : {}),
      ...(instance ? { instance_id: instance } : {}),
    };
    try {
      setResult(await api.simulate(simulation));
    } catch (error) {
      setResult(null);
      setFailed(toError(error).message);
    }
  };
  return (
    <>
      <form className="sheet" onSubmit={(event) => void submit(event)} aria-label={t("access.simulate")}>
        <div className="body form">
          <label className="field">
            <span>{t("user")}</span>
            <select className="input" value={selectedUser} onChange={(event) => setUser(event.target.value)}>
              {users.data?.users.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <label className="field double">
            <span>{t("simulate.action")}</span>
            <input
              className="input"
              list="actions"
              required
              value={action}
              onChange={(event) => setAction(event.target.value)}
            />
            <datalist id="actions">
              {Object.values(ACTIONS).map((one) => (
                <option key={one} value={one} />
              ))}
            </datalist>
          </label>
          <label className="field">
            <span>{t("project")}</span>
            <select className="input" value={scope} onChange={(event) => setProject(event.target.value)}>
              {session.projects.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <label className="field">
            <span>{t("simulate.instance")}</span>
            <input
              className="input"
              value={instance}
              onChange={(event) => setInstance(event.target.value.trim())}
              placeholder={t("simulate.instance.any")}
            />
          </label>
          <Button kind="main" type="submit">
            {t("simulate.run")}
          </Button>
        </div>
      </form>
      {failed && <Note bad>{failed}</Note>}
      {result && <Decision result={result} />}
    </>
  );
}

function Decision({ result }: { result: SimulationResponse }) {
  const t = useTranslation();
  const { deciding } = result;
  return (
    <section className="sheet" role="status">
      <header>
        <span className={result.decision === "allow" ? "tag on" : "tag warn"}>
          {t(result.decision === "allow" ? "simulate.allow" : "simulate.deny")}
        </span>
        {result.administrator && <span className="quiet">{t("simulate.administrator")}</span>}
        {deciding && <span>{t("simulate.by", { policy: deciding.policy, statement: deciding.statement })}</span>}
        {result.reason && <span className="quiet">{result.reason}</span>}
      </header>
      <ul>
        {result.statements.map((one, at) => (
          <li key={at} className="rank">
            <div className="row wrap">
              <span className={one.effect === "Allow" ? "tag on" : "tag warn"}>{one.effect}</span>
              <strong>{one.policy}</strong>
              <span className="quiet">{one.sid ?? `#${one.statement}`}</span>
              {one.group && <span className="faint">{t("attachment.group", { name: one.group })}</span>}
              <span className="push tag">{t(one.matched ? "simulate.matched" : "simulate.not.matched")}</span>
            </div>
            {one.reasons.map((reason) => (
              <span key={reason} className="quiet">
                {reason}
              </span>
            ))}
          </li>
        ))}
      </ul>
    </section>
  );
}
