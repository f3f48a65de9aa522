/** Names of the current instance and node. */

import { useQuery } from "@tanstack/react-query";
import * as api from "../api/console.ts";
import { useAuth } from "../auth.tsx";

/** Returns the names, or shortened ids until the names are loaded. */
export function useNodeNames(nodeRef: { project: string | null; instance: string; node: string } | null): {
  instance: string;
  node: string;
  role: string | null;
} {
  const { session } = useAuth();
  const project = nodeRef && session.project && nodeRef.project === session.project.id ? nodeRef.project : null;
  const { data } = useQuery({
    ...api.instance(project ?? "", nodeRef?.instance ?? ""),
    enabled: project !== null,
  });
  const listed = data?.instance.nodes.find(({ id }) => id === nodeRef?.node);
  return {
    instance: data?.instance.name ?? nodeRef?.instance.slice(0, 8) ?? "",
    node: listed ? `${listed.name} · ${listed.type}` : (nodeRef?.node.slice(0, 8) ?? ""),
    role: listed?.type ?? null,
  };
}
