/** Policies: editor with validation, attachments. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import * as api from "../../api/administration.ts";
import { toError } from "../../api/request.ts";
import type { PolicyValidationResponse } from "../../api/schema.ts";
import { Button } from "../../components/button.tsx";
import { Failure, Loading, Note } from "../../components/status.tsx";
import { showErrorToast, showToast } from "../../components/toasts.tsx";
import { useTranslation } from "../../i18n/translate.ts";
import { Attachments } from "./attachments.tsx";

const NEW_POLICY_DOCUMENT = `{
  "Version": "5.0",
  "Statement": [
    { "Effect": "Allow", "Action": ["gaussdbformysql:instance:list*"], "Resource": ["*"] }
  ]
}`;

export function Policies() {
  const t = useTranslation();
  const { data, error, refetch } = useQuery(api.policies());
  const [selected, setSelected] = useState<string | null>(null);
  const [creating, setCreating] = useState(false);
  if (!data) return error ? <Failure error={error} retry={() => void refetch()} /> : <Loading />;
  const name = selected ?? data.policies[0]?.name ?? null;
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
          {data.policies.map((policy) => (
            <li key={policy.name}>
              <button
                type="button"
                className="breakdown-row"
                aria-pressed={!creating && policy.name === name}
                onClick={() => {
                  setCreating(false);
                  setSelected(policy.name);
                }}
              >
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
          document={NEW_POLICY_DOCUMENT}
          system={false}
          onSaved={(saved) => {
            setCreating(false);
            setSelected(saved);
            void refetch();
          }}
        />
      ) : (
        name !== null && <Policy key={name} name={name} refetch={refetch} onDeleted={() => setSelected(null)} />
      )}
    </div>
  );
}

function Policy({
  name,
  refetch,
  onDeleted,
}: {
  name: string;
  refetch: () => Promise<unknown>;
  onDeleted: () => void;
}) {
  const t = useTranslation();
  const { data, error, refetch: refetchPolicy } = useQuery(api.policy(name));
  if (!data) return error ? <Failure error={error} retry={() => void refetchPolicy()} /> : <Loading />;
  const remove = async () => {
    try {
      await api.deletePolicy(name);
      onDeleted();
    } catch (failed) {
      showErrorToast(failed);
    }
    await refetch();
  };
  return (
    <div className="stack wide">
      <Editor
        name={name}
        description={data.description}
        document={JSON.stringify(data.document, null, 2)}
        system={data.system}
        onSaved={() => void refetchPolicy()}
      />
      <Attachments name={name} />
      {!data.system && (
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
  /** `null` for a new policy. */
  name: string | null;
  description: string;
  document: string;
  system: boolean;
  onSaved: (name: string) => void;
}

const VALIDATION_DELAY_MS = 400;

function Editor({ name, description, document: initialDocument, system, onSaved }: EditorProps) {
  const t = useTranslation();
  const [text, setText] = useState(initialDocument);
  const [newName, setNewName] = useState("");
  const [newDescription, setNewDescription] = useState(description);
  const [validation, setValidation] = useState<PolicyValidationResponse | null>(null);
  const [failed, setFailed] = useState<string | null>(null);
  useEffect(() => {
    if (system) return undefined;
    const timer = setTimeout(() => {
      api.validate(text).then(setValidation, (error: unknown) => setFailed(toError(error).message));
    }, VALIDATION_DELAY_MS);
    return () => clearTimeout(timer);
  }, [text, system]);
  const save = async () => {
    setFailed(null);
    try {
      const put = await api.putPolicy(name ?? newName, newDescription, text);
      showToast(t("policies.saved"));
      onSaved(put.name);
    } catch (error) {
      setFailed(toError(error).message);
    }
  };
  const invalid = validation !== null && !validation.valid;
  return (
    <section className="sheet">
      <header>
        {name === null ? (
          <input
            className="input"
            style={{ maxWidth: 280 }}
            aria-label={t("name")}
            placeholder={t("name")}
            value={newName}
            onChange={(event) => setNewName(event.target.value)}
          />
        ) : (
          <h2>{name}</h2>
        )}
        {system ? (
          <span className="quiet">{description}</span>
        ) : (
          <input
            className="input"
            style={{ maxWidth: 320 }}
            aria-label={t("description")}
            placeholder={t("description")}
            value={newDescription}
            onChange={(event) => setNewDescription(event.target.value)}
          />
        )}
        {!system && (
          <Button
            kind="main"
            className="push"
            refused={invalid ? t("policies.invalid") : name === null && newName === "" ? t("name") : null}
            onClick={() => void save()}
          >
            {t("save")}
          </Button>
        )}
      </header>
      <div className="body stack">
        <textarea
          className="input"
          rows={14}
          readOnly={system}
          spellCheck={false}
          aria-label={t("policies.document")}
          aria-invalid={invalid}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        {validation &&
          [...validation.errors, ...validation.warnings].map((one, at) => (
            <Note key={at} bad={at < validation.errors.length}>
              {t("policies.at", { line: one.line, column: one.column })} {one.message}
            </Note>
          ))}
        {validation?.valid && validation.warnings.length === 0 && <p className="quiet">{t("policies.valid")}</p>}
        {failed && <Note bad>{failed}</Note>}
      </div>
    </section>
  );
}
