/** The *verify* button of a bill line: each step of the proof, as this browser found it. */
import { useSignal } from "@preact/signals";
import type { BillLine } from "../../../services/wire/api.ts";
import { type MessageKey, t } from "../messages.ts";
import { api, asFailure } from "../state/api-client.ts";
import * as locale from "../state/locale.ts";
import type { ProofStep, Verdict } from "../state/verify.ts";

const STEPS: readonly ProofStep[] = ["line", "header", "receipts", "lanes", "key", "signature"];
const STEP_TEXT = {
  line: "verify.line",
  header: "verify.header",
  receipts: "verify.receipts",
  lanes: "verify.lanes",
  key: "verify.key",
  signature: "verify.signature",
} as const satisfies Record<ProofStep, MessageKey>;

type State = { verdict: Verdict | null; refusal: string | null; busy: "idle" | "busy" };

export function VerifyBill({ line, networkId }: { line: BillLine; networkId: string }) {
  const state = useSignal<State>({ verdict: null, refusal: null, busy: "idle" });
  const verify = async () => {
    state.value = { verdict: null, refusal: null, busy: "busy" };
    try {
      const answer = await api.billProof(line, {});
      // The proof code comes with its hash and curve, so it loads with the first press.
      const { verifyAnswer } = await import("../state/verify.ts");
      const verdict = verifyAnswer({ line, answer, networkId });
      state.value = { verdict, refusal: null, busy: "idle" };
    } catch (error) {
      const refusal = error instanceof TypeError ? t("verify.notLoaded") : asFailure(error).message;
      state.value = { verdict: null, refusal, busy: "idle" };
    }
  };
  const { verdict, refusal, busy } = state.value;
  return (
    <div class="verify">
      <button
        type="button"
        class="button"
        disabled={busy === "busy"}
        onClick={() => void verify()}
        aria-label={t("verify.buttonLabel", { span: locale.span(line) })}
        data-testid="verify"
      >
        {busy === "busy" ? t("verify.busy") : t("verify.button")}
      </button>
      {refusal !== null && (
        <p class="refusal" role="alert">
          {refusal}
        </p>
      )}
      {verdict !== null && <Steps verdict={verdict} />}
    </div>
  );
}

function Steps({ verdict }: { verdict: Verdict }) {
  const failedAt = verdict.failed === null ? STEPS.length : STEPS.indexOf(verdict.failed);
  return (
    <div class="verdict" role="status" data-testid="verdict">
      <p class="verdict-word" data-holds={verdict.failed === null}>
        {t(verdict.failed === null ? "verify.holds" : "verify.fails")}
      </p>
      <ol>
        {STEPS.map((step, i) => {
          const result = i < failedAt ? "holds" : i === failedAt ? "fails" : "open";
          return (
            <li key={step} data-result={result}>
              <strong>{t(`verify.result.${result}`)}</strong>{" "}
              {t(STEP_TEXT[step], { height: locale.count(verdict.height) })}
            </li>
          );
        })}
      </ol>
      <p class="note">
        {t(verdict.pinned === "now" ? "verify.pinnedNow" : "verify.pinnedBefore")}{" "}
        <span class="hash">{verdict.sequencerPublicKey}</span>
      </p>
    </div>
  );
}
