/** The section of the two splits, with the choice of window, ratios, and what is missing. */
import { signal } from "@preact/signals";
import type { EnergySummary, EnergyWindow, Region, Status } from "../../../services/wire/api.ts";
import { type MessageKey, t, tCount } from "../messages.ts";
import { consumptionSplit, productionSplit } from "../model/split.ts";
import { type ApiFailure, api } from "../state/api-client.ts";
import { useResource } from "../state/loadable.ts";
import * as locale from "../state/locale.ts";
import { revision } from "../state/market.ts";
import { session, sessionKey } from "../state/session.ts";
import { Refused, Skeleton } from "./failure.tsx";
import { type Party, SplitCard } from "./split-card.tsx";

const WINDOWS: readonly EnergyWindow[] = ["last", "today", "all"];
const shownWindow = signal<EnergyWindow>("today");

export type Sums = {
  readonly window: EnergyWindow;
  readonly whole: EnergySummary | null;
  readonly own: EnergySummary | null; // null without a session, and until it is here
  readonly failure: ApiFailure | null;
  retry(): void;
};

/** The shown window's sums, of the community and of the member. */
export function useSums(community: Region): Sums {
  const window = shownWindow.value;
  const isMember = session.value !== null;
  const ownKey = `own ${sessionKey.value} ${window}`;
  const fresh = revision.value;
  const whole = useResource(`community ${community.id} ${window}`, fresh, (caller) =>
    api.communitySummary(community.id, window, caller),
  );
  const own = useResource<EnergySummary | null>(ownKey, fresh, async (caller) =>
    isMember ? await api.ownSummary(window, caller) : null,
  );
  return {
    window,
    whole: whole.state.value.value,
    own: own.state.value.value,
    failure: whole.state.value.failure ?? own.state.value.failure,
    retry: () => void Promise.all([whole.refresh(), own.refresh()]),
  };
}

export function EnergySection(props: { community: Region; status: Status; sums: Sums }) {
  const { whole, own, failure, retry } = props.sums;
  const ready = whole !== null && (session.value === null || own !== null);
  return (
    <section class="energy" aria-labelledby="energy-title" data-testid="home-summary">
      <div class="section-head">
        <h2 id="energy-title">{t("home.energy")}</h2>
        <WindowChoice />
      </div>
      {failure !== null && <Refused failure={failure} retry={retry} />}
      {!ready && failure === null && <Skeleton lines={8} />}
      {ready && (
        <Energy community={props.community} whole={whole} own={own} status={props.status} />
      )}
    </section>
  );
}

function WindowChoice() {
  return (
    <fieldset class="segments">
      <legend class="visually-hidden">{t("home.window")}</legend>
      {WINDOWS.map((window) => (
        <label key={window}>
          <input
            type="radio"
            name="window"
            value={window}
            checked={shownWindow.value === window}
            onChange={() => {
              shownWindow.value = window;
            }}
          />
          <span>{t(`window.${window}`)}</span>
        </label>
      ))}
    </fieldset>
  );
}

function Energy(props: {
  community: Region;
  whole: EnergySummary;
  own: EnergySummary | null;
  status: Status;
}) {
  const { community, whole, own, status } = props;
  if (whole.fromSlot === null) return <p class="card empty">{t("window.empty")}</p>;
  const parties = (split: typeof productionSplit): Party[] => [
    ...(own === null ? [] : [{ name: t("you"), split: split(own, status) }]),
    { name: t("communityWhole"), split: split(whole, status) },
  ];
  const audience = own === null ? "public" : "member";
  const title = (stem: "production" | "consumption"): MessageKey =>
    own === null ? `split.${stem}Public` : `split.${stem}`;
  return (
    <>
      <div class="split-grid">
        <SplitCard
          title={t(title("production"))}
          direction="to"
          audience={audience}
          parties={parties(productionSplit)}
        />
        <SplitCard
          title={t(title("consumption"))}
          direction="from"
          audience={audience}
          parties={parties(consumptionSplit)}
        />
      </div>
      <Ratios summary={own ?? whole} />
      <p class="note window-note">
        {own === null ? community.name : t("you")}: {windowNote(own ?? whole)}
      </p>
    </>
  );
}

function Ratios({ summary }: { summary: EnergySummary }) {
  const { ratios } = summary;
  const figure = (form: {
    own: number | null;
    community: number | null;
    text: MessageKey;
    none: MessageKey;
  }) => ({
    value: locale.share(form.own) ?? t("value.none"),
    text: t(form.own === null ? form.none : form.text, {
      community: locale.share(form.community) ?? t("value.none"),
    }),
  });
  const sufficiency = figure({
    own: ratios.selfSufficiencyOwn,
    community: ratios.selfSufficiencyCommunity,
    text: "ratio.sufficiencyText",
    none: "ratio.sufficiencyNone",
  });
  const consumption = figure({
    own: ratios.selfConsumptionOwn,
    community: ratios.selfConsumptionCommunity,
    text: "ratio.consumptionText",
    none: "ratio.consumptionNone",
  });
  const net = locale.signedMoney(BigInt(summary.amountUc));
  const alone = locale.signedMoney(BigInt(summary.retailerAloneUc));
  return (
    <dl class="ratios">
      <Tile name={t("ratio.net")} value={net} text={t("ratio.netText", { alone })} />
      <Tile name={t("ratio.sufficiency")} {...sufficiency} />
      <Tile name={t("ratio.consumption")} {...consumption} />
    </dl>
  );
}

function Tile({ name, value, text }: { name: string; value: string; text: string }) {
  return (
    <div class="card tile">
      <dt>{name}</dt>
      <dd class="tile-value">{value}</dd>
      <dd class="tile-text">{text}</dd>
    </div>
  );
}

function windowNote(summary: EnergySummary): string {
  const count = locale.count(summary.slots);
  const slots = tCount("window.slots", summary.slots, { count });
  if (summary.missingReadings === 0) return slots;
  const missing = locale.count(summary.missingReadings);
  return `${slots}, ${tCount("window.missing", summary.missingReadings, { count: missing })}`;
}
