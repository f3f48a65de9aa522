/** Client of a node's event stream. Disconnects in hidden tabs and reconnects with backoff. */

import { EVENT_TYPES, type StreamEvent } from "./events.ts";
import { appendCounts, type CountHistory, EMPTY_HISTORY } from "./history.ts";
import { EMPTY_STATE, type LiveState, reduce } from "./reduce.ts";

export interface Live {
  state: LiveState;
  history: CountHistory;
  /** `connecting` before the first event, `lost` while the stream reconnects. */
  connection: "connecting" | "live" | "lost";
  /** Error of the last refused connection. */
  refused: Error | null;
}

/** Cause of a failed connection. A temporary failure is retried. */
export type StreamFailure =
  { kind: "signed-out" } | { kind: "refused"; error: Error } | { kind: "temporary"; error?: Error };

const INITIAL_LIVE: Live = { state: EMPTY_STATE, history: EMPTY_HISTORY, connection: "connecting", refused: null };
/** Delay before a hidden tab disconnects. */
const HIDDEN_TIMEOUT_MS = 30_000;
const RETRY_DELAYS_MS = [500, 1000, 2000, 4000, 8000];

export class LiveStream {
  private live = INITIAL_LIVE;
  private readonly listeners = new Set<() => void>();
  private source: EventSource | null = null;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private hiddenTimer: ReturnType<typeof setTimeout> | undefined;
  private attempts = 0;
  /** Id of the last event; a new connection resumes after it. */
  private lastEventId = "";
  private stopped = false;

  /** `diagnose` determines the cause of a failed connection, because `EventSource` does not expose it. */
  constructor(
    private readonly url: string,
    private readonly diagnose: (url: string) => Promise<StreamFailure>,
  ) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly current = (): Live => this.live;

  start(): void {
    this.stopped = false;
    document.addEventListener("visibilitychange", this.onVisibilityChange);
    this.open();
  }

  stop(): void {
    this.stopped = true;
    document.removeEventListener("visibilitychange", this.onVisibilityChange);
    clearTimeout(this.retryTimer);
    clearTimeout(this.hiddenTimer);
    this.close();
  }

  private readonly onVisibilityChange = (): void => {
    clearTimeout(this.hiddenTimer);
    if (document.hidden) this.hiddenTimer = setTimeout(() => this.close(), HIDDEN_TIMEOUT_MS);
    else if (this.source === null && !this.stopped) this.open();
  };

  private open(): void {
    this.close();
    if (this.live.state.ended !== null) return;
    const source = new EventSource(
      this.lastEventId === "" ? this.url : `${this.url}&last_event_id=${encodeURIComponent(this.lastEventId)}`,
    );
    this.source = source;
    for (const type of EVENT_TYPES) {
      source.addEventListener(type, (message: MessageEvent<string>) => {
        const event = { type, data: JSON.parse(message.data) as unknown } as StreamEvent;
        this.lastEventId = message.lastEventId;
        this.handle(event);
      });
    }
    source.addEventListener("open", () => {
      this.attempts = 0;
    });
    source.addEventListener("error", () => {
      this.update({ ...this.live, connection: this.live.state.empty ? "connecting" : "lost" });
      // The browser reconnects after a broken connection, but not after an error response.
      if (source.readyState === EventSource.CLOSED) void this.scheduleRetry();
    });
  }

  private handle(event: StreamEvent): void {
    const state = reduce(this.live.state, event);
    const hasCounts = event.type === "snapshot" || event.type === "changes";
    const history =
      hasCounts && state !== this.live.state
        ? appendCounts(this.live.history, event.data.at, event.data.counts, event.data.interval_ms)
        : this.live.history;
    this.update({ state, history, connection: event.type === "end" ? "lost" : "live", refused: null });
    if (event.type !== "end") return;
    this.close();
    void this.scheduleRetry();
  }

  /** Reconnects at once after a refused connection. */
  readonly reconnect = (): void => {
    this.update({ ...this.live, connection: "connecting", refused: null });
    this.open();
  };

  private async scheduleRetry(): Promise<void> {
    this.close();
    const failure = await this.diagnose(this.url);
    if (this.stopped || failure.kind === "signed-out") return;
    if (failure.kind === "refused") {
      this.update({ ...this.live, connection: "lost", refused: failure.error });
      return;
    }
    // After "too many streams" or "too many requests", the error stays visible until a connection succeeds.
    if (failure.error) this.update({ ...this.live, connection: "lost", refused: failure.error });
    // The token of the stream expired, but the user is signed in: another tab changed the scope and replaced the token.
    if (this.live.state.ended === "token") this.update({ ...this.live, state: { ...this.live.state, ended: null } });
    const delay = RETRY_DELAYS_MS[Math.min(this.attempts, RETRY_DELAYS_MS.length - 1)];
    this.attempts += 1;
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => this.open(), delay);
  }

  private close(): void {
    this.source?.close();
    this.source = null;
  }

  private update(live: Live): void {
    this.live = live;
    this.listeners.forEach((notify) => notify());
  }
}
