/** The market of one region: today's price and the latest slots, live. */

import type { Region, SlotSummary, Status } from "../../../services/wire/api.ts";
import type { PriceChartModel } from "../charts/price-chart.ts";
import { t, tCount } from "../messages.ts";
import { type PriceSeries, priceSeries } from "../model/price-series.ts";
import { routeHash } from "../model/route.ts";
import { recentRows, type SlotRow } from "../model/slots.ts";
import * as locale from "../state/locale.ts";
import { marketDay, type RegionSlots } from "../state/region-slots.ts";
import { ChartFigure } from "./chart-figure.tsx";
import { Refused, Skeleton } from "./failure.tsx";

const ROWS = 12;
const loadPriceChart = () =>
  import("../charts/price-chart.ts").then((module) => module.drawPriceChart);

export function MarketSection(props: {
  region: Region;
  regions: readonly Region[];
  status: Status;
  known: RegionSlots;
}) {
  const { region, regions, status, known } = props;
  return (
    <section class="market" aria-labelledby="market-title">
      <div class="section-head">
        <h2 id="market-title">{t("market.title")}</h2>
        <RegionSwitcher current={region} regions={regions} />
      </div>
      <div class="market-grid">
        <article class="card">
          <CardHead title={t("price.title")} />
          <Answer known={known}>
            {(slots) => <PriceFigure region={region} status={status} slots={slots} />}
          </Answer>
        </article>
        <article class="card">
          <CardHead title={t("slots.title")} />
          <Answer known={known}>{(slots) => <SlotList slots={slots} />}</Answer>
        </article>
      </div>
    </section>
  );
}

function CardHead({ title }: { title: string }) {
  return (
    <div class="card-head">
      <h3>{title}</h3>
      <span class="card-unit">{t("unit.price")}</span>
    </div>
  );
}

/** Slots that the stream brought are shown even where the page of older ones failed. */
function Answer(props: {
  known: RegionSlots;
  children: (slots: readonly SlotSummary[]) => preact.ComponentChildren;
}) {
  const { slots, loaded, retry } = props.known;
  const { failure } = loaded;
  return (
    <>
      {failure !== null && <Refused failure={failure} retry={retry} />}
      {slots === null && failure === null && <Skeleton lines={6} />}
      {slots !== null && props.children(slots)}
    </>
  );
}

function RegionSwitcher({ current, regions }: { current: Region; regions: readonly Region[] }) {
  return (
    <label class="switcher">
      <span>{t("market.region")}</span>
      <select
        data-testid="region-switcher"
        value={current.id}
        onChange={(event) => {
          location.hash = routeHash({ page: "home", region: event.currentTarget.value });
        }}
      >
        {regions.map((region) => (
          <option key={region.id} value={region.id}>
            {region.name}
          </option>
        ))}
      </select>
    </label>
  );
}

function PriceFigure(props: { region: Region; status: Status; slots: readonly SlotSummary[] }) {
  const { region, status } = props;
  const day = marketDay(status);
  const series = priceSeries(props.slots, day);
  if (series.slots.length === 0) return <p class="empty">{t("price.empty")}</p>;
  const caption = priceCaption(series, locale.date(day.startS));
  const { retailUcPerWh, feedInUcPerWh } = status;
  const model: PriceChartModel = { series, day, retailUcPerWh, feedInUcPerWh };
  return (
    <ChartFigure
      model={model}
      load={loadPriceChart}
      label={t("price.aria", { region: region.name, caption })}
      caption={caption}
      legend={<PriceLegend series={series} />}
      table={<PriceTable series={series} />}
    />
  );
}

function priceCaption({ lowest, highest, missing }: PriceSeries, date: string): string {
  const gap = missing > 0 ? ` ${tCount("price.missing", missing, { count: missing })}` : "";
  if (lowest === null || highest === null) return t("price.captionNone", { date }) + gap;
  const facts = {
    date,
    lowest: locale.price(lowest.priceUcPerWh ?? 0),
    highest: locale.price(highest.priceUcPerWh ?? 0),
    lowestTime: locale.clock(lowest.startS),
    highestTime: locale.clock(highest.startS),
  };
  const flat = lowest.priceUcPerWh === highest.priceUcPerWh;
  return t(flat ? "price.captionFlat" : "price.caption", facts) + gap;
}

function PriceLegend({ series }: { series: PriceSeries }) {
  return (
    <ul class="legend">
      <li data-line="price">{t("price.line")}</li>
      {series.buy.length > 0 && <li data-line="buy">{t("price.buy")}</li>}
      {series.sell.length > 0 && <li data-line="sell">{t("price.sell")}</li>}
    </ul>
  );
}

function PriceTable({ series }: { series: PriceSeries }) {
  const cell = (value: number | null) => (
    <td>{value === null ? t("value.none") : locale.price(value)}</td>
  );
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{t("table.slot")}</th>
          <th scope="col">{t("table.price")}</th>
          <th scope="col">{t("table.buy")}</th>
          <th scope="col">{t("table.sell")}</th>
          <th scope="col">{t("table.traded")}</th>
        </tr>
      </thead>
      <tbody>
        {recentRows(series.slots, series.slots.length).map((row) =>
          row.kind === "missing" ? (
            <tr key={`gap ${row.fromS}`}>
              <th scope="row">{locale.span({ startS: row.fromS, endS: row.toS })}</th>
              <td colSpan={4}>{t("table.noData")}</td>
            </tr>
          ) : (
            <tr key={row.slot.slot}>
              <th scope="row">{locale.span(row.slot)}</th>
              {cell(row.slot.priceUcPerWh)}
              {cell(row.slot.buyPriceUcPerWh)}
              {cell(row.slot.sellPriceUcPerWh)}
              <td>{locale.energy(row.slot.tradedWh)}</td>
            </tr>
          ),
        )}
      </tbody>
    </table>
  );
}

function SlotList({ slots }: { slots: readonly SlotSummary[] }) {
  const rows = recentRows(slots, ROWS);
  if (rows.length === 0) return <p class="empty">{t("home.noSlotYet")}</p>;
  return (
    <ol class="slots">
      {rows.map((row) => (
        <li key={row.kind === "cleared" ? row.slot.slot : `gap ${row.fromS}`}>
          <SlotLine row={row} />
        </li>
      ))}
    </ol>
  );
}

function SlotLine({ row }: { row: SlotRow }) {
  if (row.kind === "missing") {
    const gap = { from: locale.clock(row.fromS), to: locale.clock(row.toS) };
    return <p class="slot-gap">{t("slots.missing", gap)}</p>;
  }
  const { slot } = row;
  const price = slot.priceUcPerWh;
  return (
    <a
      class="slot-row"
      href={routeHash({ page: "slot", region: slot.region, slot: slot.slot })}
      data-testid="slot-row"
      data-slot={slot.slot}
    >
      <span class="slot-time">{locale.span(slot)}</span>
      <span class="slot-traded">
        {price === null
          ? t("slots.noTrade")
          : t("slots.traded", { energy: locale.energy(slot.tradedWh) })}
      </span>
      <span class="slot-price" data-testid="slot-price" data-uc-per-wh={price ?? ""}>
        {price === null ? t("value.none") : locale.price(price)}
        {price !== null && <span class="visually-hidden"> {t("unit.price")}</span>}
      </span>
    </a>
  );
}
