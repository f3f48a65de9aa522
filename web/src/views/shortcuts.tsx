/** Dialog with the keyboard shortcuts. */

import { Dialog } from "../components/dialog.tsx";
import { SHORTCUTS } from "../components/shortcuts.ts";
import { useTranslation } from "../i18n/translate.ts";

export function ShortcutsDialog({ onClose }: { onClose: () => void }) {
  const t = useTranslation();
  return (
    <Dialog title={t("keys")} narrow focusableBody onClose={onClose}>
      {SHORTCUTS.map(({ scope, shortcuts }) => (
        <section key={scope} className="stack">
          <h2>{t(scope)}</h2>
          <dl className="keys">
            {shortcuts.map(({ keys, label }) => (
              <div key={keys} className="row">
                <dt>
                  {keys.split(" ").map((one, at) => (
                    <kbd key={at}>{one === "Escape" ? "Esc" : one}</kbd>
                  ))}
                </dt>
                <dd>{t(label)}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </Dialog>
  );
}
