/** Pairing this browser with a member by a one-time code. */
import { useSignal } from "@preact/signals";
import { useEffect, useId } from "preact/hooks";
import { t } from "../messages.ts";
import { routeHash } from "../model/route.ts";
import { asFailure } from "../state/api-client.ts";
import { pair, sessionEnded } from "../state/session.ts";

/** @param props.code - from a link: pairs at once; empty for the form alone */
export function PairForm({ code }: { code: string }) {
  const id = useId();
  const text = useSignal(code);
  const busy = useSignal(false);
  const refusal = useSignal<string | null>(null);

  const submit = async () => {
    const trimmed = text.value.trim();
    if (trimmed === "") {
      refusal.value = t("pair.empty");
      return;
    }
    busy.value = true;
    refusal.value = null;
    try {
      await pair(trimmed);
      // Replaces, so that the code does not stay in the history.
      location.replace(routeHash({ page: "home", region: null }));
    } catch (error) {
      refusal.value = t("pair.failed", { reason: asFailure(error).message });
    } finally {
      busy.value = false;
    }
  };
  useEffect(() => {
    if (code === "") return;
    text.value = code;
    void submit();
  }, [code]);

  const wrong = refusal.value !== null;
  return (
    <form
      class="pair"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <p class="pair-text">{sessionEnded.value ? t("pair.ended") : t("pair.text")}</p>
      <label for={id}>{t("pair.code")}</label>
      <div class="pair-row">
        <input
          id={id}
          name="code"
          type="text"
          autocomplete="one-time-code"
          autocapitalize="characters"
          spellcheck={false}
          maxLength={64}
          value={text.value}
          aria-invalid={wrong}
          aria-describedby={wrong ? `${id}-refusal` : undefined}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
        <button type="submit" class="button button-main" disabled={busy.value}>
          {busy.value ? t("pair.busy") : t("pair.submit")}
        </button>
      </div>
      {wrong && (
        <p id={`${id}-refusal`} class="refusal" role="alert">
          {refusal.value}
        </p>
      )}
    </form>
  );
}
