/** Policies: what they say, checked while one writes, and to whom they are attached. */

import { useEffect, useState } from "react";
import * as api from "../../api/administration.ts";
import type { Validation } from "../../api/schema.ts";
import { Button } from "../../parts/button.tsx";
import { useFetched } from "../../parts/fetched.ts";
import { Failure, Loading, Note } from "../../parts/states.tsx";
import { tell } from "../../parts/told.tsx";
import { useWords } from "../../words/words.ts";
import { Attachments } from "./attachments.tsx";

const FIRST = `{
  "Version": "5.0",
  "Statement": [
    { "Effect": "Allow", "Action": ["gaussdbformysql:instance:list*"], "Resource": ["*"] }
  ]
}`;

export function Policies() {
  const t = useWords();
  const { value, error, loading, again } = useFetched("policies", api.policies);
  const [chosen, setChosen] = useState<string | null>(null);
  const [creating, setCreating] = useState(false);
  if (loading) return <Loading />;
  if (!value) return error && <Failure error={error} again={again} />;
  const name = chosen ?? value.policies[0]?.name ?? null;
  return (
    <div className="split">
      <div className="sheet">
        <header>
          <h2>{t("access.policies")}</h2>
          <Button kind="bare" className="push" onClick={() => setCreating(true)}>
            {t("policies.create")}
          </Button>
        </header>
        <ul className="body stack">
          {value.policies.map((policy) => (
            <li key={policy.name}>
              <button type="button" className="share" aria-pressed={!creating && policy.name === name} onClick={() => (setCreating(false), setChosen(policy.name))}>
                <span className="cut">{policy.name}</span>
                {policy.system && <span className="tag">{t("policies.system")}</span>}
              </button>
            </li>
          ))}
        </ul>
      </div>
      {creating ? (
        <Editor
          key="new"
          name={null}
          description=""
          document={FIRST}
          system={false}
          saved={(saved) => {
            setCreating(false);
            setChosen(saved);
            again();
          }}
        />
      ) : (
        name !== null && <Policy key={name} name={name} again={again} gone={() => setChosen(null)} />
      )}
    </div>
  );
}

function Policy({ name, again, gone }: { name: string; again: () => void; gone: () => void }) {
  const t = useWords();
  const { value, error, loading, again: read } = useFetched(`policy ${name}`, (signal) => api.policy(name, signal));
  if (loading) return <Loading />;
  if (!value) return error && <Failure error={error} again={read} />;
  const remove = async () => {
    try {
      await api.deletePolicy(name);
      gone();
    } catch (failed) {
      tell((failed as Error).message);
    }
    again();
  };
  return (
    <div className="stack wide">
      <Editor name={name} description={value.description} document={JSON.stringify(value.document, null, 2)} system={value.system} saved={read} />
      <Attachments name={name} />
      {!value.system && (
        <div className="row">
          <Button kind="kill" onClick={() => void remove()}>
            {t("policies.delete")}
          </Button>
        </div>
      )}
    </div>
  );
}

interface EditorProps {
  /** Nothing for one that is not there yet. */
  name: string | null;
  description: string;
  document: string;
  system: boolean;
  saved: (name: string) => void;
}

const PAUSE_MS = 400;

function Editor({ name, description, document: before, system, saved }: EditorProps) {
  const t = useWords();
  const [text, setText] = useState(before);
  const [newName, setNewName] = useState("");
  const [about, setAbout] = useState(description);
  const [found, setFound] = useState<Validation | null>(null);
  const [failed, setFailed] = useState<string | null>(null);
  useEffect(() => {
    if (system) return undefined;
    const timer = setTimeout(() => {
      api.validate(text).then(setFound, (error: Error) => setFailed(error.message));
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, system]);
  const save = async () => {
    setFailed(null);
    try {
      const put = await api.putPolicy(name ?? newName, about, text);
      tell(t("policies.saved"));
      saved(put.name);
    } catch (error) {
      setFailed((error as Error).message);
    }
  };
  const wrong = found !== null && !found.valid;
  return (
    <section className="sheet">
      <header>
        {name === null ? (
          <input className="input" style={{ maxWidth: 280 }} aria-label={t("name")} placeholder={t("name")} value={newName} onChange={(event) => setNewName(event.target.value)} />
        ) : (
          <h2>{name}</h2>
        )}
        {system ? <span className="quiet">{description}</span> : <input className="input" style={{ maxWidth: 320 }} aria-label={t("description")} placeholder={t("description")} value={about} onChange={(event) => setAbout(event.target.value)} />}
        {!system && (
          <Button kind="main" className="push" refused={wrong ? t("policies.wrong") : name === null && newName === "" ? t("name") : null} onClick={() => void save()}>
            {t("save")}
          </Button>
        )}
      </header>
      <div className="body stack">
        <textarea className="input" rows={14} readOnly={system} spellCheck={false} aria-label={t("policies.document")} aria-invalid={wrong} value={text} onChange={(event) => setText(event.target.value)} />
        {found && [...found.errors, ...found.warnings].map((one, at) => (
          <Note key={at} bad={at < found.errors.length}>
            {t("policies.at", { line: one.line, column: one.column })} {one.message}
          </Note>
        ))}
        {found?.valid && found.warnings.length === 0 && <p className="quiet">{t("policies.valid")}</p>}
        {failed && <Note bad>{failed}</Note>}
      </div>
    </section>
  );
}
