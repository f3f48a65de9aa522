/** Renders the selected view of a node and provides its context. */

import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import * as api from "../api/console.ts";
import { type Translate, useTranslation } from "../i18n/translate.ts";
import { Collections } from "./collections/collections.tsx";
import { KillView } from "./kill/kill.tsx";
import { Locks } from "./locks/locks.tsx";
import { NodeContext, type NodeRoute } from "./node-context.tsx";
import { Sessions } from "./sessions/sessions.tsx";

export function NodeViews({ route }: { route: NodeRoute }) {
  const t = useTranslation();
  const { instance, node } = route;
  const project = route.project ?? "";
  const nodeRef = useMemo(() => ({ project, instance, node }), [project, instance, node]);
  const permissions = useQuery({ ...api.permissions(project, instance), refetchInterval: 60_000 });
  const threshold = useQuery(api.threshold(project, instance));
  const granted = permissions.data?.permissions;
  const value = useMemo(
    () => ({
      nodeRef,
      refusal: (action: string) => refusalOf(granted, action, t),
      threshold: threshold.data?.slow_process_threshold ?? null,
    }),
    [nodeRef, granted, threshold.data, t],
  );
  return (
    <NodeContext value={value}>
      {route.view === "sessions" && <Sessions key={node} route={route} />}
      {route.view === "locks" && <Locks key={node} route={route} />}
      {route.view === "kill" && <KillView key={node} route={route} />}
      {route.view === "collections" && <Collections key={node} />}
    </NodeContext>
  );
}

function refusalOf(permissions: api.Permissions | undefined, action: string, t: Translate): string | null {
  const permission = permissions?.[action];
  if (!permission || permission.allowed) return null;
  return permission.reason ?? t("permission.missing", { action });
}
