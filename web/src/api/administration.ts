/** Requests of administrators: users, groups, access keys, policies, audit. */

import { createGetQuery } from "./query.ts";
import { queryString, request } from "./request.ts";
import type * as Api from "./schema.ts";

const FIRST_PAGE = queryString({ limit: 100 });

export const users = () => createGetQuery<Api.UserPage>(`/clew/v1/users${FIRST_PAGE}`);
export const createUser = (user: Api.CreateUserRequest) => request<Api.CreatedUser>("POST", "/clew/v1/users", user);
export const updateUser = (id: string, update: Api.UserUpdate) =>
  request<Api.UserView>("PATCH", `/clew/v1/users/${id}`, update);
export const deleteUser = (id: string) => request<void>("DELETE", `/clew/v1/users/${id}`);
export const keys = (user: string) => createGetQuery<Api.AccessKeyList>(`/clew/v1/users/${user}/keys`);
export const createKey = (user: string) => request<Api.CreatedAccessKey>("POST", `/clew/v1/users/${user}/keys`);
export const updateKey = (user: string, key: string, enabled: boolean) =>
  request<Api.AccessKeyView>("PATCH", `/clew/v1/users/${user}/keys/${key}`, { enabled });
export const deleteKey = (user: string, key: string) => request<void>("DELETE", `/clew/v1/users/${user}/keys/${key}`);

export const groups = () => createGetQuery<Api.GroupPage>(`/clew/v1/groups${FIRST_PAGE}`);
export const group = (id: string) => createGetQuery<Api.GroupWithMembers>(`/clew/v1/groups/${id}`);
export const createGroup = (name: string, description: string) =>
  request<Api.GroupView>("POST", "/clew/v1/groups", { name, description });
export const addMember = (groupId: string, user: string) =>
  request<void>("PUT", `/clew/v1/groups/${groupId}/members/${user}`);
export const removeMember = (groupId: string, user: string) =>
  request<void>("DELETE", `/clew/v1/groups/${groupId}/members/${user}`);

export const policies = () => createGetQuery<Api.PolicyPage>(`/clew/v1/policies${FIRST_PAGE}`);
export const policy = (name: string) =>
  createGetQuery<Api.PolicyWithDocument>(`/clew/v1/policies/${encodeURIComponent(name)}`);
export const putPolicy = (name: string, description: string, document: unknown) =>
  request<Api.PolicyWithDocument>("PUT", `/clew/v1/policies/${encodeURIComponent(name)}`, { description, document });
export const deletePolicy = (name: string) => request<void>("DELETE", `/clew/v1/policies/${encodeURIComponent(name)}`);
export const validate = (document: string) =>
  request<Api.PolicyValidationResponse>("POST", "/clew/v1/policies/validate", { document });
export const attachments = (name: string) =>
  createGetQuery<Api.PolicyAttachmentPage>(`/clew/v1/policies/${encodeURIComponent(name)}/attachments${FIRST_PAGE}`);
export const attach = (name: string, to: Api.PolicyAttachmentRequest) =>
  request<void>("POST", `/clew/v1/policies/${encodeURIComponent(name)}/attachments`, to);
export const detach = (name: string, kind: "user" | "group", id: string, project: string | null) =>
  request<void>(
    "DELETE",
    `/clew/v1/policies/${encodeURIComponent(name)}/attachments/${kind}/${id}${queryString({ project_id: project })}`,
  );
export const simulate = (simulation: Api.SimulationRequest) =>
  request<Api.SimulationResponse>("POST", "/clew/v1/policies/simulate", simulation);

export type AuditQuery = Record<string, string>;
export const audit = (query: AuditQuery, after: number | null) =>
  createGetQuery<Api.AuditPage>(`/clew/v1/audit${queryString({ ...query, order: "newest", after, limit: 100 })}`);
export const auditExport = (query: AuditQuery) => `/clew/v1/audit/export${queryString(query)}`;
export const verifyAudit = () => request<Api.AuditVerificationResponse>("GET", "/clew/v1/audit/verify");
