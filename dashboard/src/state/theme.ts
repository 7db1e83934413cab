/**
 * Light or dark. Without a choice the page follows the system; choosing what the system has anyway
 * goes back to following it.
 */
import { computed, signal } from "@preact/signals";

export type Theme = "light" | "dark";

const STORAGE_KEY = "gridlane.theme"; // read by public/theme.js before the first paint
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const system = signal<Theme>(systemDark.matches ? "dark" : "light");
const chosen = signal<Theme | null>(asTheme(document.documentElement.dataset.theme));

export const theme = computed<Theme>(() => chosen.value ?? system.value);

systemDark.addEventListener("change", () => {
  system.value = systemDark.matches ? "dark" : "light";
});

export function toggleTheme(): void {
  const next: Theme = theme.value === "dark" ? "light" : "dark";
  chosen.value = next === system.value ? null : next;
  const root = document.documentElement;
  if (chosen.value === null) delete root.dataset.theme;
  else root.dataset.theme = chosen.value;
  try {
    if (chosen.value === null) localStorage.removeItem(STORAGE_KEY);
    else localStorage.setItem(STORAGE_KEY, chosen.value);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}

function asTheme(text: string | undefined): Theme | null {
  return text === "light" || text === "dark" ? text : null;
}
