/** Settings stored in the browser. If the browser blocks storage, settings last until the page is closed. */

const STORAGE_PREFIX = "clew.";

export function readSetting(name: string): string | null {
  try {
    return localStorage.getItem(STORAGE_PREFIX + name);
  } catch {
    return null;
  }
}

export function writeSetting(name: string, value: string): void {
  try {
    localStorage.setItem(STORAGE_PREFIX + name, value);
  } catch {
    // The setting still applies to this page.
  }
}
