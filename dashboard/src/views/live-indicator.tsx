/** Whether the page is live, and how old the last block is; and the banner when it is not. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { t } from "../messages.ts";
import * as locale from "../state/locale.ts";
import { connection, lastBlockAtMs, reconnect } from "../state/stream.ts";

export function LiveIndicator() {
  const nowMs = useNowMs();
  const state = connection.value;
  const heardMs = lastBlockAtMs.value;
  return (
    <p class="live" data-state={state} data-testid="live-indicator">
      <span class="live-dot" aria-hidden="true" />
      <span role="status">{t(`live.${state}`)}</span>
      {heardMs !== null && (
        <span class="live-age">{t("live.age", { age: ageText(nowMs - heardMs) })}</span>
      )}
    </p>
  );
}

export function OfflineBanner() {
  if (connection.value !== "offline") return null;
  const heardMs = lastBlockAtMs.value;
  const text =
    heardMs === null
      ? t("offline.textNever")
      : t("offline.text", { time: locale.clock(Math.floor(heardMs / 1000)) });
  return (
    <div class="banner" role="alert" data-testid="offline-banner">
      <p>
        <strong>{t("offline.title")}</strong> {text}
      </p>
      <button type="button" class="button" onClick={reconnect}>
        {t("offline.retry")}
      </button>
    </div>
  );
}

function useNowMs(): number {
  const nowMs = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      nowMs.value = Date.now();
    }, 1000);
    return () => clearInterval(timer);
  }, [nowMs]);
  return nowMs.value;
}

function ageText(ageMs: number): string {
  const seconds = Math.max(0, Math.floor(ageMs / 1000));
  if (seconds < 60) return t("age.seconds", { count: seconds });
  if (seconds < 3600) return t("age.minutes", { count: Math.floor(seconds / 60) });
  return t("age.hours", { count: Math.floor(seconds / 3600) });
}
