/**
 * Home: the price of the last slot, where the power went and came from (own and community), and
 * the market of a region. Without a session it shows the community and the pairing form.
 */
import { signal } from "@preact/signals";
import type {
  EnergySummary,
  EnergyWindow,
  Me,
  Region,
  SlotSummary,
  Status,
} from "../../../services/wire/api.ts";
import { type MessageKey, t, tCount } from "../messages.ts";
import { advantageUc, consumptionSplit, productionSplit } from "../model/split.ts";
import { type ApiFailure, api } from "../state/api-client.ts";
import { useResource } from "../state/loadable.ts";
import * as locale from "../state/locale.ts";
import { regions, revision } from "../state/market.ts";
import { useRegionSlots } from "../state/region-slots.ts";
import { session, sessionKey } from "../state/session.ts";
import { Refused, Skeleton } from "./failure.tsx";
import { MarketSection } from "./market-section.tsx";
import { PairForm } from "./pair-form.tsx";
import { PriceScale } from "./price-scale.tsx";
import { Figure, type Party, SplitCard } from "./split-card.tsx";

const WINDOWS: readonly EnergyWindow[] = ["last", "today", "all"];
const shownWindow = signal<EnergyWindow>("today");

export function Home({ region, status }: { region: Region; status: Status }) {
  const known = useRegionSlots(region.id, status);
  const home = session.value?.region ?? region.id;
  const community = regions.value.value?.find((candidate) => candidate.id === home) ?? region;
  const sums = useSums(community);
  const last = known.slots?.at(-1) ?? region.lastSlot;
  const isMember = session.value !== null;
  const me = useResource<Me | null>(`me ${sessionKey.value}`, 0, async (caller) =>
    isMember ? await api.me(caller) : null,
  );
  return (
    <>
      <Hero region={region} status={status} last={last} me={me.state.value.value} sums={sums} />
      <EnergySection community={community} status={status} sums={sums} />
      {!isMember && (
        <section class="card pair-card" aria-labelledby="pair-title">
          <h2 id="pair-title">{t("pair.title")}</h2>
          <PairForm code="" />
        </section>
      )}
      <MarketSection
        region={region}
        regions={regions.value.value ?? [region]}
        status={status}
        known={known}
      />
    </>
  );
}

type Sums = {
  readonly window: EnergyWindow;
  readonly whole: EnergySummary | null;
  readonly own: EnergySummary | null; // null without a session, and until it is here
  readonly failure: ApiFailure | null;
  retry(): void;
};

/** The shown window's sums, of the community and of the member. */
function useSums(community: Region): Sums {
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

function Hero(props: {
  region: Region;
  status: Status;
  last: SlotSummary | null;
  me: Me | null;
  sums: Sums;
}) {
  const { region, status, last, me, sums } = props;
  const member = session.value;
  const summary = member === null ? sums.whole : sums.own;
  const intro = t("home.leadPublic", {
    region: region.name,
    minutes: locale.count(Math.round(status.slotS / 60)),
  });
  return (
    <section class="hero">
      <div class="hero-words">
        <p class="eyebrow">
          {region.name}
          <span class="eyebrow-more">
            {tCount("home.members", region.members, { count: locale.count(region.members) })}
          </span>
          <span class="eyebrow-more">{t(`mechanism.${region.mechanism}`)}</span>
        </p>
        <h1>{member === null ? t("home.headlinePublic") : member.label}</h1>
        <p class="lead">
          {member === null && `${intro} `}
          {summary?.fromSlot != null &&
            advantageText({
              summary,
              window: sums.window,
              whom: member === null ? "all" : "you",
            })}
        </p>
      </div>
      <div class="hero-price">
        {last === null ? (
          <NoSlotYet status={status} />
        ) : (
          <LastPrice status={status} last={last} me={me?.region === region.id ? me : null} />
        )}
      </div>
    </section>
  );
}

/** What the market was worth against the utility alone, in one sentence. */
function advantageText(form: {
  summary: EnergySummary;
  window: EnergyWindow;
  whom: "you" | "all";
}): string {
  const { window, whom } = form;
  const amountUc = advantageUc(form.summary);
  if (amountUc === 0n) return t(`home.even.${whom}`);
  const money = locale.money(amountUc < 0n ? -amountUc : amountUc);
  return t(`home.${amountUc > 0n ? "better" : "worse"}.${whom}.${window}`, { money });
}

/** Nothing has cleared, or the region has too few meters for its prices to be public. */
function NoSlotYet({ status }: { status: Status }) {
  if (status.lastSlot !== null) {
    return (
      <>
        <p class="hero-label">{t("home.hidden")}</p>
        <p>{t("home.hiddenText")}</p>
      </>
    );
  }
  const endS = (status.genesisSlot + 1) * status.slotS;
  return (
    <>
      <p class="hero-label">{t("home.noSlotYet")}</p>
      <p>{t("home.noSlotYetText", { time: locale.clock(endS) })}</p>
    </>
  );
}

function LastPrice({ status, last, me }: { status: Status; last: SlotSummary; me: Me | null }) {
  const price = last.priceUcPerWh;
  const when = { span: locale.span(last), date: locale.date(last.startS) };
  return (
    <>
      <p class="hero-label">
        {t("home.lastPrice")}
        <span class="hero-when">{t("home.slotOf", when)}</span>
      </p>
      {price === null ? (
        <p class="hero-none">{t("home.noPrice")}</p>
      ) : (
        <p class="hero-figure" data-testid="last-price" data-uc-per-wh={price}>
          <Figure value={locale.price(price)} unit={t("unit.price")} />
        </p>
      )}
      <PriceScale tariff={status} last={last} limits={me?.limits ?? null} />
    </>
  );
}

function EnergySection(props: { community: Region; status: Status; sums: Sums }) {
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
