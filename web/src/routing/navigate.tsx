/** Client-side navigation. */

import { type AnchorHTMLAttributes, type MouseEvent, useSyncExternalStore } from "react";
import { parseRoute, type Route, writeRoute } from "./route.ts";

const listeners = new Set<() => void>();
let parsedUrl = "";
let route: Route = { view: "instances", search: "" };

function currentRoute(): Route {
  const url = globalThis.location.pathname + globalThis.location.search;
  if (url !== parsedUrl) {
    parsedUrl = url;
    route = parseRoute(globalThis.location.pathname, globalThis.location.search);
  }
  return route;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  globalThis.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    globalThis.removeEventListener("popstate", listener);
  };
}

export function useRoute(): Route {
  return useSyncExternalStore(subscribe, currentRoute);
}

/** Navigates to a route. `replace` adds no entry to the browser's history, for example while typing in a search field. */
export function navigate(to: Route, mode: "push" | "replace" = "push"): void {
  const url = writeRoute(to);
  if (url === globalThis.location.pathname + globalThis.location.search) return;
  if (mode === "push") globalThis.history.pushState(null, "", url);
  else globalThis.history.replaceState(null, "", url);
  listeners.forEach((notify) => notify());
}

type LinkAttributes = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, "href"> & { to: Route };

/** Link to a route. Modifier keys and other mouse buttons keep the behavior of the browser. */
export function Link({ to, onClick, ...rest }: LinkAttributes) {
  const onLinkClick = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    event.preventDefault();
    navigate(to);
  };
  return <a {...rest} href={writeRoute(to)} onClick={onLinkClick} />;
}
