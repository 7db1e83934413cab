/** One slot of one region: its auction, what came of it, the own order in it, and its roots. */
import { useEffect } from "preact/hooks";
import type { Region, SlotDetail, Status } from "../../../services/wire/api.ts";
import { t, tCount } from "../messages.ts";
import { routeHash } from "../model/route.ts";
import { api } from "../state/api-client.ts";
import { useResource } from "../state/loadable.ts";
import * as locale from "../state/locale.ts";
import { slotsByRegion } from "../state/market.ts";
import { sessionKey } from "../state/session.ts";
import { BookFigure } from "./book-figure.tsx";
import { Failure, Skeleton } from "./failure.tsx";
import { Arrow } from "./icons.tsx";
import { OwnOrder } from "./own-order.tsx";
import { Figure } from "./split-card.tsx";

const NOT_FOUND = 404;

export function SlotPage(props: {
  region: Region;
  regions: readonly Region[];
  slot: number;
  status: Status;
}) {
  const { region, slot, status } = props;
  // Asked again when the stream brings this very slot.
  const arrived = slotsByRegion.value[region.id]?.some((known) => known.slot === slot) ?? false;
  const key = `slot ${region.id} ${slot} ${sessionKey.value}`;
  const resource = useResource(key, Number(arrived), (caller) => api.slot(region.id, slot, caller));
  const { value: detail, failure } = resource.state.value;
  const times = { startS: slot * status.slotS, endS: (slot + 1) * status.slotS };
  const title = t("slot.title", { span: locale.span(times) });
  useEffect(() => {
    document.title = `${title} · ${t("app.name")}`;
  }, [title]);
  const notYet = failure?.httpStatus === NOT_FOUND && slot > (status.lastSlot ?? -1);
  return (
    <>
      <div class="slot-head">
        <a class="back" href={routeHash({ page: "home", region: region.id })}>
          <Arrow to="left" />
          {t("slot.back", { region: region.name })}
        </a>
        <div class="slot-name">
          <h1>{title}</h1>
          <p class="lead">{locale.date(times.startS)}</p>
        </div>
        <Neighbours region={region} slot={slot} status={status} />
      </div>
      {detail === null && failure === null && <Skeleton lines={10} />}
      {failure !== null && (
        <Failure
          sentence={notYet ? t("slot.notYet", { span: locale.span(times) }) : failure.message}
          retry={() => void resource.refresh()}
        />
      )}
      {detail !== null && <Detail detail={detail} regions={props.regions} />}
    </>
  );
}

/** Links to the slots around this one, where they can exist. */
function Neighbours({ region, slot, status }: { region: Region; slot: number; status: Status }) {
  const at = (other: number) => routeHash({ page: "slot", region: region.id, slot: other });
  return (
    <nav class="slot-steps" aria-label={t("slot.others")}>
      {slot > status.genesisSlot && (
        <a class="button" href={at(slot - 1)} data-testid="slot-previous">
          <Arrow to="left" />
          {t("slot.previous")}
        </a>
      )}
      {slot < (status.lastSlot ?? -1) && (
        <a class="button" href={at(slot + 1)} data-testid="slot-next">
          {t("slot.next")}
          <Arrow to="right" />
        </a>
      )}
    </nav>
  );
}

function Detail({ detail, regions }: { detail: SlotDetail; regions: readonly Region[] }) {
  return (
    <div class="slot-detail">
      <Facts detail={detail} />
      <div class="slot-grid">
        <article class="card">
          <h2>{t("slot.chart")}</h2>
          <BookFigure detail={detail} />
        </article>
        <div class="slot-side">
          {detail.own !== null && <OwnOrder detail={detail} own={detail.own} />}
          <Flows detail={detail} regions={regions} />
        </div>
      </div>
      <Roots detail={detail} />
    </div>
  );
}

function Facts({ detail }: { detail: SlotDetail }) {
  const price = detail.priceUcPerWh;
  const energy = (energyWh: number) => (
    <Figure value={locale.energy(energyWh)} unit={t("unit.energy")} />
  );
  const lines = {
    inflow: locale.energy(detail.inflowWh),
    outflow: locale.energy(detail.outflowWh),
  };
  return (
    <dl class="facts">
      <div class="card tile tile-main">
        <dt>{t("slot.price")}</dt>
        <dd class="tile-value" data-testid="clearing-price" data-uc-per-wh={price ?? ""}>
          {price === null ? (
            t("value.none")
          ) : (
            <Figure value={locale.price(price)} unit={t("unit.price")} />
          )}
        </dd>
        <dd class="tile-text">{priceNote(detail)}</dd>
      </div>
      <div class="card tile">
        <dt>{t("slot.matched")}</dt>
        <dd class="tile-value">{energy(detail.tradedWh)}</dd>
        <dd class="tile-text">{t("slot.inOut", lines)}</dd>
      </div>
      <div class="card tile">
        <dt>{t("slot.fromUtility")}</dt>
        <dd class="tile-value">{energy(detail.retailerBoughtWh)}</dd>
        <dd class="tile-text">{meterNote(detail)}</dd>
      </div>
      <div class="card tile">
        <dt>{t("slot.toUtility")}</dt>
        <dd class="tile-value">{energy(detail.retailerSoldWh)}</dd>
        <dd class="tile-text">
          {t("home.scaleFeedIn", { price: locale.price(detail.feedInUcPerWh) })}
        </dd>
      </div>
    </dl>
  );
}

function priceNote(detail: SlotDetail): string {
  const { priceUcPerWh, buyPriceUcPerWh, sellPriceUcPerWh } = detail;
  const notes: string[] = [t(`mechanism.${detail.mechanism}`)];
  if (priceUcPerWh === null) notes.push(t("home.noPrice"));
  const apart = buyPriceUcPerWh !== priceUcPerWh || sellPriceUcPerWh !== priceUcPerWh;
  if (apart && buyPriceUcPerWh !== null && sellPriceUcPerWh !== null) {
    const prices = { buy: locale.price(buyPriceUcPerWh), sell: locale.price(sellPriceUcPerWh) };
    notes.push(t("slot.buySell", prices));
  }
  const [low, high] = detail.priceIntervalUcPerWh ?? [null, null];
  if (low !== null && high !== null && low !== high) {
    notes.push(t("slot.interval", { low: locale.price(low), high: locale.price(high) }));
  }
  return notes.join("; ");
}

function meterNote(detail: SlotDetail): string {
  const meters = detail.metersReported + detail.metersMissing;
  const facts = { reported: locale.count(detail.metersReported), count: locale.count(meters) };
  const reported = tCount("slot.reported", meters, facts);
  if (detail.refusedReadings === 0) return reported;
  const count = locale.count(detail.refusedReadings);
  return `${reported}, ${tCount("slot.refused", detail.refusedReadings, { count })}`;
}

function Flows({ detail, regions }: { detail: SlotDetail; regions: readonly Region[] }) {
  const name = (id: string) => regions.find((region) => region.id === id)?.name ?? id;
  return (
    <article class="card">
      <h2>{t("slot.flows")}</h2>
      {detail.flows.length === 0 && <p class="empty">{t("slot.flowsNone")}</p>}
      <ul class="flows">
        {detail.flows.map((flow) => {
          const use = {
            energy: locale.energy(flow.energyWh),
            capacity: locale.energy(flow.capacityWh),
          };
          const full = flow.energyWh > 0 && flow.energyWh >= flow.capacityWh;
          const share = flow.capacityWh === 0 ? 0 : flow.energyWh / flow.capacityWh;
          return (
            <li key={flow.line}>
              <p class="flow-name">
                {t("slot.flow", { from: name(flow.from), to: name(flow.to) })}
                <span>{t("slot.flowUse", use)}</span>
              </p>
              <span class="flow-bar" aria-hidden="true">
                <span style={{ width: `${100 * Math.min(1, share)}%` }} />
              </span>
              <p class="flow-note">
                {t("slot.flowFee", { fee: locale.price(flow.feeUcPerWh) })}
                {full && `, ${t("slot.flowFull")}`}
              </p>
            </li>
          );
        })}
      </ul>
    </article>
  );
}

function Roots({ detail }: { detail: SlotDetail }) {
  const rows = [
    [t("slot.receiptsRoot"), detail.receiptsRoot],
    [t("slot.readingsRoot"), detail.readingsRoot],
    [t("slot.reportHash"), detail.reportHash],
  ] as const;
  return (
    <article class="card">
      <h2>{t("slot.proof")}</h2>
      <p class="note">{t("slot.proofText", { height: locale.count(detail.height) })}</p>
      <dl class="roots">
        {rows.map(([name, hash]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="hash">{hash}</dd>
          </div>
        ))}
      </dl>
    </article>
  );
}
