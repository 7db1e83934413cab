/** A sentence and a way to try again: what stands where an answer failed. */
import { t } from "../messages.ts";

export function Failure({ sentence, retry }: { sentence: string; retry: () => void }) {
  return (
    <div class="failure" role="alert">
      <p>{sentence}</p>
      <button type="button" class="button" onClick={retry}>
        {t("error.retry")}
      </button>
    </div>
  );
}

/** Holds the place of what is still on its way. */
export function Skeleton({ lines }: { lines: number }) {
  return (
    <div class="skeleton" role="status" aria-label={t("loading")}>
      {Array.from({ length: lines }, (_, i) => (
        <span key={i} />
      ))}
    </div>
  );
}
