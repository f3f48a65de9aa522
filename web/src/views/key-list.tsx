/** The list of keys. */

import { Dialog } from "../parts/dialog.tsx";
import { KEYS } from "../parts/keys.ts";
import { useWords } from "../words/words.ts";

export function KeyList({ onClose }: { onClose: () => void }) {
  const t = useWords();
  return (
    <Dialog title={t("keys")} narrow onClose={onClose}>
      {KEYS.map(({ where, keys }) => (
        <section key={where} className="stack">
          <h2>{t(where)}</h2>
          <dl className="keys">
            {keys.map(({ keys: pressed, word }) => (
              <div key={pressed} className="row">
                <dt>
                  {pressed.split(" ").map((one, at) => (
                    <kbd key={at}>{one === "Escape" ? "Esc" : one}</kbd>
                  ))}
                </dt>
                <dd>{t(word)}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </Dialog>
  );
}
