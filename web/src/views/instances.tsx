/** Which instance, which node: with search, and how they are. */

import { useState } from "react";
import * as api from "../api/console.ts";
import type { DetailedInstance, ListedInstance } from "../api/schema.ts";
import { useFetched } from "../parts/fetched.ts";
import { Empty, Failure, Loading } from "../parts/states.tsx";
import { useSignedIn } from "../signed-in.tsx";
import { go, Link } from "../url/navigate.tsx";
import { NO_SESSIONS_STATE } from "../url/route.ts";
import { useWords } from "../words/words.ts";

/** All of them, a hundred at a time. */
async function everyInstance(project: string, signal: AbortSignal): Promise<ListedInstance[]> {
  const found: ListedInstance[] = [];
  for (;;) {
    const { instances, total_count } = await api.instances(project, found.length, signal);
    found.push(...instances);
    if (instances.length === 0 || found.length >= total_count) return found;
  }
}

export function Instances({ search }: { search: string }) {
  const t = useWords();
  const { session } = useSignedIn();
  const project = session.project;
  const { value, error, loading, again } = useFetched(project?.id ?? null, (signal) => everyInstance(project?.id ?? "", signal), 15_000);
  const wanted = search.trim().toLowerCase();
  const shown = value?.filter((one) => fits(one, wanted)) ?? [];
  return (
    <>
      <header className="top">
        <h1>{t("view.instances")}</h1>
        <ProjectChoice />
        <input
          className="input push"
          type="search"
          style={{ width: 260 }}
          aria-label={t("instances.search")}
          placeholder={t("instances.search")}
          value={search}
          onChange={(event) => go({ view: "instances", search: event.target.value }, "replace")}
        />
      </header>
      <div className="page">
        <div className="readable">
          {!project ? (
            <Empty title={t("project.none")}>
              <p>{t("project.none.what")}</p>
            </Empty>
          ) : loading ? (
            <Loading />
          ) : error && !value ? (
            <Failure error={error} again={again} />
          ) : value?.length === 0 ? (
            <Empty title={t("instances.none")}>
              <p>{t("instances.none.what")}</p>
              <code>clew instance add --name NAME --node mysql://…</code>
            </Empty>
          ) : shown.length === 0 ? (
            <Empty title={t("instances.no.match", { search })} />
          ) : (
            <ul className="picker">
              {shown.map((one) => (
                <Instance key={one.id} listed={one} project={project.id} />
              ))}
            </ul>
          )}
        </div>
      </div>
    </>
  );
}

function fits(one: ListedInstance, wanted: string): boolean {
  const words = [one.name, one.id, ...one.private_ips, ...one.readonly_private_ips, ...one.tags.map(({ key, value }) => `${key}=${value}`)];
  return words.some((word) => word.toLowerCase().includes(wanted));
}

function ProjectChoice() {
  const t = useWords();
  const { session, scope } = useSignedIn();
  const [failed, setFailed] = useState<string | null>(null);
  if (session.projects.length < 2) return <span className="tag">{session.project?.name ?? ""}</span>;
  return (
    <label className="row">
      <span className="unseen">{t("project")}</span>
      <select className="input" value={session.project?.id ?? ""} title={failed ?? t("project")} onChange={(event) => void scope(event.target.value).catch((error: Error) => setFailed(error.message))}>
        {session.projects.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function Instance({ listed, project }: { listed: ListedInstance; project: string }) {
  const t = useWords();
  const { value, error } = useFetched(`${project} ${listed.id}`, (signal) => api.instance(project, listed.id, signal), 30_000);
  return (
    <li className="sheet instance">
      <header>
        <h2>{listed.name}</h2>
        <span className="quiet">
          {listed.datastore.type} {listed.datastore.version}
        </span>
        {listed.tags.map(({ key, value: tag }) => (
          <span key={key} className="tag">
            {key}={tag}
          </span>
        ))}
        {listed.status !== "normal" && <span className="tag warn">{listed.status}</span>}
      </header>
      {error && !value ? <p className="body quiet">{error.message}</p> : <Nodes instance={value?.instance ?? null} project={project} id={listed.id} nothing={t("loading")} />}
    </li>
  );
}

function Nodes({ instance, project, id, nothing }: { instance: DetailedInstance | null; project: string; id: string; nothing: string }) {
  const t = useWords();
  if (!instance) return <p className="body faint">{nothing}</p>;
  return (
    <ul>
      {instance.nodes.map((node) => (
        <li key={node.id}>
          <Link to={{ view: "sessions", instance: id, node: node.id, project, sessions: NO_SESSIONS_STATE, cure: "kills" }}>
            <span className={node.status === "normal" || node.status === "ACTIVE" ? "dot good" : node.status === "abnormal" ? "dot bad" : "dot"} />
            <span className="cut">
              {node.name}
              <span className="faint"> {[node.private_read_ips[0], node.port].filter(Boolean).join(":")}</span>
            </span>
            <span className="row">
              {node.status !== "normal" && <span className="tag warn">{node.status}</span>}
              <span className={node.type === "master" ? "tag on" : "tag"}>{node.type === "master" ? t("node.master") : node.type === "slave" ? t("node.slave") : node.type}</span>
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
