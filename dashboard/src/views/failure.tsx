/** A sentence and a way to try again: what stands where an answer failed. */
import { t } from "../messages.ts";
import type { ApiFailure } from "../state/api-client.ts";

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

/** What the node refused. Privacy is not a fault that trying again would mend. */
export function Refused({ failure, retry }: { failure: ApiFailure; retry: () => void }) {
  if (failure.code === "group_small") return <p class="card empty">{failure.message}</p>;
  return <Failure sentence={failure.message} retry={retry} />;
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
