/** Automatic kill tasks: list, creation with preview, stop. */

import { useQuery } from "@tanstack/react-query";
import { type SubmitEvent, useState } from "react";
import * as api from "../../api/console.ts";
import { toError } from "../../api/request.ts";
import type { AddKillTaskRequest, KillTaskList, KillTaskPreview } from "../../api/schema.ts";
import { Button } from "../../components/button.tsx";
import { Empty, Loaded, Note } from "../../components/status.tsx";
import { showErrorToast, showToast } from "../../components/toasts.tsx";
import { duration, timestamp } from "../../i18n/format.ts";
import { useTranslation } from "../../i18n/translate.ts";
import { useNode } from "../node-context.tsx";
import { useNodeNames } from "../use-node-names.ts";

const CRITERIA = ["user", "host", "db", "command", "info"] as const;

export function KillTasks() {
  const t = useTranslation();
  const { nodeRef, refusal } = useNode();
  const [adding, setAdding] = useState(false);
  const tasks = useQuery({ ...api.killTasks(nodeRef), refetchInterval: 5000 });
  const status = useQuery({ ...api.killTaskSwitch(nodeRef), refetchInterval: 10_000 });
  const changeRefusal = refusal(api.ACTIONS.changeTasks);
  const on = status.data?.status.toLowerCase() === "on";
  const toggle = async () => {
    try {
      await api.setKillTaskSwitch(nodeRef, on ? "OFF" : "ON");
      await status.refetch();
    } catch (error) {
      showErrorToast(error);
    }
  };
  return (
    <>
      <div className="row wrap">
        <p className="quiet">{t("tasks.description")}</p>
        <span className="push" />
        {status.data && (
          <Button role="switch" aria-checked={on} refused={changeRefusal} onClick={() => void toggle()}>
            {t(on ? "tasks.on" : "tasks.off")}
          </Button>
        )}
        <Button kind="main" refused={changeRefusal} aria-expanded={adding} onClick={() => setAdding(!adding)}>
          {t("tasks.add")}
        </Button>
      </div>
      {changeRefusal && <p className="missing">{changeRefusal}</p>}
      {adding && (
        <AddTask
          added={() => {
            setAdding(false);
            void tasks.refetch();
          }}
        />
      )}
      <Loaded query={tasks}>
        {(data) => <TaskList tasks={data.processes} refetch={tasks.refetch} changeRefusal={changeRefusal} />}
      </Loaded>
    </>
  );
}

function TaskList({
  tasks,
  refetch,
  changeRefusal,
}: {
  tasks: KillTaskList["processes"];
  refetch: () => Promise<unknown>;
  changeRefusal: string | null;
}) {
  const t = useTranslation();
  const { nodeRef } = useNode();
  const stop = async (id: string) => {
    try {
      await api.stopKillTask(nodeRef, id);
      await refetch();
    } catch (error) {
      showErrorToast(error);
    }
  };
  if (tasks.length === 0) {
    return (
      <div className="sheet">
        <Empty title={t("tasks.none")} />
      </div>
    );
  }
  return (
    <div className="sheet scroll" tabIndex={0} role="region" aria-label={t("kill.view.tasks")}>
      <table className="list">
        <thead>
          <tr>
            <th>{t("tasks.criteria")}</th>
            <th>{t("status")}</th>
            <th>{t("time")}</th>
            <th>{t("until")}</th>
            <th>
              <span className="visually-hidden">{t("tasks.stop")}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {tasks.map((task) => (
            <tr key={task.id}>
              <td>
                {CRITERIA.filter((key) => task[key] !== null)
                  .map((key) => `${key}:${task[key] ?? ""}`)
                  .join(" ")}{" "}
                ≥ {duration(task.time)}
                {task.include_unsafe && <span className="tag warn">{t("tasks.unsafe.short")}</span>}
                {task.refused_nodes.map((node) => (
                  <p key={node.node_id} className="missing">
                    {t("tasks.refused", {
                      node: node.node_id.slice(0, 8),
                      n: node.refused_logins,
                      reason: node.reason,
                      when: timestamp(node.next_attempt_time),
                    })}
                  </p>
                ))}
              </td>
              <td>
                <span className={task.task_state === "running" ? "tag on" : "tag"}>{task.task_state}</span>
              </td>
              <td className="mono">{timestamp(task.start_time)}</td>
              <td className="mono">{task.end_time === null ? t("tasks.manual") : timestamp(task.end_time)}</td>
              <td className="number">
                {task.task_state === "running" && (
                  <Button refused={changeRefusal} onClick={() => void stop(task.id)}>
                    {t("tasks.stop")}
                  </Button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Form for a new task. The task can be started only after a preview of its current matches. */
function AddTask({ added }: { added: () => void }) {
  const t = useTranslation();
  const { nodeRef } = useNode();
  const [fields, setFields] = useState<Record<string, string>>({ time: "60", minutes: "10" });
  const [received, setReceived] = useState<{ criteria: string; preview: KillTaskPreview } | null>(null);
  const [failed, setFailed] = useState<string | null>(null);
  const [unsafe, setUnsafe] = useState(false);
  const [typed, setTyped] = useState("");
  const { instance: name } = useNodeNames(nodeRef);
  const set = (field: string) => (event: { target: { value: string } }) => {
    setFields({ ...fields, [field]: event.target.value });
  };
  const criteria = Object.fromEntries(CRITERIA.flatMap((key) => (fields[key] ? [[key, fields[key]]] : [])));
  const time = Number(fields["time"]);
  const previewed = { ...criteria, time, include_unsafe: unsafe };
  // A preview of other criteria is not shown, even if the fields change while the preview is requested.
  const preview = received?.criteria === JSON.stringify(previewed) ? received.preview : null;
  // A task whose only criterion is time matches every user session; the server requires the instance name as confirmation.
  const matchesAll = Object.keys(criteria).length === 0;
  const confirmed = !matchesAll || typed === name;
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setFailed(null);
    try {
      if (!preview) {
        const result = await api.previewKillTask(nodeRef, previewed);
        setReceived({ criteria: JSON.stringify(previewed), preview: result });
        return;
      }
      if (!confirmed) return;
      const minutes = Number(fields["minutes"]);
      const rule = {
        ...criteria,
        time,
        ...(unsafe ? { include_unsafe: true } : {}),
        ...(matchesAll ? { confirmed_instance_name: typed } : {}),
      };
      const task: AddKillTaskRequest =
        minutes > 0 ? { ...rule, task_type: "auto", task_duration: minutes * 60 } : { ...rule, task_type: "manual" };
      await api.addKillTask(nodeRef, task);
      showToast(t("tasks.added"));
      added();
    } catch (error) {
      setFailed(toError(error).message);
    }
  };
  return (
    <form className="sheet" onSubmit={(event) => void submit(event)} aria-label={t("tasks.add")}>
      <div className="body stack">
        <div className="form">
          {CRITERIA.map((key) => (
            <label key={key} className="field">
              <span>{t(`criterion.${key}`)}</span>
              <input className="input" value={fields[key] ?? ""} onChange={set(key)} />
            </label>
          ))}
          <label className="field">
            <span>{t("criterion.time")}</span>
            <input className="input" type="number" min={1} required value={fields["time"]} onChange={set("time")} />
          </label>
          <label className="field">
            <span>{t("criterion.minutes")}</span>
            <input
              className="input"
              type="number"
              min={0}
              value={fields["minutes"]}
              onChange={set("minutes")}
              placeholder={t("tasks.manual")}
            />
          </label>
        </div>
        <label className="row">
          <input
            type="checkbox"
            checked={unsafe}
            onChange={(event) => {
              setUnsafe(event.target.checked);
            }}
          />
          <span>{t("tasks.unsafe")}</span>
        </label>
        {failed && <Note bad>{failed}</Note>}
        {preview && (
          <>
            <strong className={preview.total_count > 0 ? "red" : undefined}>
              {t("tasks.victims", { n: preview.total_count })}
            </strong>
            {preview.processes.length > 0 && (
              <ul className="victims" tabIndex={0} aria-label={t("victims")}>
                {preview.processes.map((one) => (
                  <li key={one.id} className="rank">
                    <div className="row">
                      <strong>{one.id}</strong> {one.user}@{one.host} <span className="tag">{one.command}</span>
                      <span className="push quiet">{duration(one.state_duration)}</span>
                    </div>
                    {one.sql_info && <code>{one.sql_info.slice(0, 300)}</code>}
                  </li>
                ))}
              </ul>
            )}
            {preview.spared && preview.spared.length > 0 && (
              <>
                <strong>{t("tasks.spared", { n: preview.spared_count ?? 0 })}</strong>
                <ul className="victims" tabIndex={0} aria-label={t("tasks.spared", { n: preview.spared_count ?? 0 })}>
                  {preview.spared.map((one) => (
                    <li key={`${one.node_id} ${one.id}`} className="rank">
                      <div className="row">
                        <strong>{one.id}</strong> {one.user}@{one.host} <span className="tag">{one.command}</span>
                      </div>
                      <span>{one.risk.message}</span>
                    </li>
                  ))}
                </ul>
              </>
            )}
            {matchesAll && (
              <label className="field">
                <span>{t("tasks.confirm", { name })}</span>
                <input className="input" value={typed} onChange={(event) => setTyped(event.target.value)} />
              </label>
            )}
          </>
        )}
        <div className="row">
          <Button
            kind={preview ? "confirm" : "main"}
            type="submit"
            refused={preview && !confirmed ? t("tasks.confirm", { name }) : null}
          >
            {t(preview ? "tasks.start" : "tasks.preview")}
          </Button>
        </div>
      </div>
    </form>
  );
}
