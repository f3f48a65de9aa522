/** The live stream of a node, while somebody looks at it. */

import { EVENT_TYPES, type StreamEvent } from "./events.ts";
import { type Moments, NO_MOMENTS, withMoment } from "./moments.ts";
import { type LiveState, NOTHING_YET, reduce } from "./reduce.ts";

export interface Live {
  state: LiveState;
  moments: Moments;
  /** Whether events come, have not come yet, or come no more for now. */
  connection: "connecting" | "live" | "lost";
  /** Why the server does not open it, where trying again would change nothing. */
  refused: Error | null;
}

/** Why a stream does not open: nobody is signed in any more, it is refused, or something that passes. */
export type Loss = { kind: "signed-out" } | { kind: "refused"; error: Error } | { kind: "passing"; error?: Error };

const NOTHING: Live = { state: NOTHING_YET, moments: NO_MOMENTS, connection: "connecting", refused: null };
/** A tab that nobody sees stops reading after this long. */
const UNSEEN_MS = 30_000;
const RETRY_MS = [500, 1000, 2000, 4000, 8000];

export class LiveStream {
  private live = NOTHING;
  private readonly listeners = new Set<() => void>();
  private source: EventSource | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private unseen: ReturnType<typeof setTimeout> | undefined;
  private tries = 0;
  /** The id of the last event: a new connection goes on after it. */
  private last = "";
  private stopped = false;

  /** `lost` is asked when the stream cannot be opened: a browser does not tell why. */
  constructor(
    private readonly url: string,
    private readonly lost: (url: string) => Promise<Loss>,
  ) {}

  readonly subscribe = (told: () => void): (() => void) => {
    this.listeners.add(told);
    return () => this.listeners.delete(told);
  };

  readonly now = (): Live => this.live;

  start(): void {
    this.stopped = false;
    document.addEventListener("visibilitychange", this.seen);
    this.open();
  }

  stop(): void {
    this.stopped = true;
    document.removeEventListener("visibilitychange", this.seen);
    clearTimeout(this.retry);
    clearTimeout(this.unseen);
    this.close();
  }

  private readonly seen = (): void => {
    clearTimeout(this.unseen);
    if (document.hidden) this.unseen = setTimeout(() => this.close(), UNSEEN_MS);
    else if (this.source === null && !this.stopped) this.open();
  };

  private open(): void {
    this.close();
    if (this.live.state.ended !== null) return;
    const source = new EventSource(this.last === "" ? this.url : `${this.url}&last_event_id=${encodeURIComponent(this.last)}`);
    this.source = source;
    for (const type of EVENT_TYPES) {
      source.addEventListener(type, (message: MessageEvent<string>) => {
        const event = { type, data: JSON.parse(message.data) as unknown } as StreamEvent;
        this.last = message.lastEventId;
        this.take(event);
      });
    }
    source.onopen = () => {
      this.tries = 0;
    };
    source.onerror = () => {
      this.become({ ...this.live, connection: this.live.state.empty ? "connecting" : "lost" });
      // The browser tries again by itself where the connection broke, but not where the answer was no.
      if (source.readyState === EventSource.CLOSED) void this.later();
    };
  }

  private take(event: StreamEvent): void {
    const state = reduce(this.live.state, event);
    const counted = event.type === "snapshot" || event.type === "changes";
    const moments = counted && state !== this.live.state ? withMoment(this.live.moments, event.data.at, event.data.counts, event.data.interval_ms) : this.live.moments;
    this.become({ state, moments, connection: event.type === "end" ? "lost" : "live", refused: null });
    if (event.type !== "end") return;
    this.close();
    void this.later();
  }

  /** Tries once more what was refused. */
  readonly again = (): void => {
    this.become({ ...this.live, connection: "connecting", refused: null });
    this.open();
  };

  private async later(): Promise<void> {
    this.close();
    const loss = await this.lost(this.url);
    if (this.stopped || loss.kind === "signed-out") return;
    if (loss.kind === "refused") {
      this.become({ ...this.live, connection: "lost", refused: loss.error });
      return;
    }
    // Too many streams, or too many requests: the reason is shown until another attempt succeeds.
    if (loss.error) this.become({ ...this.live, connection: "lost", refused: loss.error });
    // A token that ended while somebody is signed in was replaced by another one: in another tab, for another scope.
    if (this.live.state.ended === "token") this.become({ ...this.live, state: { ...this.live.state, ended: null } });
    const wait = RETRY_MS[Math.min(this.tries, RETRY_MS.length - 1)];
    this.tries += 1;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.open(), wait);
  }

  private close(): void {
    this.source?.close();
    this.source = null;
  }

  private become(live: Live): void {
    this.live = live;
    this.listeners.forEach((told) => told());
  }
}
