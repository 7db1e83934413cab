/** Drawn signs. Each stands by a word or in a named button, so readers do not hear them. */

export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="9" class="logo-ground" />
      <path class="logo-lane" d="M7 21.5h6.2l5.6-11H25" />
      <path class="logo-lane logo-faint" d="M7 10.5h6.2M18.8 21.5H25" />
      <circle class="logo-sun" cx="16" cy="16" r="2.7" />
    </svg>
  );
}

export function ThemeIcon() {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <circle cx="12" cy="12" r="8.2" fill="none" stroke="currentColor" stroke-width="1.8" />
      <path d="M12 3.8a8.2 8.2 0 0 1 0 16.4z" fill="currentColor" />
    </svg>
  );
}

export function Arrow({ to }: { to: "left" | "right" }) {
  const path = to === "left" ? "M14.5 5.5 8 12l6.5 6.5" : "M9.5 5.5 16 12l-6.5 6.5";
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={path} fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" />
    </svg>
  );
}
