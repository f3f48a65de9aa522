/** The query bar: a combobox that completes names and the values on screen. */

import { type KeyboardEvent, type RefObject, useId, useMemo, useState } from "react";
import type { LiveState } from "../../live/reduce.ts";
import { Button } from "../../parts/button.tsx";
import { Icon } from "../../parts/icons.tsx";
import { breakdown, cellOf, type Dimension, DIMENSIONS, type Places } from "../../query/apply.ts";
import { type Offer, offers, taken } from "../../query/complete.ts";
import type { Mistake } from "../../query/parse.ts";
import { type Word, useWords } from "../../words/words.ts";

interface QueryBarProps {
  input: RefObject<HTMLInputElement | null>;
  value: string;
  state: LiveState;
  places: Places;
  change: (bar: string) => void;
  /** Gives the focus on. */
  leave: () => void;
  mistakes: readonly Mistake[];
}

export function QueryBar({ input, value, state, places, change, leave, mistakes }: QueryBarProps) {
  const t = useWords();
  const list = useId();
  const wrong = useId();
  const [caret, setCaret] = useState<number | null>(null);
  const [at, setAt] = useState(-1);
  const [shut, setShut] = useState(false);
  const open = caret !== null && !shut;
  const found = useMemo(() => (open ? offers(value, caret, (key) => seen(state, places, key)) : []), [open, value, caret, state.sessions, places]);

  const take = (offer: Offer) => {
    const next = taken(value, offer);
    change(next.bar);
    setAt(-1);
    setCaret(next.caret);
    requestAnimationFrame(() => input.current?.setSelectionRange(next.caret, next.caret));
  };
  const pressed = (event: KeyboardEvent<HTMLInputElement>) => {
    const offer = found[at];
    if (event.key === "ArrowDown" && found.length > 0) setAt((at + 1) % found.length);
    else if (event.key === "ArrowUp" && found.length > 0) setAt(at <= 0 ? found.length - 1 : at - 1);
    else if ((event.key === "Enter" || event.key === "Tab") && open && offer) take(offer);
    else if (event.key === "Enter") leave();
    else if (event.key === "Escape" && open && found.length > 0) setShut(true);
    else if (event.key === "Escape") leave();
    else {
      setShut(false);
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <>
      <div className="query">
        <Icon name="search" />
        <input
          ref={input}
          className="input"
          role="combobox"
          aria-label={t("query")}
          aria-expanded={open && found.length > 0}
          aria-controls={list}
          aria-autocomplete="list"
          aria-activedescendant={at >= 0 ? `${list}-${at}` : undefined}
          aria-invalid={mistakes.length > 0}
          aria-describedby={mistakes.length > 0 ? wrong : undefined}
          placeholder={t("query.example")}
          value={value}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => {
            setCaret(event.target.selectionStart);
            setAt(-1);
            setShut(false);
            change(event.target.value);
          }}
          onSelect={(event) => setCaret(event.currentTarget.selectionStart)}
          onFocus={(event) => {
            setShut(false);
            setCaret(event.currentTarget.selectionStart);
          }}
          onBlur={() => setCaret(null)}
          onKeyDown={pressed}
        />
        {value !== "" && <Button kind="bare" icon="close" className="clear" label={t("query.clear")} onClick={() => change("")} />}
        <ul className="offers" id={list} role="listbox" aria-label={t("query.offers")} hidden={!open || found.length === 0}>
          {found.map((offer, place) => (
            <li
              key={offer.text}
              id={`${list}-${place}`}
              role="option"
              aria-selected={place === at}
              onMouseDown={(event) => {
                event.preventDefault();
                take(offer);
              }}
            >
              <code>{offer.text}</code>
              <span>{offer.key === null ? (offer.count ?? "") : t(`term.${offer.key}` as Word)}</span>
            </li>
          ))}
        </ul>
      </div>
      {mistakes.length > 0 && (
        <div className="mistakes" id={wrong} role="status">
          {mistakes.map(({ kind, word, known }) => t(`mistake.${kind}`, { word, known })).join(" ")}
        </div>
      )}
    </>
  );
}

/** The values of a term on screen, the most frequent first. */
function seen(state: LiveState, places: Places, key: string): { value: string; count: number }[] {
  const by = DIMENSIONS.find((one): one is Dimension => one === key);
  if (by) return breakdown(state.sessions.values(), places, by).filter(({ value }) => value !== "");
  if (key !== "program" && key !== "id") return [];
  const counts = new Map<string, number>();
  for (const session of state.sessions.values()) {
    const value = String(cellOf(session, places, key === "id" ? "session_id" : "program_name") ?? "");
    if (value !== "") counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return [...counts].map(([value, count]) => ({ value, count })).sort((one, other) => other.count - one.count);
}
