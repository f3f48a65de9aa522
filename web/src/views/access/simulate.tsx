/** May this user do that? And by which statement of which policy. */

import { type FormEvent, useState } from "react";
import * as api from "../../api/administration.ts";
import { ACTIONS } from "../../api/console.ts";
import type { Simulation, SimulationAnswer } from "../../api/schema.ts";
import { Button } from "../../parts/button.tsx";
import { useFetched } from "../../parts/fetched.ts";
import { Note } from "../../parts/states.tsx";
import { useSignedIn } from "../../signed-in.tsx";
import { useWords } from "../../words/words.ts";

export function Simulate() {
  const t = useWords();
  const { session } = useSignedIn();
  const users = useFetched("users", api.users);
  const [user, setUser] = useState("");
  const [action, setAction] = useState<string>(ACTIONS.kill);
  const [project, setProject] = useState("");
  const [instance, setInstance] = useState("");
  const [answer, setAnswer] = useState<SimulationAnswer | null>(null);
  const [failed, setFailed] = useState<string | null>(null);
  const chosen = user || users.value?.users[0]?.id || "";
  const scope = project || session.projects[0]?.id || "";
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setFailed(null);
    const simulation: Simulation = { user_id: chosen, action, ...(scope ? { project_id: scope } : {}), ...(instance ? { instance_id: instance } : {}) };
    try {
      setAnswer(await api.simulate(simulation));
    } catch (error) {
      setAnswer(null);
      setFailed((error as Error).message);
    }
  };
  return (
    <>
      <form className="sheet" onSubmit={(event) => void submit(event)} aria-label={t("access.simulate")}>
        <div className="body form">
          <label className="field">
            <span>{t("user")}</span>
            <select className="input" value={chosen} onChange={(event) => setUser(event.target.value)}>
              {users.value?.users.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <label className="field double">
            <span>{t("simulate.action")}</span>
            <input className="input" list="actions" required value={action} onChange={(event) => setAction(event.target.value)} />
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
            <input className="input" value={instance} onChange={(event) => setInstance(event.target.value.trim())} placeholder={t("simulate.instance.any")} />
          </label>
          <Button kind="main" type="submit">
            {t("simulate.ask")}
          </Button>
        </div>
      </form>
      {failed && <Note bad>{failed}</Note>}
      {answer && <Answer answer={answer} />}
    </>
  );
}

function Answer({ answer }: { answer: SimulationAnswer }) {
  const t = useWords();
  const { deciding } = answer;
  return (
    <section className="sheet" role="status">
      <header>
        <span className={answer.decision === "allow" ? "tag on" : "tag warn"}>{t(answer.decision === "allow" ? "simulate.allow" : "simulate.deny")}</span>
        {answer.administrator && <span className="quiet">{t("simulate.administrator")}</span>}
        {deciding && <span>{t("simulate.by", { policy: deciding.policy, statement: deciding.statement })}</span>}
        {answer.reason && <span className="quiet">{answer.reason}</span>}
      </header>
      <ul>
        {answer.statements.map((one, at) => (
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
