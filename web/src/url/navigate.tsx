/** Going from place to place without loading the page again. */

import { type AnchorHTMLAttributes, type MouseEvent, useSyncExternalStore } from "react";
import { parseRoute, type Route, writeRoute } from "./route.ts";

const listeners = new Set<() => void>();
let shown = "";
let route: Route = { view: "instances", search: "" };

function here(): Route {
  const now = globalThis.location.pathname + globalThis.location.search;
  if (now !== shown) {
    shown = now;
    route = parseRoute(globalThis.location.pathname, globalThis.location.search);
  }
  return route;
}

function subscribe(told: () => void): () => void {
  listeners.add(told);
  globalThis.addEventListener("popstate", told);
  return () => {
    listeners.delete(told);
    globalThis.removeEventListener("popstate", told);
  };
}

export function useRoute(): Route {
  return useSyncExternalStore(subscribe, here);
}

/** Goes there. `replace` where the step back should skip it, as for each letter typed in a search. */
export function go(to: Route, how: "push" | "replace" = "push"): void {
  const url = writeRoute(to);
  if (url === globalThis.location.pathname + globalThis.location.search) return;
  if (how === "push") globalThis.history.pushState(null, "", url);
  else globalThis.history.replaceState(null, "", url);
  listeners.forEach((told) => told());
}

type LinkAttributes = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, "href"> & { to: Route };

/** A link of the page itself; opened elsewhere where the viewer asks for that. */
export function Link({ to, onClick, ...rest }: LinkAttributes) {
  const clicked = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(to);
  };
  return <a {...rest} href={writeRoute(to)} onClick={clicked} />;
}
