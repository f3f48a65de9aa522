/** Requests to Clew's console API and to the TaurusDB API. */

import type { Limitation } from "../live/events.ts";
import type { WaitGraph } from "../live/lock-tree.ts";
import { createGetQuery, createQuery } from "./query.ts";
import { queryString, request } from "./request.ts";
import type * as Api from "./schema.ts";

/** Signed-in user and scope. Without a project, the scope is the domain. */
export type Session = Api.BrowserSession;

export interface NodeRef {
  project: string;
  instance: string;
  node: string;
}

/** Permissions by action name. */
export type Permissions = Api.Permissions["permissions"];

/** All details of a session. */
export type SessionDetail = Omit<Api.SessionDetail, "waits" | "limitations"> & {
  waits: WaitGraph;
  limitations: Limitation[];
};

export type KillScope = "connection" | "query";
export type KillOutcome = "would_kill" | "killed" | "gone" | "rolling_back" | "ending" | "refused" | "failed";
export type KillResult = Omit<Api.SessionKillOutcome, "outcome"> & { outcome: KillOutcome };
/** Identity of a session to kill. The server rejects a session that has the same id but a different identity. */
export type Victim = Api.SelectedSession;
export type KillEffect = Api.KillEffectView;
export type Collection = Omit<Api.SessionCollectionView, "limitations"> & { limitations: Limitation[] | null };
export type Kill = Api.KillHistoryEntry;

const SESSION_PATH = "/clew/v1/console/session";
const instancePath = ({ project, instance }: Omit<NodeRef, "node">) => `/clew/v1/${project}/instances/${instance}`;
const nodePath = (nodeRef: NodeRef) => `${instancePath(nodeRef)}/nodes/${nodeRef.node}`;
const taurusInstancePath = ({ project, instance }: Omit<NodeRef, "node">) => `/v3/${project}/instances/${instance}`;
const taurusNodePath = (nodeRef: NodeRef) => `${taurusInstancePath(nodeRef)}/nodes/${nodeRef.node}`;

export const signIn = (domain: string, user: string, password: string) =>
  request<Session>("POST", SESSION_PATH, { domain, user, password });
export const session = () => request<Session>("GET", SESSION_PATH);
export const signOut = () => request<void>("DELETE", SESSION_PATH);
export const setProject = (project: string | null) =>
  request<Session>("POST", `${SESSION_PATH}/project`, { project_id: project });

/** All pages of the instance list. */
export const instances = (project: string) =>
  createQuery(`instances ${project}`, async (signal) => {
    const all: Api.ListedInstance[] = [];
    for (;;) {
      const path = `/v3.1/${project}/instances${queryString({ offset: all.length, limit: 100 })}`;
      const page = await request<Api.InstanceListResponse>("GET", path, undefined, signal);
      all.push(...page.instances);
      if (page.instances.length === 0 || all.length >= page.total_count) return all;
    }
  });
export const instance = (project: string, id: string) =>
  createGetQuery<Api.InstanceResponse>(`/v3.1/${project}/instances/${id}`);
export const permissions = (project: string, id: string) =>
  createGetQuery<Api.Permissions>(`${instancePath({ project, instance: id })}/permissions`);
export const threshold = (project: string, id: string) =>
  createGetQuery<Api.SlowSessionThresholdView>(
    `${taurusInstancePath({ project, instance: id })}/slow-process-threshold`,
  );

export const streamUrl = (nodeRef: NodeRef, seconds: number) =>
  `${nodePath(nodeRef)}/stream${queryString({ interval: seconds })}`;
export const sessionOf = (nodeRef: NodeRef, id: number) =>
  createGetQuery<SessionDetail>(`${nodePath(nodeRef)}/sessions/${id}`);
export const explain = (nodeRef: NodeRef, id: number) =>
  request<Api.ExplainResponse>("POST", `${nodePath(nodeRef)}/sessions/${id}/explain`);
export const locks = (nodeRef: NodeRef) => createGetQuery<WaitGraph & { server: string }>(`${nodePath(nodeRef)}/locks`);

type KillResponse = Omit<Api.KillResponse, "sessions"> & { sessions: KillResult[] };

/** Maximum number of sessions in a kill request. */
const MAX_KILL_BATCH = 1000;

export async function kill(
  nodeRef: NodeRef,
  sessions: readonly Victim[],
  what: KillScope,
  reason: string,
  preview: boolean,
): Promise<KillResponse> {
  const total: KillResponse = { sessions: [], costs_unknown: null, warnings: [], effect: null };
  for (let from = 0; from < sessions.length; from += MAX_KILL_BATCH) {
    const batch = sessions.slice(from, from + MAX_KILL_BATCH);
    const body: Api.KillRequestBody = { sessions: batch, what, reason, preview };
    if (preview && from > 0)
      body.other_victims = total.sessions.filter(({ outcome }) => outcome === "would_kill").map(({ id }) => id);
    const response = await request<KillResponse>("POST", `${nodePath(nodeRef)}/kill`, body);
    total.sessions.push(...response.sessions);
    total.costs_unknown ??= response.costs_unknown;
    // Only the last request counts all victims.
    total.warnings = response.warnings;
    total.effect = sum(total.effect, response.effect);
  }
  return total;
}

/** Combined effect of two kill requests. */
function sum(one: KillEffect | null, other: KillEffect | null): KillEffect | null {
  if (!one || !other) return one ?? other;
  const rows =
    one.rows_rolled_back === null || other.rows_rolled_back === null
      ? null
      : one.rows_rolled_back + other.rows_rolled_back;
  const unblocked = [...new Set([...one.unblocked, ...other.unblocked])];
  const waiting = [...new Set([...one.still_waiting, ...other.still_waiting])].filter((id) => !unblocked.includes(id));
  return {
    rows_rolled_back: rows,
    unblocked,
    still_waiting: waiting,
    hidden_waits: one.hidden_waits || other.hidden_waits,
    unknown: one.unknown ?? other.unknown,
  };
}

export const kills = (nodeRef: NodeRef, limit: number, offset: number) =>
  createGetQuery<Api.KillHistoryPage>(`${nodePath(nodeRef)}/kills${queryString({ limit, offset })}`);

export const intelligentKills = (nodeRef: NodeRef) =>
  createGetQuery<Api.IntelligentKillPreview>(
    `${taurusInstancePath(nodeRef)}/intelligent-kill-session/statistic${queryString({ node_id: nodeRef.node })}`,
  );
export const executeIntelligentKill = (nodeRef: NodeRef) =>
  request<Api.IntelligentKillTask>("POST", `${taurusInstancePath(nodeRef)}/intelligent-kill-session`, {
    node_id: nodeRef.node,
  });
export const intelligentHistory = (nodeRef: NodeRef) => {
  const path = `${taurusInstancePath(nodeRef)}/intelligent-kill-session/history`;
  return createQuery(`${path} ${nodeRef.node}`, (signal) => {
    const now = Date.now();
    const query = queryString({
      node_id: nodeRef.node,
      start_time: now - 7 * 86_400_000,
      end_time: now + 60_000,
      limit: 50,
      offset: 0,
    });
    return request<Api.IntelligentKillHistoryPage>("GET", path + query, undefined, signal);
  });
};

export const killTasks = (nodeRef: NodeRef) =>
  createGetQuery<Api.KillTaskList>(`${taurusInstancePath(nodeRef)}/process/task`);
export const killTaskSwitch = (nodeRef: NodeRef) =>
  createGetQuery<Api.KillTaskSwitch>(`${taurusInstancePath(nodeRef)}/process/task/switch`);
export const setKillTaskSwitch = (nodeRef: NodeRef, status: string) =>
  request<void>("PUT", `${taurusInstancePath(nodeRef)}/process/task/switch`, { status });
export const addKillTask = (nodeRef: NodeRef, task: Api.AddKillTaskRequest) =>
  request<Api.AddKillTaskResponse>("POST", `${taurusInstancePath(nodeRef)}/process/task`, task);
export const stopKillTask = (nodeRef: NodeRef, id: string) =>
  request<Api.SuccessResponse>("PUT", `${taurusInstancePath(nodeRef)}/process/task`, { task_id: id });
export const previewKillTask = (nodeRef: NodeRef, task: Record<string, string | number | boolean | null>) =>
  request<Api.KillTaskPreview>("GET", `${taurusInstancePath(nodeRef)}/process/task/preview${queryString(task)}`);

export const collect = (nodeRef: NodeRef, filters: Record<string, unknown>) =>
  request<Api.QueuedCollection>("POST", `${taurusNodePath(nodeRef)}/realtime-session`, filters);
export const resultUrl = (nodeRef: NodeRef, id: string) =>
  `${taurusNodePath(nodeRef)}/realtime-session-result${queryString({ request_id: id })}`;
export const collections = (nodeRef: NodeRef) =>
  createGetQuery<{ collections: Collection[] }>(`${nodePath(nodeRef)}/collections`);
export const deleteCollection = (nodeRef: NodeRef, id: string) =>
  request<void>("DELETE", `${nodePath(nodeRef)}/collections/${id}`);

/** Policy actions. */
export const ACTIONS = {
  list: "gaussdbformysql:instance:listProcesses",
  kill: "gaussdbformysql:instance:deleteProcesses",
  deleteCollection: "gaussdbformysql:instance:deleteRealtimeSession",
  collect: "gaussdbformysql:instance:getRealtimeSession",
  text: "gaussdbformysql:instance:getRealtimeSessionText",
  showIntelligent: "gaussdbformysql:instance:showIntelligentKillSession",
  executeIntelligent: "gaussdbformysql:instance:executeIntelligentKillSession",
  readTasks: "gaussdbformysql:instance:get",
  changeTasks: "gaussdbformysql:instance:modify",
} as const;
