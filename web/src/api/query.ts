/** Queries of the API for the hook `useQuery` of TanStack Query. */

import { QueryClient, queryOptions } from "@tanstack/react-query";
import { request } from "./request.ts";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // A view shows only responses that it requested itself. After navigation, the request is aborted.
      gcTime: 0,
      // Polling queries request again after their interval; other queries have a button.
      retry: false,
      refetchOnWindowFocus: false,
      // The server may be reachable although the browser reports that it is offline.
      networkMode: "always",
    },
  },
});

/** Returns a query whose data is `null` before the first response. Without this value, a poll would hide the error of the previous one. */
export function createQuery<T>(key: string, fetchData: (signal: AbortSignal) => Promise<T>) {
  return queryOptions({
    queryKey: [key],
    queryFn: ({ signal }): Promise<T | null> => fetchData(signal),
    initialData: null,
  });
}

/** Returns the query of a GET request. */
export function createGetQuery<T>(path: string) {
  return createQuery(path, (signal) => request<T>("GET", path, undefined, signal));
}
