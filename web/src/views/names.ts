/** What an instance and a node are called. */

import * as api from "../api/console.ts";
import { useFetched } from "../parts/fetched.ts";
import { useSignedIn } from "../signed-in.tsx";

/** The names, or the ids until the names are known. */
export function useNames(place: { project: string | null; instance: string; node: string } | null): { instance: string; node: string; role: string | null } {
  const { session } = useSignedIn();
  const project = place && session.project && place.project === session.project.id ? place.project : null;
  const key = place && project ? `${project} ${place.instance}` : null;
  const { value } = useFetched(key, (signal) => api.instance(project ?? "", place?.instance ?? "", signal));
  const found = value?.instance.nodes.find(({ id }) => id === place?.node);
  return {
    instance: value?.instance.name ?? place?.instance.slice(0, 8) ?? "",
    node: found ? `${found.name} · ${found.type}` : (place?.node.slice(0, 8) ?? ""),
    role: found?.type ?? null,
  };
}
