/** The member's bill lines of the latest slots, each of which can be verified in this browser. */
import type { BillLine, Status } from "../../../services/wire/api.ts";
import { type MessageKey, t } from "../messages.ts";
import { routeHash } from "../model/route.ts";
import { api } from "../state/api-client.ts";
import { useResource } from "../state/loadable.ts";
import * as locale from "../state/locale.ts";
import { revision } from "../state/market.ts";
import { session, sessionKey } from "../state/session.ts";
import { Failure, Skeleton } from "./failure.tsx";
import { PairForm } from "./pair-form.tsx";
import { VerifyBill } from "./verify-bill.tsx";

const LINES = 48;
/** BILL_KIND.late: the difference that a late reading made. */
const LATE = 1;

export function BillPage({ status }: { status: Status }) {
  const member = session.value;
  if (member === null) {
    return (
      <section class="card pair-card narrow">
        <h1>{t("bill.title")}</h1>
        <p>{t("bill.needsPairing")}</p>
        <PairForm code="" />
      </section>
    );
  }
  return (
    <>
      <div class="page-head">
        <h1>{t("bill.title")}</h1>
        <p class="lead">{t("bill.lead", { label: member.label })}</p>
      </div>
      <Balance />
      <Lines status={status} />
    </>
  );
}

function Balance() {
  const me = useResource(`me ${sessionKey.value}`, revision.value, api.me).state.value.value;
  if (me === null) return null; // the lines below say what failed
  return (
    <dl class="ratios">
      <div class="card tile">
        <dt>{t("bill.balance")}</dt>
        <dd class="tile-value">{locale.signedMoney(BigInt(me.balanceUc))}</dd>
        <dd class="tile-text">{t("bill.balanceText")}</dd>
      </div>
    </dl>
  );
}

function Lines({ status }: { status: Status }) {
  const resource = useResource(`bills ${sessionKey.value}`, revision.value, (caller) =>
    api.bills(LINES, caller),
  );
  const { value: lines, failure } = resource.state.value;
  return (
    <section class="card" aria-label={t("bill.title")}>
      {failure !== null && (
        <Failure sentence={failure.message} retry={() => void resource.refresh()} />
      )}
      {lines === null && failure === null && <Skeleton lines={8} />}
      {lines?.length === 0 && <p class="empty">{t("bill.empty")}</p>}
      <ol class="bill">
        {lines?.map((line) => (
          <li key={`${line.slot} ${line.leafIndex}`}>
            <Line line={line} status={status} />
          </li>
        ))}
      </ol>
    </section>
  );
}

function Line({ line, status }: { line: BillLine; status: Status }) {
  const amountUc = BigInt(line.amountUc);
  return (
    <article class="bill-line" data-testid="bill-line" data-slot={line.slot}>
      <p class="bill-when">
        <a href={routeHash({ page: "slot", region: line.region, slot: line.slot })}>
          {locale.span(line)}
        </a>
        <span>{locale.date(line.startS)}</span>
      </p>
      <div class="bill-what">
        {energyLines(line).map((text) => (
          <p key={text}>{text}</p>
        ))}
        <p class="bill-quality">
          {t(`bill.quality.${line.qualityLetter}`)}
          {line.kind === LATE && `, ${t("bill.late")}`}
        </p>
      </div>
      <div class="bill-money">
        <p class="bill-amount">{locale.signedMoney(amountUc)}</p>
        <p class="bill-against">{against(amountUc - BigInt(line.retailerAloneUc))}</p>
      </div>
      <VerifyBill line={line} networkId={status.networkId} />
    </article>
  );
}

function energyLines(line: BillLine): string[] {
  const lines: string[] = [];
  const parts = (form: { total: string; shares: readonly (string | null)[] }) => {
    const shares = form.shares.filter((share) => share !== null);
    lines.push(shares.length === 0 ? form.total : `${form.total}: ${shares.join(", ")}`);
  };
  const text = (key: BillEnergyKey, energyWh: number) =>
    energyWh === 0 ? null : t(key, { energy: locale.energy(energyWh) });
  if (line.importWh > 0) {
    parts({
      total: t("bill.bought", { energy: locale.energy(line.importWh) }),
      shares: [
        text("bill.fromNeighbours", line.importWh - line.retailerBoughtWh),
        text("bill.fromUtility", line.retailerBoughtWh),
      ],
    });
  }
  if (line.exportWh > 0) {
    parts({
      total: t("bill.sold", { energy: locale.energy(line.exportWh) }),
      shares: [
        text("bill.toNeighbours", line.exportWh - line.retailerSoldWh),
        text("bill.toUtility", line.retailerSoldWh),
      ],
    });
  }
  lines.push(...aheadLines(line));
  return lines.length === 0 ? [t("bill.neither")] : lines;
}

/** What was traded before the slot, and what of it was not kept and had to go by the utility. */
function aheadLines(line: BillLine): string[] {
  const price = locale.price(line.forwardPriceUcPerWh);
  const parts: [MessageKey, number][] = [
    ["bill.boughtAhead", line.forwardBoughtWh],
    ["bill.soldAhead", line.forwardSoldWh],
    ["bill.short", line.imbalanceBoughtWh],
    ["bill.long", line.imbalanceSoldWh],
  ];
  return parts
    .filter(([, energyWh]) => energyWh > 0)
    .map(([key, energyWh]) => t(key, { energy: locale.energy(energyWh), price }));
}

type BillEnergyKey =
  | "bill.fromNeighbours"
  | "bill.fromUtility"
  | "bill.toNeighbours"
  | "bill.toUtility";

function against(advantageUc: bigint): string | null {
  if (advantageUc === 0n) return null;
  const better = advantageUc > 0n;
  const money = locale.money(better ? advantageUc : -advantageUc);
  return t(better ? "bill.better" : "bill.worse", { money });
}
