/**
 * Rules, silences, channels and endpoints. Guarantees: what is shown is read again after each change; without a token in
 * the address of the server nothing can be changed, and the page says why.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { limitWords, type Waiting } from "../../src/outputs/alerts/limitWords.ts";
import { get, post } from "./connection.ts";
import { age, counted, stampAt } from "./format.ts";
import type { Row } from "./model.ts";

const AGAIN_MS = 5_000;
const HOUR_MS = 3_600_000;
const NO_TOKEN =
  "To change this from here start hlsync with --token (run takes HLSYNC_TOKEN too), and open the page with it.";

/** What a path answers, read again every few seconds and after each change. */
function useControl(path: string) {
  const [data, setData] = useState(null as Row | null);
  const [said, setSaid] = useState("");
  const read = () =>
    get(path).then(setData, (error: unknown) =>
      setSaid(error instanceof Error ? error.message : String(error)),
    );
  useEffect(() => {
    void read();
    const timer = setInterval(() => void read(), AGAIN_MS);
    return () => clearInterval(timer);
  }, [path]);
  /** `words`: what is said of the answer. */
  const act = async (where: string, body: Row, words: (answer: Row) => string) => {
    try {
      setSaid(words(await post(where, body)));
    } catch (error) {
      setSaid(`✕ ${error instanceof Error ? error.message : String(error)}`);
    }
    await read();
  };
  return { data, said, act };
}

function Action({ may, label, run }: { may: boolean; label: string; run(): void }) {
  return (
    <button type="button" class="button" disabled={!may} title={may ? undefined : NO_TOKEN} onClick={run}>
      {label}
    </button>
  );
}

/** How long to be silent, how far back to go. */
const LENGTHS: Readonly<Record<string, number>> = {
  "1 h": HOUR_MS,
  "8 h": 8 * HOUR_MS,
  "1 d": 24 * HOUR_MS,
  "7 d": 168 * HOUR_MS,
};

function Length({ words, chosen, choose }: { words: string; chosen: string; choose(name: string): void }) {
  return (
    <label class="control-length">
      {words}
      <select value={chosen} onChange={({ currentTarget }) => choose(currentTarget.value)}>
        {Object.keys(LENGTHS).map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </label>
  );
}

function Box({ title, said, children }: { title: string; said: string; children: ComponentChildren }) {
  return (
    <details class="panel control" open>
      <summary>{title}</summary>
      <p class="note" role="status">
        {said}
      </p>
      {children}
    </details>
  );
}

function standing({ loudness, firing, pending }: Row) {
  if (loudness === "off") return <span>– off</span>;
  if (firing > 0) return <span class="down">{`✕ ${firing} firing`}</span>;
  if (pending > 0) return <span class="warn">{`▲ ${pending} pending`}</span>;
  return <span class="good">✓ calm</span>;
}

export function Rules() {
  const { data, said, act } = useControl("/api/rules");
  const [length, setLength] = useState("1 h");
  if (data === null) return <Box title="Rules" said={said} children={null} />;
  const { rows, silences, channels, may_change: may } = data;
  const firing = rows.filter((rule: Row) => rule.firing > 0).length;
  const title = `${counted(rows.length, "rule")}${firing ? `, ${firing} firing` : ""}, ${counted(silences.length, "silence")}`;
  const silence = (rule: string) =>
    act(
      "/api/silences",
      { rule, for_ms: LENGTHS[length] },
      ({ until_ms }) => `silent until ${stampAt(until_ms)}`,
    );
  return (
    <Box title={title} said={said || (may ? "" : NO_TOKEN)}>
      <Length words="Silence a rule for" chosen={length} choose={setLength} />
      <div class="control-rows" tabIndex={0} role="group" aria-label={title}>
        {silences.map((one: Row) => (
          <div key={one.id} class="control-row">
            <strong>{one.rule ?? "all rules"}</strong>
            <span>{`silent until ${stampAt(one.until_ms)} ${one.coin ?? ""}`}</span>
            <Action
              may={may}
              label="End"
              run={() => void act("/api/silences/end", { id: one.id }, () => "the silence is over")}
            />
          </div>
        ))}
        {channels.map((channel: Row) => (
          <div key={channel.id} class="control-row">
            <strong>{channel.kind}</strong>
            <span>{channel.label}</span>
            <Action
              may={may}
              label="Test"
              run={() =>
                void act("/api/alerts/test", { channel: channel.id }, ({ rows: [row] }) =>
                  row.error === null ? "✓ delivered" : `✕ ${row.error}`,
                )
              }
            />
          </div>
        ))}
        {rows.map((rule: Row) => (
          <div key={rule.name} class="control-row">
            <strong>{rule.name}</strong>
            {standing(rule)}
            <span title={rule.help}>{limitWords(rule as Waiting)}</span>
            <Action may={may} label={`Silence ${length}`} run={() => void silence(rule.name)} />
          </div>
        ))}
      </div>
    </Box>
  );
}

function endpointState(row: Row, nowMs: number) {
  if (row.state === "disabled") return <span class="down">{`✕ disabled: ${row.disabled_reason}`}</span>;
  if (row.failing_since_ms !== null)
    return <span class="warn">{`▲ failing for ${age(nowMs - row.failing_since_ms)}`}</span>;
  return <span class="good">✓ ok</span>;
}

export function Endpoints({ nowMs }: { nowMs: number }) {
  const { data, said, act } = useControl("/api/endpoints");
  const [length, setLength] = useState("1 h");
  if (data === null) return <Box title="Endpoints" said={said} children={null} />;
  const { rows, may_change: may } = data;
  return (
    <Box title={counted(rows.length, "endpoint")} said={said || (may ? "" : NO_TOKEN)}>
      <Length words="Replay the last" chosen={length} choose={setLength} />
      <div class="control-rows" tabIndex={0} role="group" aria-label="Endpoints">
        {rows.length === 0 ? <p class="empty">No endpoint yet: hlsync webhooks add https://…</p> : null}
        {rows.map(({ id, ...row }: Row) => (
          <div key={id} class="control-row">
            <strong>{id}</strong>
            {endpointState(row, nowMs)}
            <span>{`${row.url} · ${row.events.join(", ")} · ${row.pending ?? 0} waiting${row.is_broker ? "" : `, ${row.delivered ?? 0} delivered, ${row.dead ?? 0} dead`}`}</span>
            {row.is_broker ? null : (
              <>
                {row.is_channel ? null : (
                  <Action
                    may={may}
                    label="Test"
                    run={() =>
                      void act("/api/endpoints/test", { id }, ({ status, error, duration_ms }) =>
                        error === null ? `✓ ${status} in ${duration_ms} ms` : `✕ ${error}`,
                      )
                    }
                  />
                )}
                <Action
                  may={may}
                  label={`Replay ${length}`}
                  run={() =>
                    void act(
                      "/api/endpoints/replay",
                      { id, since_ms: nowMs - LENGTHS[length]! },
                      ({ events }) => `is told again of what it takes of ${counted(events, "event")}`,
                    )
                  }
                />
                <Action
                  may={may}
                  label={row.state === "disabled" ? "Enable" : "Disable"}
                  run={() =>
                    void act(
                      `/api/endpoints/${row.state === "disabled" ? "enable" : "disable"}`,
                      { id },
                      ({ state }) => `${id} is ${state}`,
                    )
                  }
                />
              </>
            )}
          </div>
        ))}
      </div>
    </Box>
  );
}
