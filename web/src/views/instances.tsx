/** Instance list with search and node status. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import * as api from "../api/console.ts";
import { toError } from "../api/request.ts";
import type { DetailedInstance, ListedInstance } from "../api/schema.ts";
import { useAuth } from "../auth.tsx";
import { Empty, Loaded } from "../components/status.tsx";
import { useTranslation } from "../i18n/translate.ts";
import { Link, navigate } from "../routing/navigate.tsx";
import { DEFAULT_SESSIONS_STATE } from "../routing/route.ts";

export function Instances({ search }: { search: string }) {
  const t = useTranslation();
  const { session } = useAuth();
  const project = session.project;
  const instances = useQuery({
    ...api.instances(project?.id ?? ""),
    enabled: project !== null,
    refetchInterval: 15_000,
  });
  return (
    <>
      <header className="top">
        <h1>{t("view.instances")}</h1>
        <ProjectPicker />
        <input
          className="input push"
          type="search"
          style={{ width: 260 }}
          aria-label={t("instances.search")}
          placeholder={t("instances.search")}
          value={search}
          onChange={(event) => navigate({ view: "instances", search: event.target.value }, "replace")}
        />
      </header>
      <div className="page">
        <div className="readable">
          {!project ? (
            <Empty title={t("project.none")}>
              <p>{t("project.none.what")}</p>
            </Empty>
          ) : (
            <Loaded query={instances}>
              {(all) => <InstanceList instances={all} search={search} project={project.id} />}
            </Loaded>
          )}
        </div>
      </div>
    </>
  );
}

interface InstanceListProps {
  instances: readonly ListedInstance[];
  search: string;
  project: string;
}

function InstanceList({ instances, search, project }: InstanceListProps) {
  const t = useTranslation();
  const searchTerm = search.trim().toLowerCase();
  const shown = instances.filter((one) => matchesSearch(one, searchTerm));
  if (instances.length === 0) {
    return (
      <Empty title={t("instances.none")}>
        <p>{t("instances.none.what")}</p>
        <code>clew instance add --name NAME --node mysql://…</code>
      </Empty>
    );
  }
  if (shown.length === 0) return <Empty title={t("instances.no.match", { search })} />;
  return (
    <ul className="picker">
      {shown.map((one) => (
        <Instance key={one.id} listed={one} project={project} />
      ))}
    </ul>
  );
}

function matchesSearch(one: ListedInstance, searchTerm: string): boolean {
  const fields = [
    one.name,
    one.id,
    ...one.private_ips,
    ...one.readonly_private_ips,
    ...one.tags.map(({ key, value }) => `${key}=${value}`),
  ];
  return fields.some((field) => field.toLowerCase().includes(searchTerm));
}

function ProjectPicker() {
  const t = useTranslation();
  const { session, setScope } = useAuth();
  const [failed, setFailed] = useState<string | null>(null);
  if (session.projects.length < 2) return <span className="tag">{session.project?.name ?? ""}</span>;
  return (
    <label className="row">
      <span className="visually-hidden">{t("project")}</span>
      <select
        className="input"
        value={session.project?.id ?? ""}
        title={failed ?? t("project")}
        onChange={(event) =>
          void setScope(event.target.value).catch((error: unknown) => setFailed(toError(error).message))
        }
      >
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
  const t = useTranslation();
  const { data, error } = useQuery({ ...api.instance(project, listed.id), refetchInterval: 30_000 });
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
      {error && !data ? (
        <p className="body quiet">{error.message}</p>
      ) : (
        <Nodes instance={data?.instance ?? null} project={project} id={listed.id} placeholder={t("loading")} />
      )}
    </li>
  );
}

function Nodes({
  instance,
  project,
  id,
  placeholder,
}: {
  instance: DetailedInstance | null;
  project: string;
  id: string;
  placeholder: string;
}) {
  const t = useTranslation();
  if (!instance) return <p className="body faint">{placeholder}</p>;
  return (
    <ul>
      {instance.nodes.map((node) => (
        <li key={node.id}>
          <Link
            to={{
              view: "sessions",
              instance: id,
              node: node.id,
              project,
              sessions: DEFAULT_SESSIONS_STATE,
              tab: "kills",
            }}
          >
            <span
              className={
                node.status === "normal" || node.status === "ACTIVE"
                  ? "dot good"
                  : node.status === "abnormal"
                    ? "dot bad"
                    : "dot"
              }
            />
            <span className="cut">
              {node.name}
              <span className="faint"> {[node.private_read_ips[0], node.port].filter(Boolean).join(":")}</span>
            </span>
            <span className="row">
              {node.status !== "normal" && <span className="tag warn">{node.status}</span>}
              <span className={node.type === "master" ? "tag on" : "tag"}>
                {node.type === "master" ? t("node.master") : node.type === "slave" ? t("node.slave") : node.type}
              </span>
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
