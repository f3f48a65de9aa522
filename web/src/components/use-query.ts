/** React hook that requests data and polls for changes. */

import { useCallback, useEffect, useRef, useState } from "react";
import { toError } from "../api/request.ts";

export interface QueryState<T> {
  value: T | null;
  error: Error | null;
  /** Neither a value nor an error is available yet. */
  loading: boolean;
  refetch: () => void;
}

/** Requests data for `key`; a new key starts a new request. Polls every `pollIntervalMs` while the tab is visible. A `null` key disables the query. */
export function useQuery<T>(
  key: string | null,
  fetchData: (signal: AbortSignal) => Promise<T>,
  pollIntervalMs?: number,
): QueryState<T> {
  const [result, setResult] = useState<{ key: string | null; value: T | null; error: Error | null }>({
    key: null,
    value: null,
    error: null,
  });
  const [generation, setGeneration] = useState(0);
  const latestFetch = useRef(fetchData);
  latestFetch.current = fetchData;
  useEffect(() => {
    if (key === null) return undefined;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const poll = async () => {
      if (!document.hidden) {
        try {
          const value = await latestFetch.current(stop.signal);
          if (!stop.signal.aborted) setResult({ key, value, error: null });
        } catch (error) {
          if (!stop.signal.aborted)
            setResult((old) => ({
              key,
              value: old.key === key ? old.value : null,
              error: toError(error),
            }));
        }
      }
      if (pollIntervalMs !== undefined && !stop.signal.aborted) timer = setTimeout(() => void poll(), pollIntervalMs);
    };
    void poll();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [key, pollIntervalMs, generation]);
  const refetch = useCallback(() => setGeneration((old) => old + 1), []);
  const isCurrent = result.key === key;
  return {
    value: isCurrent ? result.value : null,
    error: isCurrent ? result.error : null,
    loading: !isCurrent || (result.value === null && result.error === null),
    refetch,
  };
}
