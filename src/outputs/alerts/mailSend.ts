/**
 * One letter by SMTP. Guarantees: answers what came of it and never throws; errors name the server's answer code, not
 * its text, which may repeat addresses and passwords; no text can add a header, a recipient or a command.
 */
import nodemailer from "nodemailer";
import { printable } from "../../runtime/safeText.ts";
import type { Secret } from "../delivery/secret.ts";
import type { Verdict } from "../delivery/sink.ts";

export interface Letter {
  from: string;
  to: string[];
  subject: string;
  text: string;
}

/** `server`: `smtp://user:password@host:port`, or smtps. */
export type MailSend = (server: Secret, letter: Letter) => Promise<Verdict>;

const TIMEOUT_MS = 15_000;

export const sendMail: MailSend = async (server, letter) => {
  const url = new URL(server.reveal());
  const secure = url.protocol === "smtps:";
  const transport = nodemailer.createTransport({
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port) || (secure ? 465 : 587),
    secure,
    // A password never goes over the wire in the clear.
    requireTLS: !secure && url.username !== "",
    ...(url.username
      ? { auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) } }
      : {}),
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
  });
  try {
    // A subject is a header: a line break in it would begin another one.
    await transport.sendMail({ ...letter, subject: printable(letter.subject) });
    return { kind: "delivered", code: 250, error: null, retryAfterMs: null };
  } catch (error) {
    const { code, responseCode } = error as { code?: string; responseCode?: number };
    const why = [code, responseCode].filter((part) => part !== undefined).join(" ") || "not sent";
    return {
      kind: kindOf(responseCode),
      code: responseCode ?? null,
      error: `${url.hostname}: ${why}`,
      retryAfterMs: null,
    };
  } finally {
    transport.close();
  }
};

/** 4yz is for now, 5yz for good, by RFC 5321. */
function kindOf(code: number | undefined): Verdict["kind"] {
  if (code === undefined) return "unanswered";
  return code >= 500 ? "refused" : "failed";
}
