/** What the reader may choose for the whole page; kept in the browser. */
import { useState } from "preact/hooks";
import { notifiable } from "./alarms.ts";
import { read, write } from "./settings.ts";
import { chosenZone, LOCAL_ZONE } from "./zone.ts";

const ZONES = Intl.supportedValuesOf("timeZone");

export function SettingsDialog({
  isPrivate,
  setPrivate,
  close,
}: {
  isPrivate: boolean;
  setPrivate(value: boolean): void;
  close(): void;
}) {
  const isNamed = chosenZone !== "UTC" && chosenZone !== "local";
  const [kind, setKind] = useState(isNamed ? "named" : chosenZone);
  const [notifies, setNotifies] = useState(read("notify") === true);
  const [said, setSaid] = useState("");
  // Every time and every day on the page is another: it is made anew.
  const useZone = (zone: string) => {
    write("zone", zone);
    location.reload();
  };
  const notify = async (wanted: boolean) => {
    const reason = wanted ? notifiable() : null;
    const granted = wanted && reason === null && (await Notification.requestPermission()) === "granted";
    setSaid(wanted && !granted ? (reason ?? "The browser did not allow it.") : "");
    write("notify", granted);
    setNotifies(granted);
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a dialog by itself
    <dialog
      class="help settings"
      aria-label="Settings"
      ref={(dialog: HTMLDialogElement | null) => {
        if (dialog && !dialog.open) dialog.showModal();
      }}
      onClose={close}
      onClick={(event: MouseEvent) => event.target === event.currentTarget && close()}
    >
      <h2>Settings</h2>
      <label>
        Times and days
        <select
          value={kind}
          onChange={({ currentTarget: { value } }) => {
            setKind(value);
            if (value !== "named") useZone(value);
          }}
        >
          <option value="UTC">UTC</option>
          <option value="local">{`Local (${LOCAL_ZONE})`}</option>
          <option value="named">Another zone</option>
        </select>
      </label>
      {kind === "named" ? (
        <label>
          Zone
          <select
            value={isNamed ? chosenZone : ""}
            onChange={({ currentTarget }) => useZone(currentTarget.value)}
          >
            {isNamed ? null : <option value="">Choose</option>}
            {ZONES.map((zone) => (
              <option key={zone} value={zone}>
                {zone.replaceAll("_", " ")}
              </option>
            ))}
          </select>
        </label>
      ) : null}
      <label>
        <span>
          Hide amounts <kbd>b</kbd>
        </span>
        <input
          type="checkbox"
          checked={isPrivate}
          onChange={({ currentTarget }) => setPrivate(currentTarget.checked)}
        />
      </label>
      <label>
        Browser notifications of alerts
        <input
          type="checkbox"
          checked={notifies}
          onChange={({ currentTarget }) => void notify(currentTarget.checked)}
        />
      </label>
      <p class="note" role="status">
        {said}
      </p>
      <button type="button" class="button" onClick={close}>
        Close
      </button>
    </dialog>
  );
}
