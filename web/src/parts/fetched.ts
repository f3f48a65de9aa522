/** Something asked of the server, and asked again while it is shown. */

import { useCallback, useEffect, useRef, useState } from "react";

export interface Fetched<T> {
  value: T | null;
  error: Error | null;
  /** Nothing has come yet. */
  loading: boolean;
  again: () => void;
}

/** `key` names what is asked: another key, another question. Asked again each `everyMs`, but not where nobody sees it. */
export function useFetched<T>(key: string | null, ask: (signal: AbortSignal) => Promise<T>, everyMs?: number): Fetched<T> {
  const [answer, setAnswer] = useState<{ key: string | null; value: T | null; error: Error | null }>({ key: null, value: null, error: null });
  const [turn, setTurn] = useState(0);
  const asking = useRef(ask);
  asking.current = ask;
  useEffect(() => {
    if (key === null) return undefined;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const round = async () => {
      if (!document.hidden) {
        try {
          const value = await asking.current(stop.signal);
          if (!stop.signal.aborted) setAnswer({ key, value, error: null });
        } catch (error) {
          if (!stop.signal.aborted) setAnswer((old) => ({ key, value: old.key === key ? old.value : null, error: error instanceof Error ? error : new Error(String(error)) }));
        }
      }
      if (everyMs !== undefined && !stop.signal.aborted) timer = setTimeout(() => void round(), everyMs);
    };
    void round();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [key, everyMs, turn]);
  const again = useCallback(() => setTurn((old) => old + 1), []);
  const current = answer.key === key;
  return { value: current ? answer.value : null, error: current ? answer.error : null, loading: !current || (answer.value === null && answer.error === null), again };
}
